"""A user's stack, for the type checkers: `make compat` checks it against the published wheel. Nobody runs it."""
# pyright: strict

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as sm
from constructs import Construct

from cdk_replicated_secret import ReplicaRegion, ReplicaRemovalPolicy, ReplicatedSecret, ReplicationProvider


class Database(cdk.Stack):
    """Every argument and every result once."""

    def __init__(self, scope: Construct, construct_id: str, *, role: iam.IRole) -> None:
        super().__init__(scope, construct_id)
        key = kms.Key(self, "Key")
        provider = ReplicationProvider.get_or_create(
            self, memory_size=512, log_retention=logs.RetentionDays.ONE_WEEK, runtime=lambda_.Runtime.PYTHON_3_13
        )
        made = ReplicatedSecret(self, "Made", regions=["eu-west-3"], encryption_key=key, provider=provider)
        found = ReplicatedSecret(
            self,
            "Found",
            secret=sm.Secret.from_secret_name_v2(self, "Existing", "app/database"),
            regions=[ReplicaRegion("eu-west-3", encryption_key="alias/app"), "us-east-1"],
            force_overwrite=True,
            replica_removal_policy=ReplicaRemovalPolicy.RETAIN,
            timeout=cdk.Duration.minutes(5),
            provider=ReplicationProvider.from_service_token(self, "Elsewhere", cdk.Fn.import_value("Provider")),
        )
        secret: sm.ISecret = made.secret
        replica: sm.ISecret = found.replica("eu-west-3")
        grant: iam.Grant = found.grant_read(role, regions=["eu-west-3"])
        texts: list[str] = [
            found.secret_arn,
            found.replication_status,
            found.status("eu-west-3"),
            found.replica_arn("eu-west-3"),
            provider.service_token,
            secret.secret_arn,
            replica.secret_arn,
        ]
        grant.assert_success()
        cdk.CfnOutput(self, "Texts", value=cdk.Fn.join(",", texts))
        found.add_outputs()

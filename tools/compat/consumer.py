"""A user's stack, for the type checkers: `make compat` checks it against the published wheel. It never runs."""
# pyright: strict

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_sns as sns
from constructs import Construct, IDependable

from cdk_replicated_secret import (
    ReplicaRegion,
    ReplicaRemovalPolicy,
    ReplicatedSecret,
    ReplicationMonitor,
    ReplicationProvider,
)


class Database(cdk.Stack):
    """Every argument and every result once."""

    def __init__(self, scope: Construct, construct_id: str, *, role: iam.IRole) -> None:
        super().__init__(scope, construct_id)
        key = kms.Key(self, "Key")
        provider = ReplicationProvider.get_or_create(
            self,
            memory_size=512,
            architecture=lambda_.Architecture.X86_64,
            log_retention=logs.RetentionDays.ONE_WEEK,
            runtime=lambda_.Runtime.PYTHON_3_13,
            manage_permissions=True,
        )
        made = ReplicatedSecret(
            self, "Made", regions=[sm.ReplicaRegion(region="eu-west-3")], encryption_key=key, provider=provider
        )
        found = ReplicatedSecret(
            self,
            "Found",
            secret=sm.Secret.from_secret_name_v2(self, "Existing", "app/database"),
            regions=[ReplicaRegion("eu-west-3", encryption_key="alias/app"), "us-east-1"],
            force_overwrite=True,
            replica_removal_policy=ReplicaRemovalPolicy.RETAIN,
            service_timeout=cdk.Duration.minutes(5),
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
        metrics: list[cloudwatch.Metric] = [
            provider.metric_responses_failed(period=cdk.Duration.minutes(1)),
            provider.metric_replicas_in_sync(),
            provider.metric_replicas_failed(),
            provider.metric_replicas_unverified(),
            provider.metric_seconds_to_in_sync(),
        ]
        cloudwatch.GraphWidget(left=metrics)
        monitor = ReplicationMonitor(
            self, "Monitor", schedule=cdk.Duration.minutes(15), tags={"team": "a"}, verify=True
        )
        alarms: list[cloudwatch.Alarm] = monitor.alarm(sns.Topic(self, "Topic"))
        cloudwatch.Dashboard(self, "Board", widgets=[[monitor.dashboard_widget(width=24)]])
        monitor.metric_replicas_failed().create_alarm(self, "Failed", threshold=1, evaluation_periods=len(alarms))
        added: Sequence[IDependable] = provider.add_permissions(self, [iam.PolicyStatement(actions=["kms:Decrypt"])])
        made.node.add_dependency(*added)
        cdk.CfnOutput(self, "Texts", value=cdk.Fn.join(",", texts))
        found.add_outputs()

"""The stacks that are scanned: an imported secret, a new one, customer keys, the monitor, and everything configured."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import aws_cdk as cdk
import cdk_nag
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sqs as sqs

from cdk_replicated_secret import (
    ReplicaRegion,
    ReplicaRemovalPolicy,
    ReplicatedSecret,
    ReplicationMonitor,
    ReplicationProvider,
)

ACCOUNT = "111122223333"
REGION = "us-west-2"
FLAGS = json.loads(Path(__file__).parents[2].joinpath("cdk.json").read_text())["context"]
KEY = f"arn:aws:kms:us-east-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def build(app: cdk.App) -> None:
    """A stack for each way to use the construct."""
    imported = _stack(app, "Imported")
    secret = sm.Secret.from_secret_name_v2(imported, "Existing", "app/database")
    ReplicatedSecret(imported, "Database", secret=secret, regions=["eu-west-3", "us-east-1"]).add_outputs()

    ReplicatedSecret(_stack(app, "New"), "Database", regions=["eu-west-3"]).add_outputs()

    keys = _stack(app, "Keys")
    ReplicatedSecret(
        keys,
        "Database",
        regions=[
            ReplicaRegion("eu-west-3", encryption_key="alias/app"),
            ReplicaRegion("us-east-1", encryption_key=KEY),
        ],
        encryption_key=kms.Key(keys, "Key", enable_key_rotation=True),
        replica_removal_policy=ReplicaRemovalPolicy.PROMOTE,
    ).add_outputs()

    monitored = _stack(app, "Monitored")
    topic = sns.Topic.from_topic_arn(monitored, "Topic", f"arn:aws:sns:{REGION}:{ACCOUNT}:operations")
    ReplicationMonitor(monitored, "Monitor").alarm(topic)

    _decided(_stack(app, "Decided"))


def _decided(stack: cdk.Stack) -> None:
    """Everything that is the user's decision, configured: on the provider and on the secret."""
    key = kms.Key(stack, "Key", enable_key_rotation=True)
    ReplicationProvider.get_or_create(
        stack,
        vpc=ec2.Vpc.from_vpc_attributes(
            stack,
            "Vpc",
            vpc_id="vpc-1a2b3c4d",
            availability_zones=["us-west-2a"],
            private_subnet_ids=["subnet-1a2b3c4d"],
        ),
        security_groups=[ec2.SecurityGroup.from_security_group_id(stack, "Outward", "sg-1a2b3c4d")],
        log_group=logs.LogGroup(stack, "Logs", encryption_key=key, retention=logs.RetentionDays.ONE_YEAR),
        dead_letter_queue=sqs.Queue.from_queue_arn(stack, "Dead", f"arn:aws:sqs:{REGION}:{ACCOUNT}:dead"),
        reserved_concurrent_executions=10,
        environment_encryption=key,
    )
    replicated = ReplicatedSecret(
        stack, "Database", regions=[ReplicaRegion("us-east-1", encryption_key=KEY)], encryption_key=key
    )
    rotation = lambda_.Function.from_function_arn(
        stack, "Rotation", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:rotation"
    )
    sm.RotationSchedule(
        stack, "Schedule", secret=replicated.secret, rotation_lambda=rotation, automatically_after=cdk.Duration.days(30)
    )


def _stack(app: cdk.App, name: str) -> cdk.Stack:
    return cdk.Stack(app, name, env=cdk.Environment(account=ACCOUNT, region=REGION))


if __name__ == "__main__":
    # The tools' findings name a construct by its path.
    scanned = cdk.App(outdir=sys.argv[1], context={"aws:cdk:enable-path-metadata": True} | FLAGS)
    cdk.Validations.of(scanned).add_plugins(
        cdk_nag.AwsSolutionsChecks(scanned),
        cdk_nag.NIST80053R5Checks(scanned),
    )
    build(scanned)
    scanned.synth()

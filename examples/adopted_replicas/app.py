"""Replicas that the CDK's own replica_regions made: another stack adopts them, and shows whether they are in sync."""

import os

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret

NAME = "app/native"

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")

# As it may have been deployed long ago. CloudFormation reports CREATE_COMPLETE even if a replica fails.
native = cdk.Stack(app, "NativeReplicas", env=env)
regions = ["eu-west-3", "us-east-1"]
sm.Secret(
    native,
    "Database",
    secret_name=NAME,
    replica_regions=[sm.ReplicaRegion(region=region) for region in regions],
)

# This stack waits until the replicas are in sync, and fails if they are not. When it is deleted, they stay.
adopting = cdk.Stack(app, "AdoptedReplicas", env=env)
adopting.add_stack_dependency(native)
secret = sm.Secret.from_secret_name_v2(adopting, "Database", NAME)
ReplicatedSecret(adopting, "Replicas", secret=secret, regions=regions).add_outputs()

app.synth()

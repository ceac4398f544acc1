"""Encrypt a secret and each of its replicas with customer keys: a key encrypts only in its own Region."""

import os

import aws_cdk as cdk
from aws_cdk import aws_kms as kms

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret

PRIMARY, ALIAS = "us-west-2", "alias/app/database"

app = cdk.App()
account = os.environ.get("CDK_DEFAULT_ACCOUNT")
stack = cdk.Stack(app, "CustomerKeys", env=cdk.Environment(account=account, region=PRIMARY))

# A stack for each Region with its key, always under the same alias. Omit these stacks if the keys exist already.
for region in ("eu-west-3", "us-east-1"):
    there = cdk.Stack(app, f"CustomerKey-{region}", env=cdk.Environment(account=account, region=region))
    kms.Key(there, "Key", alias=ALIAS, enable_key_rotation=True, removal_policy=cdk.RemovalPolicy.DESTROY)
    # The keys are created first and deleted last.
    stack.add_stack_dependency(there)

replicated = ReplicatedSecret(
    stack,
    "Database",
    # The key of the primary, which is a new secret here. An existing secret already has its key.
    encryption_key=kms.Key(stack, "Key", enable_key_rotation=True, removal_policy=cdk.RemovalPolicy.DESTROY),
    regions=[
        # By alias, which is looked up in the replica's Region. The function may then use any key with that alias.
        ReplicaRegion("eu-west-3", encryption_key=ALIAS),
        # By ARN, here an alias's ARN. With a key's ARN, the function may use that key only.
        ReplicaRegion("us-east-1", encryption_key=f"arn:{stack.partition}:kms:us-east-1:{stack.account}:{ALIAS}"),
    ],
)
replicated.add_outputs()

app.synth()

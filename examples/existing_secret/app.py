"""Replicate an existing secret to two Regions, and show the result in outputs."""

import os

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")
stack = cdk.Stack(app, "ExistingSecret", env=env)

# The secret itself does not change, except for the tags that record which replicas this stack owns.
existing = sm.Secret.from_secret_name_v2(stack, "Existing", "app/database")

# A replica that exists already is adopted, and stays when the stack is deleted. The others are deleted with the stack.
replicated = ReplicatedSecret(stack, "Database", secret=existing, regions=["eu-west-3", "us-east-1"])

# DatabaseArn, DatabaseReplicationStatus, DatabaseStatusEuWest3, DatabaseStatusUsEast1.
replicated.add_outputs()

app.synth()

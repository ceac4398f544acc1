"""Replicate a secret that exists already to two Regions, and show what came of it."""

import os

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")
stack = cdk.Stack(app, "ExistingSecret", env=env)

# Nothing of the secret itself is changed, but for the tags that say which replicas are this stack's.
existing = sm.Secret.from_secret_name_v2(stack, "Existing", "app/database")

# A replica that is there already is adopted, and left as it was when the stack goes; those made here go with the stack.
replicated = ReplicatedSecret(stack, "Database", secret=existing, regions=["eu-west-3", "us-east-1"])

# DatabaseArn, DatabaseReplicationStatus, DatabaseStatusEuWest3, DatabaseStatusUsEast1.
replicated.add_outputs()

app.synth()

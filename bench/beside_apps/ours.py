"""Replicated by this construct."""

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret

app = cdk.App()
stack = cdk.Stack(app, app.node.get_context("stack"), env=cdk.Environment(region="us-west-2"))
secret = sm.Secret.from_secret_name_v2(stack, "Existing", app.node.get_context("secret"))
ReplicatedSecret(stack, "Replicated", secret=secret, regions=["eu-west-3", "us-east-1"])
app.synth()

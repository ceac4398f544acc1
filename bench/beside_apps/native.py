"""Replicated by the property of AWS::SecretsManager::Secret, which works only for secrets that the stack makes."""

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

app = cdk.App()
stack = cdk.Stack(app, app.node.get_context("stack"), env=cdk.Environment(region="us-west-2"))
regions = [sm.ReplicaRegion(region=region) for region in ("eu-west-3", "us-east-1")]
sm.Secret(stack, "Replicated", secret_name=app.node.get_context("secret"), replica_regions=regions)
app.synth()

"""A failover drill: a replica is promoted by hand, and then the stack drops its Region and leaves it as it is."""

import os

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret

NAME = "app/drill"

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")
stack = cdk.Stack(app, "Failover", env=env)

regions = ["eu-west-3", "us-east-1"]
# Deploy with `-c promoted=eu-west-3` after that replica was promoted.
if promoted := app.node.try_get_context("promoted"):
    regions.remove(promoted)

secret = sm.Secret(stack, "Secret", secret_name=NAME)
ReplicatedSecret(stack, "Drill", secret=secret, regions=regions).add_outputs()

app.synth()

"""A stack in the replica's Region, whose function reads the replica and never calls the primary's Region."""

import os

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret

NAME = "app/consumed"
READ = """
import os

import boto3


def handler(event, context):
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])
    # Never return a secret's value: its length shows that it could be read.
    return {"arn": secret["ARN"], "length": len(secret["SecretString"])}
"""

app = cdk.App()
account = os.environ.get("CDK_DEFAULT_ACCOUNT")
primary = cdk.Stack(app, "Primary", env=cdk.Environment(account=account, region="us-west-2"))
consumer = cdk.Stack(app, "Consumer", env=cdk.Environment(account=account, region="eu-west-3"))

# With an explicit name, the replica's ARN is known at synthesis, so the stacks need no cross-Region reference.
secret = sm.Secret(primary, "Secret", secret_name=NAME, removal_policy=cdk.RemovalPolicy.DESTROY)
replicated = ReplicatedSecret(primary, "Database", secret=secret, regions=["eu-west-3"])

replica = replicated.replica("eu-west-3")
reader = lambda_.Function(
    consumer,
    "Reader",
    runtime=lambda_.Runtime.PYTHON_3_13,
    handler="index.handler",
    code=lambda_.Code.from_inline(READ),
    environment={"SECRET_ARN": replica.secret_arn},
    timeout=cdk.Duration.seconds(30),
    # Lambda would make one that `cdk destroy` leaves.
    log_group=logs.LogGroup(consumer, "Log", removal_policy=cdk.RemovalPolicy.DESTROY),
)
# The function may read the replica, but not the primary.
replica.grant_read(reader)
cdk.CfnOutput(consumer, "ReaderName", value=reader.function_name)

# A plain ARN does not order the stacks: this dependency has the replica created first and deleted last.
consumer.add_stack_dependency(primary)

app.synth()

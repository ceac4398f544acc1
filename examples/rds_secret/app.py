"""Replicate the secret that RDS makes for a database; a function in the replica's Region reads it there."""

import os

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds

from cdk_replicated_secret import ReplicatedSecret

READ = """
import json
import os

import boto3


def handler(event, context):
    secret = boto3.client("secretsmanager").get_secret_value(SecretId=os.environ["SECRET_ARN"])
    # Never return a password: the keys show that it could be read.
    return {"arn": secret["ARN"], "keys": sorted(json.loads(secret["SecretString"]))}
"""

app = cdk.App()
account = os.environ.get("CDK_DEFAULT_ACCOUNT")
# RDS generates the secret's name, so its ARN is known only once it exists. The CDK passes it to the other Region.
stack = cdk.Stack(
    app, "RdsSecret", env=cdk.Environment(account=account, region="us-west-2"), cross_region_references=True
)
consumer = cdk.Stack(
    app, "RdsReader", env=cdk.Environment(account=account, region="eu-west-3"), cross_region_references=True
)

# The smallest network that RDS accepts: two zones, no way in or out.
vpc = ec2.Vpc(
    stack,
    "Network",
    availability_zones=["us-west-2a", "us-west-2b"],
    nat_gateways=0,
    subnet_configuration=[ec2.SubnetConfiguration(name="Database", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)],
)
database = rds.DatabaseInstance(
    stack,
    "Database",
    engine=rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_16),
    instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
    vpc=vpc,
    vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
    storage_encrypted=True,
    credentials=rds.Credentials.from_generated_secret("app"),
    # This is an example: `cdk destroy` deletes the database with its data.
    removal_policy=cdk.RemovalPolicy.DESTROY,
)
assert database.secret  # None only where the credentials are not generated

# database.secret is the attached one: it is replicated once it holds the database's host and port as well.
replicated = ReplicatedSecret(stack, "Replicated", secret=database.secret, regions=["eu-west-3"])
replicated.add_outputs()

replica = replicated.replica("eu-west-3")
reader = lambda_.Function(
    consumer,
    "Reader",
    runtime=lambda_.Runtime.PYTHON_3_13,
    handler="index.handler",
    code=lambda_.Code.from_inline(READ),
    environment={"SECRET_ARN": replica.secret_arn},
    timeout=cdk.Duration.seconds(30),
)
replica.grant_read(reader)
cdk.CfnOutput(consumer, "ReaderName", value=reader.function_name)

app.synth()

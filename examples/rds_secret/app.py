"""Replicate the secret that RDS makes for a database, so that another Region can reach the database."""

import os

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from cdk_replicated_secret import ReplicatedSecret

app = cdk.App()
env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region="us-west-2")
stack = cdk.Stack(app, "RdsSecret", env=env)

# The smallest network that RDS takes: two zones, no way in or out.
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
    # It is an example: `cdk destroy` takes the database away, with its data.
    removal_policy=cdk.RemovalPolicy.DESTROY,
)
assert database.secret  # None only where the credentials are not generated

# database.secret is the attached one: it is replicated once it holds the database's host and port as well.
ReplicatedSecret(stack, "Replicated", secret=database.secret, regions=["eu-west-3"]).add_outputs()

app.synth()

"""Replicated by a custom resource of the user's own, with CDK's Provider framework."""

from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import custom_resources as cr

app = cdk.App()
stack = cdk.Stack(app, app.node.get_context("stack"), env=cdk.Environment(region="us-west-2"))
secret = sm.Secret.from_secret_name_v2(stack, "Existing", app.node.get_context("secret"))


def function(name: str, *actions: str) -> lambda_.Function:
    """One of the two handlers, with its permissions."""
    rights = [f"secretsmanager:{action}" for action in actions]
    return lambda_.Function(
        stack,
        name,
        runtime=lambda_.Runtime.PYTHON_3_13,
        code=lambda_.Code.from_asset(str(Path(__file__).with_name("handlers"))),
        handler=f"index.{name}",
        timeout=cdk.Duration.seconds(30),
        initial_policy=[iam.PolicyStatement(actions=rights, resources=[f"{secret.secret_arn}-??????"])],
    )


provider = cr.Provider(
    stack,
    "Provider",
    on_event_handler=function("on_event", "ReplicateSecretToRegions", "RemoveRegionsFromReplication"),
    is_complete_handler=function("is_complete", "DescribeSecret"),
)
cdk.CustomResource(
    stack,
    "Replicated",
    service_token=provider.service_token,
    properties={"SecretId": secret.secret_name, "Regions": ["eu-west-3", "us-east-1"]},
)
app.synth()

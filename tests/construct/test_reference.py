"""docs/reference/construct.md: it is what the docstrings say, and its examples run."""

from __future__ import annotations

import re
from types import SimpleNamespace

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_sns as sns

import cdk_replicated_secret
from tools.construct_reference import PAGE, build

EXAMPLES = re.findall(
    r"### ([\w.]+)\n(?:(?!\n##).)*?```python\n(.*?)```", PAGE.read_text().replace("\n## ", "\n### "), re.DOTALL
)
# The examples that make the secret whose members the others show.
WHOLE = {
    "ReplicatedSecret",
    "ReplicatedSecret.add_outputs",
    "ReplicaRemovalPolicy",
    "ReplicationMonitor",
    "ReplicationProvider",
}


def test_the_page_is_what_make_docs_writes() -> None:
    assert PAGE.read_text() == build()


def test_the_page_has_every_public_name() -> None:
    assert [name for name in cdk_replicated_secret.__all__ if f"\n## {name}\n" not in PAGE.read_text()] == []


def test_no_example_is_omitted() -> None:
    assert len(EXAMPLES) == PAGE.read_text().count("```python") > 10


@pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])
def test_the_example_runs(name: str, example: str) -> None:
    exec(example, _names(replicated=name not in WHOLE))


def _names(*, replicated: bool) -> dict[str, object]:
    """What a reader has before the example: a stack, and in it what the example is about."""
    app = cdk.App()
    account = "000000000000"
    stack, reader = (
        cdk.Stack(app, name, env=cdk.Environment(account=account, region=region))
        for name, region in (("App", "us-west-2"), ("Reader", "eu-west-3"))
    )
    names = {name: getattr(cdk_replicated_secret, name) for name in cdk_replicated_secret.__all__}
    names |= {name: getattr(cdk, name) for name in ("CfnOutput", "Environment", "Fn", "Stack")}
    names |= {"app": app, "account": account, "self": stack, "stack": stack, "ecs": ecs}
    secret = sm.Secret(stack, "Given", secret_name="app/database")
    names["cluster"] = SimpleNamespace(secret=secret)
    names["vpc"] = ec2.Vpc(stack, "Network", availability_zones=["us-west-2a"])
    names["task"] = ecs.FargateTaskDefinition(reader, "Task")
    names["image"] = ecs.ContainerImage.from_registry("app")
    names["function"] = lambda_.Function(
        stack,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("#"),
    )
    names["cloudwatch"] = cloudwatch
    names["topic"] = sns.Topic(stack, "Topic")
    names["page"] = actions.SnsAction(sns.Topic(stack, "Page"))
    if replicated:
        names["monitor"] = cdk_replicated_secret.ReplicationMonitor(stack, "Checks")
        names["replicated"] = cdk_replicated_secret.ReplicatedSecret(
            stack, "Replicated", secret=secret, regions=["eu-west-3"]
        )
    return names

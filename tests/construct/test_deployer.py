"""The policy for a deployer in docs/permissions.md has the actions of AWS's resource schemas, and is valid."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk.assertions import Template
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from cdk_replicated_secret import ReplicatedSecret, ReplicationProvider
from tests.helpers.policies import judge

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
# CloudFormation's own call of the function; its resource type is not AWS's.
INVOKE = "lambda:InvokeFunction"
# The schemas list what every use of a type may need: other services, and what the construct does not set.
OTHER_SERVICES = ("ec2", "elasticfilesystem", "firehose", "kms", "s3files")
NOT_USED = re.compile(
    r"iam:\w*(Group|User|Boundary)\w*|s3:REST.*"
    r"|lambda:(Get|Put|Delete|Update|Associate|Pass|Publish)\w*(Scaling|Capacity|Concurrency|Layer|Alias|Version)\w*"
    r"|lambda:(Put|Delete)FunctionCodeSigningConfig|lambda:GetCodeSigningConfig|lambda:Put\w*(Recursion|Runtime)\w*"
    r"|logs:\w*(DataProtection|DataProtectionPolicy|LogDelivery|ResourcePolic|Index|BearerToken|KmsKey|Protection)\w*"
)


def documented() -> dict[str, Any]:
    section = PAGE.read_text().partition("\n## What the deployer needs\n")[2]
    found: dict[str, Any] = json.loads(section.partition("```json\n")[2].partition("```")[0])
    return found


def template() -> dict[str, Any]:
    stack = cdk.Stack(cdk.App(), "app", env=cdk.Environment(account="111122223333", region="us-west-2"))
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    return dict(Template.from_stack(stack).to_json()["Resources"])


def test_the_deployers_policy_has_the_actions_of_the_resource_schemas() -> None:
    types = {resource["Type"] for resource in template().values()}
    needed: set[str] = set()
    for kind in types - {"AWS::SecretsManager::Secret", "Custom::ReplicatedSecret"}:
        handlers = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-west-2", kind).schema["handlers"]
        for handler in ("create", "read", "update", "delete"):
            needed |= set(handlers[handler]["permissions"])
    used = {
        action for action in needed if not NOT_USED.fullmatch(action) and action.split(":")[0] not in OTHER_SERVICES
    }
    given = {
        action
        for s in documented()["Statement"]
        for action in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert sorted(given - {INVOKE}) == sorted(used)
    assert INVOKE in given


def test_the_deployers_policy_is_valid() -> None:
    assert list(judge(documented())) == []


def test_the_role_has_no_managed_policies_of_its_own() -> None:
    """All ten that IAM allows are for the stacks that share a provider, less one for an update."""
    stack = cdk.Stack(cdk.App(), "app")
    ReplicationProvider.get_or_create(stack)
    made = Template.from_stack(stack)
    (role,) = made.find_resources("AWS::IAM::Role").values()
    assert "ManagedPolicyArns" not in role["Properties"]
    assert made.find_resources("AWS::IAM::ManagedPolicy") == {}

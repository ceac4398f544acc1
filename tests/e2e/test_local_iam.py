"""Local AWS rejects what AWS's IAM rejects, by the API and in a stack."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from local.server import ACCOUNT, LocalAws

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("auth")]
SECRET = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:app-AbCdEf"
RIGHT = {"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": SECRET}
TRUST = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    "an empty Resource": ({"Resource": ""}, 'Resource  must be in ARN format or "*"'),
    "a name for an ARN": ({"Resource": "app"}, 'Resource app must be in ARN format or "*"'),
    "a reference": ({"Resource": [{"Ref": "Key"}]}, "must be in ARN format"),
    "no resources": ({"Resource": []}, "must contain resources"),
    "no actions": ({"Action": []}, "must contain actions"),
    "an action without its service": ({"Action": "DescribeSecret"}, "prefaced by a vendor"),
    "an unknown operator": (
        {"Condition": {"StringEqual": {"aws:username": "a"}}},
        "Invalid Condition type : StringEqual",
    ),
    "an unknown element": ({"Resources": "*"}, "Syntax errors"),
    "an unknown effect": ({"Effect": "allow"}, "Effect"),
}


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws(speed=20) as started:
        yield started


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def create(aws: LocalAws, name: str, **resources: Any) -> str:
    """Create a stack, and return the reason if it fails."""
    client = aws.client("cloudformation")
    client.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    try:
        client.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})
    except WaiterError:
        events = client.describe_stack_events(StackName=name)["StackEvents"]
        return "; ".join(e.get("ResourceStatusReason", "") for e in events if e["ResourceStatus"] == "CREATE_FAILED")
    return ""


def managed(statement: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document(statement), **more}}


def role(**more: Any) -> dict[str, Any]:
    return {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": document(TRUST), **more}}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_policy_is_rejected(aws: LocalAws, name: str) -> None:
    changes, message = MALFORMED[name]
    wrong = RIGHT | changes
    with pytest.raises(ClientError, match=f"MalformedPolicyDocument.*{message}"):
        aws.client("iam").create_policy(PolicyName="wrong", PolicyDocument=json.dumps(document(wrong)))


@pytest.mark.parametrize("kind", ["managed", "inline", "in the role"])
def test_a_stack_with_a_malformed_policy_fails(aws: LocalAws, kind: str) -> None:
    wrong = document(RIGHT | {"Resource": ""})
    resources = {
        "managed": {"Wrong": managed(RIGHT | {"Resource": ""})},
        "inline": {
            "Role": role(),
            "Wrong": {
                "Type": "AWS::IAM::Policy",
                "Properties": {"PolicyName": "wrong", "PolicyDocument": wrong, "Roles": [{"Ref": "Role"}]},
            },
        },
        "in the role": {"Role": role(Policies=[{"PolicyName": "wrong", "PolicyDocument": wrong}])},
    }[kind]
    assert 'must be in ARN format or "*"' in create(aws, f"malformed-{kind.replace(' ', '-')}", **resources)


def test_two_managed_policies_of_one_name_are_rejected(aws: LocalAws) -> None:
    assert create(aws, "first", Policy=managed(RIGHT, ManagedPolicyName="taken")) == ""
    assert "A policy called taken already exists" in create(
        aws, "second", Policy=managed(RIGHT, ManagedPolicyName="taken")
    )
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        aws.client("iam").create_policy(PolicyName="taken", PolicyDocument=json.dumps(document(RIGHT)))


def test_a_managed_policy_has_a_quota(aws: LocalAws) -> None:
    long = [SECRET.replace("app", f"app-{number}") for number in range(120)]
    assert "Cannot exceed quota for PolicySize: 6144" in create(aws, "long", Policy=managed(RIGHT | {"Resource": long}))


def test_a_role_holds_ten_policies(aws: LocalAws) -> None:
    policies = {f"Policy{number}": managed(RIGHT, Roles=[{"Ref": "Role"}]) for number in range(11)}
    assert "Cannot exceed quota for PoliciesPerRole: 10" in create(aws, "eleven", Role=role(), **policies)

"""The check of every synthesized policy: it finds what IAM rejects or ignores, and no accepted finding is stale."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.assertions import Template

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret, ReplicationProvider
from tests.helpers.policies import ACCEPTED, check, findings, judge

SECRET = "arn:aws:secretsmanager:us-west-2:111122223333:secret:app/database-??????"
KEY = "arn:aws:kms:us-west-2:111122223333:key/1234abcd"


def statement(**changes: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": SECRET} | changes


def condition(key: str, value: Any = "value", operator: str = "StringEquals") -> dict[str, Any]:
    return {"Condition": {operator: {key: value}}}


def document(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements), **more}


WRONG = {
    "a misspelt action": (statement(Action="secretsmanager:ReplicateSecretToRegion"), "UNKNOWN_ACTION"),
    "no action": (statement(Action=[]), "EMPTY: Action"),
    "another action's condition key": (
        statement(**condition("secretsmanager:RecoveryWindowInDays")),
        "UNKNOWN_CONDITION_FOR_ACTION: .*RecoveryWindowInDays for action secretsmanager:DescribeSecret",
    ),
    "a tagging action's condition key": (
        statement(**condition("aws:TagKeys")),
        "UNKNOWN_CONDITION_FOR_ACTION: aws:TagKeys for action secretsmanager:DescribeSecret",
    ),
    "a misspelt condition key": (statement(**condition("secretsmanager:SecretID/x")), "UNKNOWN_CONDITION_FOR_ACTION"),
    "a misspelt operator": (statement(**condition("secretsmanager:SecretId", operator="StringEqual")), "OPERATOR"),
    "a condition without a value": (
        statement(**condition("aws:ResourceTag/team", [])),
        "EMPTY: StringEquals aws:ResourceTag/team",
    ),
    "a malformed ARN": (statement(Resource="arn:aws:secretsmanager:us-west-2:111122223333"), "INVALID_ARN"),
    "an account of eleven digits": (statement(Resource=SECRET.replace("111122223333", "11112222333")), "INVALID_ARN"),
    "a name for an ARN": (statement(Resource="app/database"), "INVALID_ARN"),
    "an empty Resource": (statement(Resource=""), "INVALID_ARN"),
    "an empty one among others": (statement(Resource=[SECRET, ""]), "INVALID_ARN"),
    "another service's resource": (statement(Resource=KEY), "RESOURCE_MISMATCH"),
    "an alias": (statement(Action="kms:Decrypt", Resource=KEY.replace("key/", "alias/")), "RESOURCE_MISMATCH"),
    "no resource": ({"Effect": "Allow", "Action": "secretsmanager:DescribeSecret"}, "MALFORMED"),
    "a misspelt effect": (statement(Effect="allow"), "MALFORMED"),
    "an unknown element": (statement(Resources=SECRET), "MALFORMED"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_statement_is_found(name: str) -> None:
    wrong, expected = WRONG[name]
    with pytest.raises(AssertionError, match=expected):
        check(template(document(wrong)))


def test_a_right_statement_has_no_findings() -> None:
    listed = condition("secretsmanager:ForceOverwriteReplicaSecret", ["true", "false"], "BoolIfExists")
    right = statement(Action="secretsmanager:ReplicateSecretToRegions", **listed)
    assert list(judge(document(statement(), right))) == []


def test_a_managed_policy_that_is_too_long_is_found() -> None:
    long = [SECRET.replace("database", f"database-{number}") for number in range(100)]
    assert findings(template(document(statement(Resource=long[:70])))) == set()
    with pytest.raises(AssertionError, match=r"TOO_LONG: .* and 6144 are allowed"):
        check(template(document(statement(Resource=long))))


@pytest.mark.parametrize("branch", [0, 1])
def test_both_branches_of_a_condition_are_checked(branch: int) -> None:
    branches = [SECRET, SECRET]
    branches[branch] = ""
    with pytest.raises(AssertionError, match="INVALID_ARN"):
        check(template(document(statement(Resource={"Fn::If": ["Condition", *branches]}))))


@pytest.mark.parametrize("kind", ["Managed", "Inline", "InRole"])
def test_every_synthesized_template_is_checked(kind: str) -> None:
    app = cdk.App()
    stack = cdk.Stack(app, "app")
    wrong = iam.PolicyStatement(actions=["secretsmanager:DescribeSecrets"], resources=[SECRET])
    inline = {"Wrong": iam.PolicyDocument(statements=[wrong])} if kind == "InRole" else None
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"), inline_policies=inline)
    if kind == "Managed":
        iam.ManagedPolicy(stack, "Policy", statements=[wrong])
    if kind == "Inline":
        role.add_to_policy(wrong)
    with pytest.raises(AssertionError, match="UNKNOWN_ACTION"):
        Template.from_stack(stack)
    with pytest.raises(AssertionError, match="UNKNOWN_ACTION"):
        app.synth()


def test_no_accepted_finding_is_stale() -> None:
    """One stack has all that the reasons are about."""
    stack = cdk.Stack(cdk.App(), "app", env=cdk.Environment(account="111122223333", region="us-west-2"))
    ReplicationProvider.get_or_create(stack, vpc=ec2.Vpc(stack, "Vpc"))
    alias = kms.Alias.from_alias_name(stack, "Alias", "alias/app")
    existing = sm.Secret.from_secret_name_v2(stack, "Existing", "app/database")
    regions = [ReplicaRegion("eu-west-3", encryption_key="alias/app")]
    ReplicatedSecret(stack, "Database", secret=existing, regions=regions, encryption_key=alias)
    existing.grant_read(iam.User(stack, "Reader"), ["AWSCURRENT"])
    found = findings(Template.from_stack(stack).to_json())
    assert sorted(found) == sorted(ACCEPTED)
    assert all(reason.strip() for reason in ACCEPTED.values())


def template(policy: dict[str, Any]) -> dict[str, Any]:
    properties = json.loads(json.dumps({"PolicyDocument": policy}))
    return {"Resources": {"Policy": {"Type": "AWS::IAM::ManagedPolicy", "Properties": properties}}}

"""The app that ``cdk deploy`` runs, and its context."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Template

import app


def synthesize(**context: object) -> dict[str, Any]:
    """The custom resource's properties."""
    stack = cdk.Stack(
        cdk.App(context=context), app.STACK, env=cdk.Environment(account="000000000000", region="us-west-2")
    )
    app.build(stack)
    (resource,) = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    return dict(resource["Properties"])


def test_without_context_it_creates_a_secret_for_the_demo() -> None:
    properties = synthesize()
    assert properties["ReplicaRegions"] == ["eu-west-3", "us-east-1"]
    assert list(properties["SecretId"]) == ["Ref"]
    assert (properties["ForceOverwriteReplicaSecret"], properties["ReplicaRemovalPolicy"]) == (False, "Delete")


@pytest.mark.parametrize(
    ("own", "regions"),
    [
        ("us-west-2", ["eu-west-3", "us-east-1"]),
        ("us-east-1", ["eu-west-3", "us-west-2"]),
        ("eu-west-3", ["us-east-1", "us-west-2"]),
        ("ap-south-1", ["eu-west-3", "us-east-1"]),
        ("cn-north-1", ["cn-northwest-1"]),
        ("us-gov-west-1", ["us-gov-east-1"]),
        (None, ["eu-west-3", "us-east-1"]),
    ],
)
def test_without_context_the_regions_are_others_of_the_partition(own: str | None, regions: list[str]) -> None:
    stack = cdk.Stack(cdk.App(), app.STACK, env=cdk.Environment(account="000000000000", region=own))
    app.build(stack)
    (resource,) = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    declared = resource["Properties"]["ReplicaRegions"]
    assert [entry["Region"] if isinstance(entry, dict) else entry for entry in declared] == regions


def test_a_secret_that_a_service_manages_is_given_by_name_or_arn() -> None:
    arn = "arn:aws:secretsmanager:us-west-2:000000000000:secret:rds!cluster-1-AbCdEf"
    assert [synthesize(secretId=secret)["SecretId"] for secret in ("rds!cluster-1", arn)] == ["rds!cluster-1", arn]


@pytest.mark.parametrize(
    ("given", "regions"),
    [
        ('["eu-west-3"]', ["eu-west-3"]),
        ('[{"Region": "eu-west-3", "KmsKeyId": "alias/app"}]', [{"Region": "eu-west-3", "KmsKeyId": "alias/app"}]),
        ("[]", []),
        (["eu-west-3"], ["eu-west-3"]),
        ("Region=us-east-1", ["us-east-1"]),
        ("eu-west-3,us-east-1", ["eu-west-3", "us-east-1"]),
        (
            "Region=eu-west-3,KmsKeyId=alias/app Region=us-east-1",
            [{"Region": "eu-west-3", "KmsKeyId": "alias/app"}, "us-east-1"],
        ),
    ],
)
def test_regions_are_json_or_the_aws_clis_shorthand(given: object, regions: list[object]) -> None:
    assert synthesize(replicaRegions=given)["ReplicaRegions"] == regions


@pytest.mark.parametrize(
    ("secret_id", "sent"),
    [
        ("app/database", "app/database"),
        (
            "arn:aws:secretsmanager:us-west-2:000000000000:secret:app/database-AbCdEf",
            "arn:aws:secretsmanager:us-west-2:000000000000:secret:app/database-AbCdEf",
        ),
    ],
)
def test_an_existing_secret_is_given_by_name_or_arn(secret_id: str, sent: str) -> None:
    assert synthesize(secretId=secret_id)["SecretId"] == sent


def test_force_and_the_removal_policy() -> None:
    properties = synthesize(forceOverwriteReplicaSecret="true", replicaRemovalPolicy="Retain")
    assert (properties["ForceOverwriteReplicaSecret"], properties["ReplicaRemovalPolicy"]) == (True, "Retain")


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"replicaRegions": " "}, "context replicaRegions is ' ': for no replicas, use []"),
        ({"replicaRegions": '[{"Region": "eu-west-3", "KmsKeyId": 5}]'}, "is not understood"),
        ({"replicaRegions": "[true]"}, "True is not understood"),
        ({"replicaRegion": "x"}, "context replicaRegion is 'x': unknown key; did you mean replicaRegions?"),
        ({"secretID": "x"}, "context secretID is 'x': unknown key; did you mean secretId?"),
        ({"replicaRemovelPolicy": "Retain"}, "did you mean replicaRemovalPolicy?"),
        ({"replicaRegions": "[eu-west-3"}, "not valid JSON"),
        ({"replicaRegions": '{"Region": "eu-west-3"}'}, "a JSON list such as"),
        ({"replicaRegions": '[{"region": "eu-west-3"}]'}, "is not understood"),
        ({"replicaRegions": "Region=eu-west-3,Key=x"}, "is not understood"),
        ({"replicaRegions": "Region=eu-west-3,Region=us-east-1"}, "is not understood"),
        ({"replicaRegions": '["us-west-2"]'}, "the primary's own Region"),
        ({"replicaRegions": '["Europe"]'}, "which is not a Region name"),
        ({"secretId": ""}, "context secretId is '': expected the name or ARN of a secret"),
        ({"secretId": "arn:aws:s3:::bucket"}, "expected the name or ARN of a secret"),
        (
            {"forceOverwriteReplicaSecret": "yes"},
            "context forceOverwriteReplicaSecret is 'yes': expected true or false",
        ),
        (
            {"replicaRemovalPolicy": "delete"},
            "context replicaRemovalPolicy is 'delete': expected one of Delete, Retain, Promote",
        ),
    ],
)
def test_a_wrong_value_says_what_is_allowed(context: dict[str, object], message: str) -> None:
    with pytest.raises((app.ContextError, ValueError)) as error:
        synthesize(**context)
    assert message in str(error.value)

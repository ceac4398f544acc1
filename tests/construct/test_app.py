"""The app that ``cdk deploy`` runs, and its context."""

from __future__ import annotations

import re
import string
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk.assertions import Annotations, Match, Template
from hypothesis import example, given
from hypothesis import strategies as st

import app

ACCOUNT, REGION = "000000000000", "us-west-2"
ARN = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"


def build(context: dict[str, object], region: str | None = REGION) -> cdk.Stack:
    return app.build(cdk.App(context=context), cdk.Environment(account=ACCOUNT, region=region))


def properties_of(stack: cdk.Stack) -> dict[str, Any]:
    """The custom resource's properties."""
    (resource,) = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    return dict(resource["Properties"])


def synthesize(**context: object) -> dict[str, Any]:
    return properties_of(build(context))


def stack_name(secret_id: str) -> str:
    return build({"secretId": secret_id}).stack_name


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
    declared = properties_of(build({}, own))["ReplicaRegions"]
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
        ({"stackName": "app/database"}, "context stackName is 'app/database': expected 1 to 128 letters, digits"),
        ({"stackName": "x" * 129}, "expected 1 to 128 letters, digits"),
        ({"stackName": 5}, "expected 1 to 128 letters, digits"),
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


def test_each_secret_has_a_stack_that_is_named_after_it() -> None:
    assert build({}).stack_name == "ReplicatedSecret"
    assert stack_name("app/database") == "ReplicatedSecret-app-database"
    assert stack_name("app-database") == "ReplicatedSecret-app-database-3cfc09ff"


def test_the_guide_says_how_stacks_are_named() -> None:
    page = (Path(app.__file__).parent / "docs" / "guide" / "getting-started.md").read_text()
    for secret_id in ("app/database", "app-database"):
        assert f"`{secret_id}` is `{stack_name(secret_id)}`" in page


def test_the_stacks_name_can_be_chosen() -> None:
    assert build({"secretId": "app/database", "stackName": "ReplicatedSecret"}).stack_name == "ReplicatedSecret"


ALLOWED = string.ascii_letters + string.digits + "/_+=.@!-"


@given(st.sets(st.text(ALLOWED, min_size=1, max_size=512), min_size=2, max_size=2))
@example({"app/database", "app-database"})
@example({"app-database", "app_database"})
@example({"app/database", "app//database"})
@example({"app/database", "/app/database"})
@example({"x" * 511, "x" * 512})
def test_two_secrets_never_have_one_stack(secret_ids: set[str]) -> None:
    names = {app.name_of_stack(secret_id, REGION, ACCOUNT) for secret_id in secret_ids}
    assert len(names) == 2
    assert all(re.fullmatch("ReplicatedSecret-[A-Za-z0-9-]{1,111}", name) for name in names)


@pytest.mark.parametrize("name", ["app/database", "prod-database", "rds!cluster-1", "x" * 512])
def test_a_secrets_arn_and_its_name_are_one_stack(name: str) -> None:
    assert stack_name(f"{ARN}{name}-AbCdEf") == stack_name(name)


@pytest.mark.parametrize("word", ["secret", "APIKEY", "202411"])
def test_an_arn_that_may_end_in_a_word_never_has_the_stack_of_another_secret(word: str) -> None:
    ids = (f"{ARN}app/my-{word}", f"app/my-{word}", "app/my", f"{ARN}app/my")
    assert len({stack_name(secret_id) for secret_id in ids}) == 3


def test_a_stack_name_without_a_secret_warns_that_the_stack_may_switch() -> None:
    switches = Match.string_like_regexp("switches it to a new secret")
    alone = Annotations.from_stack(build({"stackName": "Mine"}))
    assert alone.find_warning("*", switches)
    with_a_secret = Annotations.from_stack(build({"stackName": "Mine", "secretId": "app/database"}))
    assert not with_a_secret.find_warning("*", switches)


def test_secrets_of_one_name_elsewhere_have_stacks_of_their_own() -> None:
    elsewhere = (ARN.replace(REGION, "eu-west-1"), ARN.replace(ACCOUNT, "111122223333"), ARN)
    names = {stack_name(f"{arn}app/database-AbCdEf") for arn in elsewhere}
    assert len(names) == 3
    assert any(name.startswith("ReplicatedSecret-eu-west-1-") for name in names)


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("secretName", "secretId"),
        ("secretArn", "secretId"),
        ("secret", "secretId"),
        ("secret_id", "secretId"),
        ("regions", "replicaRegions"),
        ("region", "replicaRegions"),
        ("replica-regions", "replicaRegions"),
        ("kmsKeyId", "replicaRegions"),
        ("encryptionKey", "replicaRegions"),
        ("removalPolicy", "replicaRemovalPolicy"),
        ("forceOverwrite", "forceOverwriteReplicaSecret"),
        ("name", "stackName"),
        ("stack", "stackName"),
    ],
)
def test_an_unknown_context_key_is_rejected_with_the_nearest_known_one(key: str, meant: str) -> None:
    with pytest.raises(app.ContextError, match=rf"context {key} is 'x': unknown key; did you mean {meant}\b"):
        synthesize(**{key: "x"})


def test_an_unknown_context_key_that_resembles_none_is_rejected_with_all_known_ones() -> None:
    known = "secretId, stackName, replicaRegions, forceOverwriteReplicaSecret, replicaRemovalPolicy"
    with pytest.raises(app.ContextError, match=f"unknown key; the keys are {known}"):
        synthesize(owner="x")


def test_keys_of_the_cdk_are_accepted() -> None:
    """What the CDK CLI adds, what it looked up, and what it writes into cdk.json."""
    keys = [
        "aws:cdk:enable-path-metadata",
        "@aws-cdk/core:bootstrapQualifier",
        "aws-cdk:enableDiffNoFail",
        "availability-zones:account=000000000000:region=us-west-2",
        "ssm:account=000000000000:parameterName=/app/x:region=us-west-2",
        "acknowledged-issue-numbers",
        "cli-telemetry",
    ]
    assert synthesize(**dict.fromkeys(keys, False), secretId="app/database")["SecretId"] == "app/database"

"""The event, read strictly."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from secret_replication.errors import InvalidPropertyError, MalformedEventError, UnknownPropertyError
from secret_replication.properties import Declaration, RemovalPolicy
from secret_replication.request import Operation, check_event, fallback_physical_id, parse
from tests.support import PRIMARY, event


def declaration(**properties: Any) -> Declaration:
    return parse(event(**properties), region=PRIMARY).declaration


def test_the_defaults() -> None:
    assert declaration() == Declaration("app/database", {"eu-west-3": None}, force=False, policy=RemovalPolicy.DELETE)


@pytest.mark.parametrize(
    ("regions", "read"),
    [
        ([], {}),
        (["eu-west-3", "us-gov-west-1"], {"eu-west-3": None, "us-gov-west-1": None}),
        ([{"Region": "eu-west-3"}], {"eu-west-3": None}),
        ([{"Region": "eu-west-3", "KmsKeyId": ""}], {"eu-west-3": None}),
        (
            [{"Region": "eu-west-3", "KmsKeyId": "alias/app"}, "us-east-1"],
            {"eu-west-3": "alias/app", "us-east-1": None},
        ),
    ],
)
def test_regions_are_strings_or_objects(regions: list[object], read: dict[str, str | None]) -> None:
    assert declaration(regions=regions).replicas == read


def test_every_region_of_every_partition_is_taken() -> None:
    session = boto3.Session()
    known = [r for p in session.get_available_partitions() for r in session.get_available_regions("ec2", p)]
    regions = sorted(set(known) - {PRIMARY})
    assert len(regions) > 35
    assert list(declaration(regions=regions).replicas) == regions


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), (True, True)])
def test_booleans_arrive_as_strings(text: object, value: bool) -> None:
    assert declaration(ForceOverwriteReplicaSecret=text).force is value


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"SecretId": None}, "SecretId is None: give the ARN or the name of the primary secret"),
        ({"SecretId": ""}, "SecretId is '': give"),
        ({"SecretId": "x" * 2049}, "1 to 2048 characters"),
        ({"SecretId": "arn:aws:s3:::bucket"}, "SecretId is 'arn:aws:s3:::bucket': this is not the ARN of a secret"),
        ({"regions": None}, "ReplicaRegions is None: give a list"),
        ({"regions": "eu-west-3"}, "ReplicaRegions is 'eu-west-3': give a list"),
        ({"regions": ["Europe"]}, "ReplicaRegions[0].Region is 'Europe': this is not a Region name"),
        ({"regions": [7]}, "ReplicaRegions[0] is 7: give a Region"),
        ({"regions": [{}]}, "ReplicaRegions[0].Region is None"),
        ({"regions": ["eu-west-3\n"]}, "this is not a Region name"),
        (
            {"regions": ["eu-west-3", {"Region": "eu-west-3"}]},
            "ReplicaRegions[1].Region is 'eu-west-3': this Region is listed",
        ),
        ({"regions": ["us-west-2"]}, "ReplicaRegions[0].Region is 'us-west-2': this is the primary's own Region"),
        (
            {"regions": ["eu-west-3"], "SecretId": "arn:aws:secretsmanager:eu-west-3:000000000000:secret:a-abcdef"},
            "this is the primary's own Region",
        ),
        ({"regions": [{"Region": "eu-west-3", "Kms": "x"}]}, "ReplicaRegions[0].Kms: there is no such property"),
        ({"regions": [{"Region": "eu-west-3", "KmsKeyId": ["x"]}]}, "ReplicaRegions[0].KmsKeyId is ['x']: give"),
        ({"ForceOverwriteReplicaSecret": "yes"}, "ForceOverwriteReplicaSecret is 'yes': use true or false"),
        (
            {"ReplicaRemovalPolicy": "Snapshot"},
            "ReplicaRemovalPolicy is 'Snapshot': use one of Delete, Retain, Promote",
        ),
        ({"ReplicaRegion": "eu-west-3"}, "ReplicaRegion: there is no such property; use SecretId,"),
    ],
)
def test_a_wrong_property_is_named_with_its_value_and_the_fix(properties: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidPropertyError, UnknownPropertyError)) as error:
        parse(event(**properties), region=PRIMARY)
    assert message in str(error.value)


@pytest.mark.parametrize(
    "properties",
    [{}, {"SecretId": 7}, {"SecretId": "app/database", "ReplicaRegions": "x", "Unknown": "y"}, "nothing", None],
)
def test_a_delete_is_never_refused_for_its_properties(properties: object) -> None:
    request = event("Delete") | {"ResourceProperties": properties}
    assert parse(request, region=PRIMARY).operation is Operation.DELETE


def test_a_delete_whose_policy_cannot_be_read_leaves_the_replicas_alone() -> None:
    request = event("Delete", ReplicaRemovalPolicy="Snapshot")
    assert parse(request, region=PRIMARY).declaration.policy is RemovalPolicy.RETAIN


@pytest.mark.parametrize("broken", [None, [], "text", 7])
def test_what_is_no_object_is_refused(broken: object) -> None:
    with pytest.raises(MalformedEventError, match="not a CloudFormation request"):
        check_event(broken)


def test_the_id_before_the_arn_is_known_is_the_same_each_time_and_short_enough() -> None:
    long = event(LogicalResourceId="L" * 255)
    assert fallback_physical_id(long) == fallback_physical_id(long)
    assert len(fallback_physical_id(long)) <= 1024

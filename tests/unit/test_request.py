"""The event, read strictly."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from secret_replication.errors import InvalidPropertyError, MalformedEventError, UnknownPropertyError
from secret_replication.model import Desired, RemovalPolicy, SecretArn
from secret_replication.ownership import Owner
from secret_replication.properties import PROPERTIES, read, read_to_delete, regions_in, service_timeout
from secret_replication.request import Request, RequestType, placeholder_id
from tests.helpers.world import PRIMARY, STACK, event

OWNER = Owner.of(STACK, "Replication")


def declared(**properties: Any) -> Desired:
    request = Request.of(event(**properties))
    return read(request.properties, request.owner, PRIMARY)


def to_delete(properties: object) -> Desired:
    return read_to_delete(properties, OWNER)


def test_the_defaults() -> None:
    assert declared() == Desired(OWNER, "app/database", {"eu-west-3": None}, force=False, policy=RemovalPolicy.DELETE)


def test_a_secret_is_given_by_name_or_arn() -> None:
    arn = "arn:aws:secretsmanager:us-east-1:000000000000:secret:app/database-abcdef"
    assert declared(SecretId=arn).secret == SecretArn("aws", "us-east-1", "000000000000", "app/database-abcdef")
    assert declared(SecretId="rds!cluster-1").secret == "rds!cluster-1"


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
    assert declared(regions=regions).replicas == read


def test_every_region_of_every_partition_is_accepted() -> None:
    session = boto3.Session()
    known = [r for p in session.get_available_partitions() for r in session.get_available_regions("ec2", p)]
    regions = sorted(set(known) - {PRIMARY})
    assert len(regions) > 35
    assert list(declared(regions=regions).replicas) == regions


@pytest.mark.parametrize(("regions", "declared_ones"), [([""], []), (["", "eu-west-3", ""], ["eu-west-3"])])
def test_blank_entries_of_a_parameter_are_ignored(regions: list[str], declared_ones: list[str]) -> None:
    assert list(declared(regions=regions).replicas) == declared_ones


@pytest.mark.parametrize(("text", "value"), [("true", True), ("True", True), ("false", False), (True, True)])
def test_booleans_arrive_as_strings(text: object, value: bool) -> None:
    assert declared(ForceOverwriteReplicaSecret=text).force is value


ARN = "arn:aws:secretsmanager:eu-west-3:000000000000:secret:app-abcdef"
SECRET = "give the ARN or the name of the primary secret"
LIST = 'give a list such as ["eu-west-3"] or [{"Region": "eu-west-3"}]; [] means none'
NAME = "this is not a Region name; expected something like eu-west-3"
OWN = "this is the primary's own Region; list only other Regions"


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"SecretId": None}, f"SecretId is missing: {SECRET}, 1 to 2048 characters"),
        ({"SecretId": ""}, f"SecretId is '': {SECRET}, 1 to 2048 characters"),
        ({"SecretId": "x" * 2049}, f"SecretId is {'x' * 2049!r}: {SECRET}, 1 to 2048 characters"),
        ({"SecretId": "arn:s3"}, f"SecretId is 'arn:s3': this is not the ARN of a secret; {SECRET}"),
        ({"regions": None}, f"ReplicaRegions is missing: {LIST}"),
        ({"regions": "eu-west-3"}, f"ReplicaRegions is 'eu-west-3': {LIST}"),
        ({"regions": ["Europe"]}, f"ReplicaRegions[0].Region is 'Europe': {NAME}"),
        (
            {"regions": [{}]},
            "ReplicaRegions[0] is {}: it has no Region. To omit it conditionally, put !If around the whole entry",
        ),
        ({"regions": ["eu-west-3\n"]}, f"ReplicaRegions[0].Region is 'eu-west-3\\n': {NAME}"),
        (
            {"SecretId": f"{ARN}:password::"},
            f"SecretId is '{ARN}:password::': omit ':password::', which refers to a part of its value; {SECRET}",
        ),
        (
            {"regions": [ARN]},
            f"ReplicaRegions[0].Region is '{ARN}': this is an ARN; give its Region, eu-west-3",
        ),
        ({"regions": [7]}, 'ReplicaRegions[0] is 7: give a Region, or {"Region": ..., "KmsKeyId": ...}'),
        (
            {"regions": ["eu-west-3", {"Region": "eu-west-3"}]},
            "ReplicaRegions[1].Region is 'eu-west-3': this Region is listed twice; list it once",
        ),
        ({"regions": ["us-west-2"]}, f"ReplicaRegions[0].Region is 'us-west-2': {OWN}"),
        (
            {"regions": ["eu-west-3"], "SecretId": "arn:aws:secretsmanager:eu-west-3:000000000000:secret:a-abcdef"},
            f"ReplicaRegions[0].Region is 'eu-west-3': {OWN}",
        ),
        (
            {"regions": [{"Region": "eu-west-3", "Kms": "x"}]},
            "ReplicaRegions[0].Kms: unknown property; use Region, KmsKeyId",
        ),
        (
            {"regions": [{"Region": "eu-west-3", "KmsKeyId": ["x"]}]},
            "ReplicaRegions[0].KmsKeyId is ['x']: give the ARN, ID or alias of a key in that Region",
        ),
        (
            {"regions": [{"Region": "eu-west-3", "KmsKeyId": "x" * 2049}]},
            f"ReplicaRegions[0].KmsKeyId is {'x' * 2049!r}: give the ARN, ID or alias of a key in that Region",
        ),
        ({"ForceOverwriteReplicaSecret": "yes"}, "ForceOverwriteReplicaSecret is 'yes': use true or false"),
        (
            {"ReplicaRemovalPolicy": "Snapshot"},
            "ReplicaRemovalPolicy is 'Snapshot': use one of Delete, Retain, Promote",
        ),
        (
            {"ReplicaRegion": "eu-west-3"},
            f"ReplicaRegion: unknown property; use {', '.join(PROPERTIES)}",
        ),
    ],
)
def test_a_wrong_property_is_named_with_its_value_and_the_fix(properties: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidPropertyError, UnknownPropertyError)) as error:
        declared(**properties)
    assert str(error.value) == message


@pytest.mark.parametrize("secret_id", ["x", "x" * 2048])
def test_the_longest_and_the_shortest_are_accepted(secret_id: str) -> None:
    key = "x" * 2048
    desired = declared(SecretId=secret_id, regions=[{"Region": "eu-west-3", "KmsKeyId": key}])
    assert (desired.secret, desired.replicas) == (secret_id, {"eu-west-3": key})


def test_properties_that_are_not_an_object_are_rejected_with_what_to_give() -> None:
    with pytest.raises(InvalidPropertyError) as error:
        read("text", OWNER, PRIMARY)
    assert str(error.value) == "ResourceProperties is 'text': give SecretId and ReplicaRegions"


def test_an_unknown_request_type_is_rejected_with_those_that_exist() -> None:
    with pytest.raises(InvalidPropertyError) as error:
        _ = Request.of(event("Frobnicate")).type
    assert str(error.value) == "RequestType is 'Frobnicate': use Create, Update or Delete"


def test_a_request_is_read_in_full() -> None:
    old = {"SecretId": "app/old"}
    request = Request.of(event("Update", OldResourceProperties=old, PhysicalResourceId="id"))
    assert request.type is RequestType.UPDATE
    assert (request.owner, request.physical_id, request.primary) == (OWNER, "id", None)
    assert (request.stack_id, request.request_id, request.logical_id) == (STACK, "request", "Replication")
    assert (request.properties, request.old_properties) == (event()["ResourceProperties"], old)
    assert request.response_url == event()["ResponseURL"]
    assert "token=bearer" not in repr(request)


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("60", 60), (60, 60), ("1.5", None), (1.5, None), ("²", None), ("", None), (None, None), ("9" * 5000, None)],
)
def test_a_service_timeout_that_is_not_a_number_is_ignored(given: object, seconds: int | None) -> None:
    assert service_timeout({"ServiceTimeout": given}) == seconds
    assert service_timeout("text") is None


@pytest.mark.parametrize(
    ("properties", "secret", "policy"),
    [
        ({"SecretId": "app/database"}, "app/database", RemovalPolicy.DELETE),
        ({"SecretId": "app/database", "ReplicaRemovalPolicy": "Promote"}, "app/database", RemovalPolicy.PROMOTE),
        # Replicas are left alone if the policy cannot be read.
        ({"SecretId": "app/database", "ReplicaRemovalPolicy": "Snapshot"}, "app/database", RemovalPolicy.RETAIN),
        ({"SecretId": 7}, "", RemovalPolicy.DELETE),
        ({"SecretId": "app/database", "ReplicaRegions": "x", "Unknown": "y"}, "app/database", RemovalPolicy.DELETE),
        ({}, "", RemovalPolicy.DELETE),
        ("nothing", "", RemovalPolicy.DELETE),
        (None, "", RemovalPolicy.DELETE),
    ],
)
def test_a_delete_is_never_rejected_for_its_properties(properties: object, secret: str, policy: RemovalPolicy) -> None:
    assert to_delete(properties) == Desired(OWNER, secret, policy=policy)


@pytest.mark.parametrize(
    ("properties", "regions"),
    [
        ({"ReplicaRegions": ["eu-west-3", {"Region": "us-east-1", "KmsKeyId": "k"}]}, {"eu-west-3", "us-east-1"}),
        ({"ReplicaRegions": ["eu-west-3", 7, {}, {"Region": 7}]}, {"eu-west-3"}),
        ({"ReplicaRegions": "eu-west-3"}, set()),
        ({"Other": ["eu-west-3"]}, set()),
        ("text", set()),
        (None, set()),
    ],
)
def test_regions_are_read_from_properties_of_any_form(properties: object, regions: set[str]) -> None:
    assert regions_in(properties) == regions


def test_the_placeholder_id_is_recognised() -> None:
    assert Request.of(event()).physical_id == placeholder_id(OWNER) == f"Replication-{OWNER.stack}"
    assert Request.of(event()).has_placeholder_id
    assert not Request.of(event(PhysicalResourceId="app-Replication-1X2Y3Z")).has_placeholder_id
    assert Request.of(event(PhysicalResourceId="")).has_placeholder_id


def test_the_placeholder_id_fits_into_cloudformations_limit() -> None:
    assert len(Request.of(event(LogicalResourceId="L" * 255)).physical_id) <= 1024


def test_the_id_of_a_created_resource_is_the_primarys_arn() -> None:
    arn = "arn:aws:secretsmanager:us-west-2:000000000000:secret:app/database-abcdef"
    assert Request.of(event(PhysicalResourceId=arn)).primary == SecretArn.parse(arn)


@pytest.mark.parametrize("broken", [None, [], "text", 7])
def test_an_event_that_is_not_an_object_is_rejected(broken: object) -> None:
    with pytest.raises(MalformedEventError) as error:
        Request.of(broken)
    assert str(error.value) == f"the event is a {type(broken).__name__}, not a CloudFormation request"


@pytest.mark.parametrize("key", ["ResponseURL", "StackId", "RequestId", "LogicalResourceId"])
@pytest.mark.parametrize("broken", [None, "", 7, ["x"]])
def test_an_event_that_lacks_what_a_response_needs_is_rejected(key: str, broken: object) -> None:
    with pytest.raises(MalformedEventError) as error:
        Request.of(event() | {key: broken})
    only = "this function serves CloudFormation custom resource requests"
    assert str(error.value) == f"the event lacks {key}: {only}"
    with pytest.raises(MalformedEventError, match=f"lacks {key if key == 'ResponseURL' else 'ResponseURL, ' + key}:"):
        Request.of({name: value for name, value in event().items() if name not in ("ResponseURL", key)})

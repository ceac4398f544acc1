"""The event, read strictly."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

from secret_replication.errors import InvalidPropertyError, MalformedEventError, UnknownPropertyError
from secret_replication.ownership import Owner
from secret_replication.properties import PROPERTIES, Declaration, RemovalPolicy
from secret_replication.request import Operation, Request, check_event, fallback_physical_id, parse
from tests.helpers.world import PRIMARY, STACK, event


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


SECRET = "give the ARN or the name of the primary secret"
LIST = 'give a list like ["eu-west-3"] or [{"Region": "eu-west-3"}]'
NAME = "this is not a Region name; write one like eu-west-3"
OWN = "this is the primary's own Region; list only other Regions"


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"SecretId": None}, f"SecretId is None: {SECRET}, 1 to 2048 characters"),
        ({"SecretId": ""}, f"SecretId is '': {SECRET}, 1 to 2048 characters"),
        ({"SecretId": "x" * 2049}, f"SecretId is {'x' * 2049!r}: {SECRET}, 1 to 2048 characters"),
        ({"SecretId": "arn:s3"}, f"SecretId is 'arn:s3': this is not the ARN of a secret; {SECRET}"),
        ({"regions": None}, f"ReplicaRegions is None: {LIST}"),
        ({"regions": "eu-west-3"}, f"ReplicaRegions is 'eu-west-3': {LIST}"),
        ({"regions": ["Europe"]}, f"ReplicaRegions[0].Region is 'Europe': {NAME}"),
        ({"regions": [{}]}, f"ReplicaRegions[0].Region is None: {NAME}"),
        ({"regions": ["eu-west-3\n"]}, f"ReplicaRegions[0].Region is 'eu-west-3\\n': {NAME}"),
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
            "ReplicaRegions[0].Kms: there is no such property; use Region, KmsKeyId",
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
            f"ReplicaRegion: there is no such property; use {', '.join(PROPERTIES)}",
        ),
    ],
)
def test_a_wrong_property_is_named_with_its_value_and_the_fix(properties: dict[str, Any], message: str) -> None:
    with pytest.raises((InvalidPropertyError, UnknownPropertyError)) as error:
        parse(event(**properties), region=PRIMARY)
    assert str(error.value) == message


@pytest.mark.parametrize("secret_id", ["x", "x" * 2048])
def test_the_longest_and_the_shortest_are_taken(secret_id: str) -> None:
    key = "x" * 2048
    read = declaration(SecretId=secret_id, regions=[{"Region": "eu-west-3", "KmsKeyId": key}])
    assert (read.secret_id, read.replicas) == (secret_id, {"eu-west-3": key})


def test_properties_that_are_no_object_are_refused_with_what_to_give() -> None:
    with pytest.raises(InvalidPropertyError) as error:
        parse(event() | {"ResourceProperties": "text"}, region=PRIMARY)
    assert str(error.value) == "ResourceProperties is 'text': give SecretId and ReplicaRegions"


def test_an_unknown_request_type_is_refused_with_those_there_are() -> None:
    with pytest.raises(InvalidPropertyError) as error:
        parse(event("Frobnicate"), region=PRIMARY)
    assert str(error.value) == "RequestType is 'Frobnicate': use Create, Update or Delete"


def test_each_operation_is_read_in_full() -> None:
    owner = Owner.of(STACK, "Replication")
    more = {"ServiceTimeout": "60", "ReplicaRemovalPolicy": "Promote", "PhysicalResourceId": "id"}
    old = {"SecretId": "app/old", "ReplicaRemovalPolicy": "Retain"}
    given = Declaration("app/database", {"eu-west-3": None}, policy=RemovalPolicy.PROMOTE)
    before = Declaration("app/old", policy=RemovalPolicy.RETAIN)
    assert parse(event("Create", OldResourceProperties=old, **more), region=PRIMARY) == Request(
        Operation.CREATE, owner, given, "id", 60
    )
    assert parse(event("Update", OldResourceProperties=old, **more), region=PRIMARY) == Request(
        Operation.UPDATE, owner, given, "id", 60, before
    )
    assert parse(event("Delete", OldResourceProperties=old, **more), region=PRIMARY) == Request(
        Operation.DELETE, owner, Declaration("app/database", policy=RemovalPolicy.PROMOTE), "id", 60
    )


@pytest.mark.parametrize("old", [None, {}, "text", {"SecretId": 7}, {"SecretId": "app/database"}])
def test_an_update_of_the_same_secret_leaves_none_behind(old: object) -> None:
    assert parse(event("Update", OldResourceProperties=old), region=PRIMARY).previous is None


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("60", 60), (60, 60), ("1.5", None), (1.5, None), ("²", None), ("", None), (None, None), ("9" * 5000, None)],
)
def test_a_service_timeout_that_cannot_be_read_is_none(given: object, seconds: int | None) -> None:
    assert parse(event(ServiceTimeout=given), region=PRIMARY).service_timeout == seconds


@pytest.mark.parametrize(
    "properties",
    [{}, {"SecretId": 7}, {"SecretId": "app/database", "ReplicaRegions": "x", "Unknown": "y"}, "nothing", None],
)
def test_a_delete_is_never_refused_for_its_properties(properties: object) -> None:
    request = event("Delete") | {"ResourceProperties": properties}
    assert parse(request, region=PRIMARY).operation is Operation.DELETE


def test_a_delete_whose_policy_cannot_be_read_leaves_the_replicas_alone() -> None:
    request = event("Delete", ReplicaRemovalPolicy="Snapshot")
    assert parse(request, region=PRIMARY).declaration == Declaration("app/database", policy=RemovalPolicy.RETAIN)


def test_a_delete_without_a_policy_deletes() -> None:
    assert parse(event("Delete"), region=PRIMARY).declaration == Declaration("app/database")
    assert parse(event("Delete", SecretId=7), region=PRIMARY).declaration == Declaration("")


def test_a_delete_of_what_its_create_never_saw_has_nothing_to_delete() -> None:
    unseen = fallback_physical_id(event())
    for operation, physical_id, secret_id, expected in (
        ("Delete", unseen, "app/database", True), ("Delete", "app-Replication-1X2Y3Z", 7, True),
        ("Delete", "app-Replication-1X2Y3Z", "app/database", False), ("Update", unseen, "app/database", False),
    ):  # fmt: skip
        request = event(operation, PhysicalResourceId=physical_id, SecretId=secret_id)
        assert parse(request, region=PRIMARY).has_nothing_to_delete is expected


def test_a_delete_addresses_the_arn_that_it_once_answered_and_otherwise_the_name() -> None:
    arn = "arn:aws:secretsmanager:us-west-2:000000000000:secret:app/database-abcdef"
    for operation, physical_id, secret_id in (
        ("Delete", arn, arn), ("Delete", "app-Replication-1X2Y3Z", "app/database"), ("Update", arn, "app/database"),
    ):  # fmt: skip
        assert parse(event(operation, PhysicalResourceId=physical_id), region=PRIMARY).secret_id == secret_id


@pytest.mark.parametrize("broken", [None, [], "text", 7])
def test_what_is_no_object_is_refused(broken: object) -> None:
    with pytest.raises(MalformedEventError) as error:
        check_event(broken)
    assert str(error.value) == f"the event is a {type(broken).__name__}, not a CloudFormation request"


@pytest.mark.parametrize("key", ["ResponseURL", "StackId", "RequestId", "LogicalResourceId"])
@pytest.mark.parametrize("broken", [None, "", 7, ["x"]])
def test_without_what_an_answer_needs_nobody_can_be_answered(key: str, broken: object) -> None:
    with pytest.raises(MalformedEventError) as error:
        check_event(event() | {key: broken})
    only = "this function answers CloudFormation custom resource requests only"
    assert str(error.value) == f"the event lacks {key}: {only}"
    with pytest.raises(MalformedEventError, match=f"lacks {key if key == 'ResponseURL' else 'ResponseURL, ' + key}:"):
        check_event({name: value for name, value in event().items() if name not in ("ResponseURL", key)})


@pytest.mark.parametrize("name", ["StackId", "RequestId", "LogicalResourceId", "PhysicalResourceId"])
def test_ids_that_no_answer_could_repeat_are_refused(name: str) -> None:
    with pytest.raises(MalformedEventError, match="bytes, which no answer holds"):
        check_event(event(**{name: "a" * 2800}))
    assert check_event(event(**{name: "a" * 1024}))


def test_an_event_that_can_be_answered_is_taken_as_it_is() -> None:
    assert check_event(event()) == event()


def test_the_id_before_the_arn_is_known_is_the_one_given_or_the_same_each_time() -> None:
    assert fallback_physical_id(event(PhysicalResourceId="id")) == "id"
    assert fallback_physical_id(event()) == "Replication-1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90"
    assert len(fallback_physical_id(event(LogicalResourceId="L" * 255))) <= 1024

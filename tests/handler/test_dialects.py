"""The handler under every dialect: each combination of what is unknown about AWS (U1 to U16)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields

import pytest

from local.secrets_manager import Dialect, every_dialect
from tests.helpers.world import World, event

DIALECTS = list(every_dialect())
KEYED = [{"Region": "eu-west-3", "KmsKeyId": "key-1"}, "us-east-1"]
REKEYED = [{"Region": "eu-west-3", "KmsKeyId": "key-2"}, "us-east-1"]


def words(dialect: Dialect) -> str:
    pairs = [(getattr(dialect, field.name), field.default) for field in fields(Dialect)]
    return ", ".join(value.value for value, default in pairs if value != default) or "default"


@pytest.fixture
def worlds() -> Iterator[Iterator[World]]:
    """A world in each dialect in turn; where a test fails it says in which."""
    current = ""

    def each() -> Iterator[World]:
        nonlocal current
        for dialect in DIALECTS:
            current = words(dialect)
            yield World(dialect, direct=True)
        current = ""

    yield each()
    assert not current, f"failed in the dialect: {current}"


def test_create_update_rekey_and_delete_converge(worlds: Iterator[World]) -> None:
    for world in worlds:
        world.succeed(event(regions=("eu-west-3", "us-east-1")))
        world.succeed(event("Update", ("eu-west-3", "ap-southeast-2"), PhysicalResourceId=world.arn))
        assert world.statuses() == {"eu-west-3": "InSync", "ap-southeast-2": "InSync"}
        response = world.succeed(event("Update", REKEYED, PhysicalResourceId=world.arn))
        assert response.data["KmsKeyId.eu-west-3"] == "key-2"
        world.succeed(event("Update", REKEYED, PhysicalResourceId=world.arn))
        assert world.journal.writes == []
        world.succeed(event("Delete", PhysicalResourceId=world.arn))
        assert (world.statuses(), world.tags()) == ({}, {})
        assert not any(world.exists(region) for region in ("eu-west-3", "us-east-1", "ap-southeast-2"))


def test_a_failed_replica_is_repaired(worlds: Iterator[World]) -> None:
    for world in worlds:
        world.succeed(event(regions=("eu-west-3", "us-east-1")))
        world.model.break_off("us-west-2", world.arn, "eu-west-3", "network error")
        world.succeed(event("Update", ("eu-west-3", "us-east-1"), PhysicalResourceId=world.arn))
        assert world.statuses() == {"eu-west-3": "InSync", "us-east-1": "InSync"}


def test_a_replica_that_fails_twice_and_heals(worlds: Iterator[World]) -> None:
    for world in worlds:
        world.model.script.fail("network error", region="eu-west-3", times=2)
        world.succeed(event(regions=("eu-west-3", "us-east-1")))


def test_a_key_that_is_still_being_created_is_waited_for(worlds: Iterator[World]) -> None:
    for world in worlds:
        world.model.script.create_key("key-1", world.clock.now() + 120)
        response = world.succeed(event(regions=KEYED))
        assert response.data["KmsKeyId.eu-west-3"] == "key-1"


def test_a_removal_by_another_person_is_survived(worlds: Iterator[World]) -> None:
    for world in worlds:
        world.succeed(event())
        world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
        world.succeed(event("Update", PhysicalResourceId=world.arn))
        assert world.statuses() == {"eu-west-3": "InSync"}


def test_promotion_leaves_a_standalone_secret(worlds: Iterator[World]) -> None:
    for world in worlds:
        world.succeed(event())
        world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
        # Where AWS leaves the entry (U9), it stays: to remove it might delete the promoted secret (U14).
        assert world.tags() == {}
        assert "PrimaryRegion" not in world.client("eu-west-3").describe_secret(SecretId="app/database")


def test_a_name_conflict_fails_and_the_delete_leaves_the_other_secret(worlds: Iterator[World]) -> None:
    for world in worlds:
        foreign = world.create(region="eu-west-3")
        assert "already exists in region eu-west-3" in world.fail(event(regions=("eu-west-3", "us-east-1")))
        world.succeed(event("Delete", PhysicalResourceId=world.arn))
        assert (world.statuses(), world.tags()) == ({}, {})
        assert world.client("eu-west-3").describe_secret(SecretId="app/database")["ARN"] == foreign


@pytest.mark.parametrize("region", ["cn-north-1", "eu-south-2"])
def test_a_region_that_cannot_be_replicated_to_fails(worlds: Iterator[World], region: str) -> None:
    for world in worlds:
        world.model.script.disable_region("eu-south-2")
        assert region in world.fail(event(regions=(region,)))
        world.succeed(event("Delete", PhysicalResourceId=world.arn))
        assert (world.statuses(), world.tags()) == ({}, {})

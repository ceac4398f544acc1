"""Reads that lag (F25): DescribeSecret of any Region reports any moment of the last 3 s, in any order."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from local.clock import Clock
from local.secrets_manager import Dialect, every_dialect
from local.secrets_manager.dialect import FailedAgain, OtherKey, RemoveAbsent, SameKeyAgain
from secret_replication.clock import LAG
from secret_replication.errors import SecretNotFoundError
from tests.helpers.turns import Turns
from tests.helpers.world import PRIMARY, World, event

SECONDS = 3.0
SEEDS = range(6)
# U1 to U4: the dialects in which it is an error to repeat a call.
REPEATING = [Dialect(*values) for values in itertools.product(SameKeyAgain, OtherKey, FailedAgain, RemoveAbsent)]
FEW = list(every_dialect())[:: len(list(every_dialect())) // 40]
KEYED = [{"Region": "eu-west-3", "KmsKeyId": "key-1"}, "us-east-1"]
REKEYED = [{"Region": "eu-west-3", "KmsKeyId": "key-2"}, "us-east-1"]


def lagging(dialects: list[Dialect]) -> Iterator[World]:
    for dialect, seed in itertools.product(dialects, SEEDS):
        yield World(dialect, direct=True, lag=SECONDS, seed=seed)


def key_of(world: World, region: str = "eu-west-3") -> str:
    listed = world.model.describe(PRIMARY, world.arn)["ReplicationStatus"]
    return next(str(entry["KmsKeyId"]) for entry in listed if entry["Region"] == region)


def test_a_key_change_ends_with_the_new_key_also_if_repeating_a_call_is_an_error() -> None:
    for world in lagging(REPEATING):
        world.succeed(event(regions=KEYED))
        world.succeed(event("Update", REKEYED, PhysicalResourceId=world.arn))
        assert (key_of(world), world.statuses()) == ("key-2", {"eu-west-3": "InSync", "us-east-1": "InSync"})
        world.succeed(event("Update", KEYED, PhysicalResourceId=world.arn))
        assert key_of(world) == "key-1"


def test_a_failed_replica_is_repaired_also_if_repeating_a_call_is_an_error() -> None:
    for world in lagging(REPEATING):
        world.succeed(event(regions=("eu-west-3", "us-east-1")))
        world.model.break_off(PRIMARY, world.arn, "eu-west-3", "network error")
        world.clock.sleep(SECONDS)
        world.succeed(event("Update", ("eu-west-3", "us-east-1"), PhysicalResourceId=world.arn, ServiceTimeout="900"))
        assert world.statuses() == {"eu-west-3": "InSync", "us-east-1": "InSync"}


def test_create_update_and_delete_converge() -> None:
    for world in lagging(FEW):
        world.succeed(event(regions=("eu-west-3", "us-east-1")))
        world.succeed(event("Update", ("eu-west-3", "ap-southeast-2"), PhysicalResourceId=world.arn))
        assert world.statuses() == {"eu-west-3": "InSync", "ap-southeast-2": "InSync"}
        world.succeed(event("Update", ("eu-west-3", "us-east-1"), PhysicalResourceId=world.arn))
        world.succeed(event("Delete", PhysicalResourceId=world.arn))
        assert (world.statuses(), world.tags()) == ({}, {})
        assert not any(world.exists(region) for region in ("eu-west-3", "us-east-1", "ap-southeast-2"))


@pytest.mark.parametrize("policy", ["Delete", "Retain", "Promote"])
def test_a_rename_and_its_clean_up_leave_the_replica_to_the_new_resource(policy: str) -> None:
    for world in lagging(FEW):
        world.succeed(event(ReplicaRemovalPolicy=policy))
        world.succeed(event(LogicalResourceId="Renamed", ReplicaRemovalPolicy=policy))
        world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy=policy))
        assert world.tags() == {"eu-west-3": "created by Renamed"}
        assert world.statuses() == {"eu-west-3": "InSync"}


def test_a_resource_does_not_join_an_owner_that_left_moments_ago() -> None:
    """It would write the owner into the tag again, which no Delete would remove any more."""
    for world in lagging(FEW):
        world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3"}])
        world.clock.sleep(60)
        world.succeed(event(LogicalResourceId="Two"))
        world.succeed(event("Delete", LogicalResourceId="Two", PhysicalResourceId=world.arn))
        world.succeed(event(LogicalResourceId="One"))
        assert world.tags() == {"eu-west-3": "adopted by One"}


def test_a_create_immediately_after_its_delete_makes_the_replica_under_a_new_tag() -> None:
    """Otherwise it would read the old tag, and take its disappearance for a Delete of itself."""
    for world in lagging(FEW):
        world.succeed(event())
        world.succeed(event("Delete", PhysicalResourceId=world.arn))
        world.succeed(event())
        assert world.tags() == {"eu-west-3": "created by Replication"}


@pytest.mark.parametrize("seconds_apart", [0, 1, 2, 3])
def test_two_owners_that_are_deleted_concurrently_take_the_replica_along(seconds_apart: int) -> None:
    """Otherwise the second would write the first into the tag again, and leave the replica to it."""
    for seed in range(25):
        world = World(direct=True, lag=SECONDS, seed=seed)
        for name in ("One", "Two"):
            world.succeed(event(LogicalResourceId=name))

        def delete(name: str, after: int, world: World = world) -> Callable[[Clock], Any]:
            def run(clock: Clock) -> Any:
                clock.sleep(after)
                return world.deliver(event("Delete", LogicalResourceId=name, PhysicalResourceId=world.arn), clock)

            return run

        turns = Turns(world.clock, random.Random(seed).randrange)
        for response in turns.take([delete("One", 0), delete("Two", seconds_apart)]):
            assert response["Status"] == "SUCCESS", response["Reason"]
        assert (world.statuses(), world.tags(), world.exists("eu-west-3")) == ({}, {}, False)


@pytest.mark.parametrize(
    ("before", "policy", "tag"),
    [
        ("created", "Delete", "created by Replication"),
        ("created", "Retain", "adopted by Replication"),
        ("adopted", "Delete", "adopted by Replication"),
        ("shared", "Delete", "created by Two/Replication"),
        ("shared", "Retain", "created by Two/Replication"),
    ],
)
def test_the_rollback_of_an_update_that_dropped_all_regions_owns_them_again(before: str, policy: str, tag: str) -> None:
    for seed in range(25):
        world = World(direct=True, lag=SECONDS, seed=seed)
        if before == "adopted":
            world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3"}])
            world.clock.sleep(60)
        world.succeed(event(ReplicaRemovalPolicy=policy))
        if before == "shared":
            world.succeed(event(LogicalResourceId="Two", ReplicaRemovalPolicy=policy))
        for regions in ([], ["eu-west-3"]):
            world.succeed(event("Update", regions, PhysicalResourceId=world.arn, ReplicaRemovalPolicy=policy))
        assert world.tags() == {"eu-west-3": tag}


def test_the_last_owner_takes_the_replica_along_though_another_was_stopped_when_it_had_just_left() -> None:
    """It would write the other one into the tag again, and leave the replica to it."""
    for world in lagging(FEW):
        world.succeed(event(LogicalResourceId="One"))
        world.succeed(event(LogicalResourceId="Two"))
        world.journal.after = lambda call: stop() if call.startswith("tag") else None
        with pytest.raises(StopError):
            world.serve(event("Delete", LogicalResourceId="Two", PhysicalResourceId=world.arn))
        world.journal.after = lambda _: None
        world.succeed(event("Delete", LogicalResourceId="One", PhysicalResourceId=world.arn))
        assert (world.statuses(), world.tags()) == ({}, {})


def test_a_delete_looks_twice_and_no_longer_before_it_removes_a_replica() -> None:
    world = World(direct=True)
    world.succeed(event())
    started, removed = world.clock.now(), world.times("remove")
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    (at,) = removed
    assert LAG <= at - started < LAG + 1


def test_only_a_call_that_may_overwrite_a_secret_waits_for_a_second_look() -> None:
    world = World(direct=True)
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3"}])
    world.clock.sleep(60)
    started, tagged = world.clock.now(), world.times("tag")
    world.succeed(event(ForceOverwriteReplicaSecret="true"))
    assert tagged == [started]


def test_resources_that_join_one_after_the_other_are_all_owners() -> None:
    for world in lagging(FEW):
        for logical_id in ("One", "Two", "Three"):
            world.succeed(event(LogicalResourceId=logical_id))
        assert world.tags() == {"eu-west-3": "created by One/Two/Three"}


def test_promotion_leaves_a_standalone_secret() -> None:
    for world in lagging(FEW):
        world.succeed(event(ReplicaRemovalPolicy="Promote"))
        world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
        assert world.tags() == {}
        assert "PrimaryRegion" not in world.model.describe("eu-west-3", "app/database")


def test_a_delete_right_after_a_create_removes_its_replicas() -> None:
    """A read that is older than the Create shows no tag."""
    for world in lagging([Dialect()]):
        created = event(regions=("eu-west-3", "us-east-1"))
        world.journal.after = lambda call: stop() if call.startswith("replicate") else None
        with pytest.raises(StopError):
            world.serve(created)
        world.journal.after = lambda _: None
        world.succeed(event("Delete", PhysicalResourceId=world.arn))
        assert (world.statuses(), world.tags()) == ({}, {})


class StopError(BaseException):
    """The function was stopped."""


def stop() -> None:
    raise StopError


@pytest.mark.parametrize("seed", range(30))
def test_a_delete_that_is_delivered_twice_concurrently_succeeds_twice(seed: int) -> None:
    """What the other one has removed is still listed, and AWS rejects removing it again (U4)."""
    world = World(Dialect(remove_absent=RemoveAbsent.ERROR), direct=True, lag=SECONDS, seed=seed)
    world.succeed(event())
    delete = event("Delete", PhysicalResourceId=world.arn)
    turns = Turns(world.clock, random.Random(seed).randrange)
    for response in turns.take([lambda clock: world.deliver(delete, clock)] * 2):
        assert response["Status"] == "SUCCESS", response["Reason"]
    assert (world.statuses(), world.tags()) == ({}, {})


def test_a_secret_that_was_made_moments_ago_is_found() -> None:
    for seed in SEEDS:
        world = World(direct=True, lag=SECONDS, seed=seed)
        world.clock.sleep(10)
        world.arn = world.create("app/fresh")
        world.succeed(event(SecretId=world.arn))
        world.succeed(event("Delete", SecretId=world.arn, PhysicalResourceId=world.arn))
        assert world.statuses() == {}


def test_a_secret_that_is_gone_is_believed_to_be_gone_only_if_that_persists() -> None:
    for seed in SEEDS:
        world = World(direct=True, lag=SECONDS, seed=seed)
        world.succeed(event())
        world.client().delete_secret(SecretId="app/other", ForceDeleteWithoutRecovery=True)
        started = world.clock.now()
        world.fail(event(SecretId="app/other"))
        assert world.clock.now() - started >= LAG


def test_a_delete_does_not_believe_a_single_read_that_finds_no_secret(world: World) -> None:
    """Neither the first one nor, much later, a second one."""
    world.succeed(event())
    gone = SecretNotFoundError("ResourceNotFoundException: not found")
    reads = itertools.count()

    def before(call: str) -> None:
        if call.startswith("describe") and next(reads) in (0, 8):
            raise gone

    world.journal.before = before
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert next(reads) > 8
    assert (world.statuses(), world.tags()) == ({}, {})


def test_a_replica_released_by_another_stack_moments_ago_is_adopted_or_made() -> None:
    """A read that is older than the release says that it belongs to the other stack."""
    other = "arn:aws:cloudformation:us-west-2:000000000000:stack/other/7c9e6679-7425-40de-944b-e07fc1f90ae7"
    for world in lagging([Dialect()]):
        world.succeed(event(StackId=other, ReplicaRemovalPolicy="Retain"))
        world.succeed(event("Delete", StackId=other, ReplicaRemovalPolicy="Retain", PhysicalResourceId=world.arn))
        world.succeed(event())
        assert world.tags() == {"eu-west-3": "adopted by Replication"}


def test_a_region_that_was_dropped_moments_ago_is_declared_again() -> None:
    """The update's rollback may read that the tag is still there."""
    for world in lagging([Dialect()]):
        world.succeed(event(regions=("eu-west-3", "us-east-1")))
        world.succeed(event("Update", ("us-east-1",), PhysicalResourceId=world.arn))
        world.succeed(event("Update", ("eu-west-3", "us-east-1"), PhysicalResourceId=world.arn))
        assert world.tags() == {"eu-west-3": "created by Replication", "us-east-1": "created by Replication"}


def test_a_good_replica_is_not_removed_for_a_stale_reason() -> None:
    """An update that changes nothing, moments after a key change or a repair."""
    for world in lagging(REPEATING):
        world.succeed(event(regions=KEYED))
        world.succeed(event("Update", REKEYED, PhysicalResourceId=world.arn))
        replica = world.model.find("eu-west-3", "app/database")
        world.succeed(event("Update", REKEYED, PhysicalResourceId=world.arn))
        assert world.model.find("eu-west-3", "app/database") is replica
        assert not any(call.startswith("remove") for call in world.journal.writes)

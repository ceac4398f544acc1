"""A promoted replica is never harmed, in any dialect: it may hold the only current value (F23, F26)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from local.secrets_manager import Dialect, every_dialect
from local.secrets_manager.dialect import AfterStop, PromotedRemoved
from tests.helpers.world import PRIMARY, TAG, World, event

NEWER = "newer"
# U9 with U14, and with everything else that is about listed Regions.
DIALECTS = list(every_dialect())[::7]
LISTED = {"eu-west-3": "InSync"}


def in_eu(key: str = "") -> list[dict[str, str]]:
    return [{"Region": "eu-west-3"} | ({"KmsKeyId": key} if key else {})]


def promote(world: World) -> None:
    """A person promotes the replica in a failover, and writes a newer value to it."""
    arn, there = world.arn.replace(PRIMARY, "eu-west-3"), world.client("eu-west-3")
    there.stop_replication_to_replica(SecretId=arn)
    there.put_secret_value(SecretId=arn, SecretString=NEWER)


def value(world: World) -> Any:
    return world.client("eu-west-3").get_secret_value(SecretId=world.arn.replace(PRIMARY, "eu-west-3"))["SecretString"]


@pytest.fixture(params=[0.0, 3.0], ids=["reads are current", "reads lag"])
def promoted(request: pytest.FixtureRequest) -> Iterator[World]:
    """In each dialect in turn: a replica that the stack made, and that a person has promoted this moment."""

    def each() -> Iterator[World]:
        for number, dialect in enumerate(DIALECTS):
            world = World(dialect, direct=True, lag=request.param, seed=number)
            world.succeed(event(regions=in_eu("key-1")))
            promote(world)
            yield world
            assert value(world) == NEWER

    return each()


@pytest.mark.parametrize("force", ["true", "false"])
def test_it_is_not_overwritten(promoted: Iterator[World], force: str) -> None:
    for world in promoted:
        response = world.serve(
            event("Update", in_eu("key-1"), ForceOverwriteReplicaSecret=force, PhysicalResourceId=world.arn)
        )
        if not response.reason:
            # AWS still reported the replica as InSync, because it does so (U9) or because reads lag.
            assert world.model.script.lag_seconds or (world.statuses(), world.journal.writes) == (LISTED, [])
        else:
            assert "was promoted to a standalone secret, which may hold newer values" in response.reason


@pytest.mark.parametrize("force", ["true", "false"])
def test_it_is_not_rekeyed(promoted: Iterator[World], force: str) -> None:
    for world in promoted:
        response = world.serve(
            event("Update", in_eu("key-2"), ForceOverwriteReplicaSecret=force, PhysicalResourceId=world.arn)
        )
        assert response.reason or world.model.script.lag_seconds
        assert world.model.describe("eu-west-3", "app/database")["KmsKeyId"] == "key-1"


@pytest.mark.parametrize("policy", ["Delete", "Retain", "Promote"])
def test_it_is_not_removed_if_the_resource_is_deleted(promoted: Iterator[World], policy: str) -> None:
    for world in promoted:
        world.succeed(event("Delete", in_eu("key-1"), ReplicaRemovalPolicy=policy, PhysicalResourceId=world.arn))
        assert not any(call.startswith(("remove", "promote")) for call in world.journal.calls)
        world.clock.sleep(100)


@pytest.mark.parametrize("policy", ["Delete", "Retain", "Promote"])
def test_it_is_not_removed_if_its_region_is_dropped(promoted: Iterator[World], policy: str) -> None:
    for world in promoted:
        world.succeed(event("Update", [], ReplicaRemovalPolicy=policy, PhysicalResourceId=world.arn))
        assert world.tags() == {}
        world.clock.sleep(100)


def test_it_is_not_overwritten_even_if_the_tag_is_lost(promoted: Iterator[World]) -> None:
    for world in promoted:
        world.client().untag_resource(SecretId=world.arn, TagKeys=[f"{TAG}eu-west-3"])
        world.serve(event("Update", in_eu("key-1"), ForceOverwriteReplicaSecret="true", PhysicalResourceId=world.arn))


def test_it_is_not_overwritten_by_another_stack(promoted: Iterator[World]) -> None:
    other = "arn:aws:cloudformation:us-west-2:000000000000:stack/other/7c9e6679-7425-40de-944b-e07fc1f90ae7"
    for world in promoted:
        world.client().untag_resource(SecretId=world.arn, TagKeys=[f"{TAG}eu-west-3"])
        made = event(regions=in_eu(), ForceOverwriteReplicaSecret="true", StackId=other)
        world.serve(made)
        world.succeed(event("Delete", StackId=other, PhysicalResourceId=world.arn))
        world.clock.sleep(100)


def test_it_is_not_overwritten_in_the_first_moments_of_its_life() -> None:
    """Made, promoted and written to within the time that reads lag: the Region still reports nothing."""
    for number, dialect in enumerate(DIALECTS):
        world = World(dialect, direct=True, lag=3.0, seed=number)
        world.clock.sleep(10)
        world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=in_eu())
        promote(world)
        world.serve(event(regions=in_eu(), ForceOverwriteReplicaSecret="true"))
        assert value(world) == NEWER


def test_a_failed_replica_that_is_promoted_is_not_overwritten() -> None:
    """The list says Failed, which would be repaired, by force."""
    for number, dialect in enumerate(DIALECTS):
        for seed in (number, number + 1, number + 2):
            world = World(dialect, direct=True, lag=3.0, seed=seed)
            world.succeed(event())
            world.model.break_off(PRIMARY, world.arn, "eu-west-3", "network error")
            world.clock.sleep(10)
            promote(world)
            world.serve(event("Update", ForceOverwriteReplicaSecret="true", PhysicalResourceId=world.arn))
            assert value(world) == NEWER


def test_a_create_whose_delete_comes_while_it_runs_does_not_remove_it() -> None:
    """The Create has replicated to the Region, which failed; what the Delete left, the Create would remove."""
    dialect = Dialect(after_stop=AfterStop.GONE, promoted_removed=PromotedRemoved.DELETED)
    world = World(dialect, direct=True)
    world.succeed(event())
    promote(world)
    world.succeed(event("Delete", PhysicalResourceId=world.arn))

    def delete(call: str) -> None:
        if call == "tag eu-west-3":
            world.journal.after = lambda _: None
            world.succeed(event("Delete", PhysicalResourceId="app-Replication-1X2Y3Z"))

    world.journal.after = delete
    assert "this resource was deleted" in world.fail(event())
    world.clock.sleep(100)
    assert value(world) == NEWER


def test_it_is_not_overwritten_if_its_region_does_not_respond() -> None:
    """The call is made without force then."""
    for dialect in DIALECTS:
        for lose_tag in (True, False):
            world = World(dialect, direct=True)
            world.succeed(event())
            promote(world)
            if lose_tag:
                world.client().untag_resource(SecretId=world.arn, TagKeys=[f"{TAG}eu-west-3"])
            script = world.model.script
            script.error("AccessDeniedException", operation="DescribeSecret", region="eu-west-3", times=None)
            world.serve(event("Update", ForceOverwriteReplicaSecret="true", PhysicalResourceId=world.arn))
            assert value(world) == NEWER


def test_its_region_is_asked_before_a_forced_call_and_before_a_removal() -> None:
    world = World()
    world.succeed(event(ForceOverwriteReplicaSecret="true"))
    calls = world.journal.calls
    assert "describe eu-west-3" in calls[: calls.index("replicate eu-west-3")]
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert "describe eu-west-3" in calls[: calls.index("remove eu-west-3")]
    asked = [call for call in world.model.journal if (call.region, call.operation) == ("eu-west-3", "DescribeSecret")]
    assert {call.parameters["SecretId"] for call in asked} == {world.arn.replace(PRIMARY, "eu-west-3")}


def test_a_secret_that_was_never_a_replica_is_overwritten_only_by_force() -> None:
    """F26: a foreign secret of the name has another suffix."""
    for dialect in DIALECTS:
        world = World(dialect, direct=True, lag=3.0)
        world.create(region="eu-west-3")
        assert "already exists" in world.fail(event())
        world.succeed(event(ForceOverwriteReplicaSecret="true"))
        assert world.statuses() == LISTED


def test_the_reason_says_what_may_be_lost_and_what_to_do() -> None:
    world = World()
    world.succeed(event())
    promote(world)
    replica = world.arn.replace(PRIMARY, "eu-west-3")
    reason = world.fail(event("Update", ForceOverwriteReplicaSecret="true", PhysicalResourceId=world.arn))
    assert "eu-west-3: was promoted to a standalone secret, which may hold newer values than the primary" in reason
    assert "To keep it, remove the Region from ReplicaRegions" in reason
    assert f"delete-secret --region eu-west-3 --secret-id {replica} --force-delete-without-recovery" in reason
    assert "ForceOverwriteReplicaSecret" not in reason


@pytest.mark.parametrize("after_stop", [AfterStop.GONE, AfterStop.FAILED])
def test_both_ways_on_work(after_stop: AfterStop) -> None:
    for keep in (True, False):
        world = World(Dialect(after_stop=after_stop), direct=True)
        world.succeed(event(regions=("eu-west-3", "us-east-1")))
        promote(world)
        if keep:
            world.succeed(event("Update", ("us-east-1",), PhysicalResourceId=world.arn))
            assert value(world) == NEWER
            continue
        replica = world.arn.replace(PRIMARY, "eu-west-3")
        world.client("eu-west-3").delete_secret(SecretId=replica, ForceDeleteWithoutRecovery=True)
        world.succeed(event("Update", ("eu-west-3", "us-east-1"), PhysicalResourceId=world.arn))
        assert world.model.describe("eu-west-3", "app/database")["PrimaryRegion"] == PRIMARY


def test_the_stack_can_be_deleted_after_the_promoted_secret_has_become_the_primary(world: World) -> None:
    """The resource's ARN is that of a replica now, which is not the stack's."""
    world.succeed(event())
    promote(world)
    world.client().delete_secret(SecretId=world.arn, ForceDeleteWithoutRecovery=True)
    there = world.client("eu-west-3")
    there.replicate_secret_to_regions(SecretId="app/database", AddReplicaRegions=[{"Region": PRIMARY}])
    world.clock.sleep(60)
    world.journal.calls.clear()
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.journal.writes == []
    assert world.client().get_secret_value(SecretId=world.arn)["SecretString"] == NEWER

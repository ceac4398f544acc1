"""A replica whose tag is gone: it stays, and the function says so."""

from __future__ import annotations

import pytest

from tests.helpers.world import TAG, World, event

R = "eu-west-3"


@pytest.fixture
def stripped(world: World) -> World:
    """A clean-up script has removed the tag of one of two replicas."""
    world.succeed(event(regions=(R, "us-east-1")))
    world.client().untag_resource(SecretId=world.arn, TagKeys=[f"{TAG}{R}"])
    world.log.lines.clear()
    return world


def warnings(world: World) -> list[tuple[str, str]]:
    """Region and text."""
    return [(str(keys["region"]), text) for text, keys in world.log.lines if "no tag records who owns" in text]


def test_an_update_adopts_it_and_warns_with_the_command_that_removes_it(stripped: World) -> None:
    old = event(regions=(R, "us-east-1"))["ResourceProperties"]
    stripped.succeed(event("Update", (R, "us-east-1"), PhysicalResourceId=stripped.arn, OldResourceProperties=old))
    assert stripped.tags() == {R: "adopted by Replication", "us-east-1": "created by Replication"}
    ((region, text),) = warnings(stripped)
    assert region == R
    assert text.endswith(
        "aws secretsmanager remove-regions-from-replication --region us-west-2 "
        f"--secret-id {stripped.arn} --remove-replica-regions eu-west-3"
    )
    assert stripped.metrics["ReplicasUnowned"] == 1


def test_an_update_that_drops_it_leaves_it_and_warns(stripped: World) -> None:
    old = event(regions=(R, "us-east-1"))["ResourceProperties"]
    stripped.succeed(event("Update", ("us-east-1",), PhysicalResourceId=stripped.arn, OldResourceProperties=old))
    assert stripped.statuses() == {R: "InSync", "us-east-1": "InSync"}
    assert [region for region, _ in warnings(stripped)] == [R]


def test_a_delete_leaves_it_and_warns(stripped: World) -> None:
    stripped.succeed(event("Delete", (R, "us-east-1"), PhysicalResourceId=stripped.arn))
    assert stripped.statuses() == {R: "InSync"}
    assert [region for region, _ in warnings(stripped)] == [R]
    assert stripped.metrics["ReplicasUnowned"] == 1


def test_a_delete_that_retains_replicas_does_not_warn(stripped: World) -> None:
    stripped.succeed(event("Delete", (R, "us-east-1"), PhysicalResourceId=stripped.arn, ReplicaRemovalPolicy="Retain"))
    assert warnings(stripped) == []
    assert "ReplicasUnowned" not in stripped.metrics


@pytest.mark.parametrize("regions", [None, "eu-west-3", [7, {}, {"Region": 7}]])
def test_properties_of_any_form_are_read_without_an_error(stripped: World, regions: object) -> None:
    stripped.succeed(event("Delete", regions, PhysicalResourceId=stripped.arn))
    assert warnings(stripped) == []


def test_a_replica_that_was_never_declared_is_not_warned_of(world: World) -> None:
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": R}])
    world.succeed(event())
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert warnings(world) == []
    assert "ReplicasUnowned" not in world.metrics

"""Property values of an attacker, and events that no service sends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings

from tests.helpers.hostile_events import HOSTILE, OTHER_ACCOUNT, check, events
from tests.helpers.world import World, event


@given(events())
@settings(max_examples=300, deadline=None)
def test_every_event_gets_a_response_or_is_rejected(request: object) -> None:
    check(request)


@pytest.mark.parametrize("operation", ["Create", "Update", "Delete"])
@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(
    "where", ["SecretId", "ReplicaRegions", "KmsKeyId", "ReplicaRemovalPolicy", "LogicalResourceId"]
)
def test_a_value_does_not_break_out_of_its_property(operation: str, where: str, value: str) -> None:
    changes: dict[str, Any] = {
        "ReplicaRegions": {"regions": [value]},
        "KmsKeyId": {"regions": [{"Region": "eu-west-3", "KmsKeyId": value}]},
    }
    check(event(operation, PhysicalResourceId="id", **changes.get(where, {where: value})))


def test_a_secret_of_another_account_is_rejected_and_nothing_is_written(world: World) -> None:
    reason = world.fail(event(SecretId=OTHER_ACCOUNT))
    assert "can't find the specified secret" in reason
    assert world.journal.writes == []


@pytest.mark.parametrize("logical_id", ["A B", "A/Other", "created us-west-2 x", "A" * 300, "\u00e9", "x\ny"])
def test_a_logical_id_cannot_pose_as_another_owner(world: World, logical_id: str) -> None:
    world.succeed(event(LogicalResourceId=logical_id))
    ((region, owner),) = world.tags().items()
    assert (region, owner.split(" ")[:2]) == ("eu-west-3", ["created", "by"])
    assert all(len(tag["Value"]) <= 256 for tag in world.client().describe_secret(SecretId=world.arn)["Tags"])
    # The resource of that name knows it as its own; the one that it would pose as does not.
    world.succeed(event("Delete", PhysicalResourceId=world.arn, LogicalResourceId="A"))
    assert world.statuses() == {"eu-west-3": "InSync"}
    world.succeed(event("Delete", PhysicalResourceId=world.arn, LogicalResourceId=logical_id))
    assert world.statuses() == {}

"""Calls that fail once, for a while, or for good, in the middle of a run."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping
from typing import Any

import pytest

from local.secrets_manager import ApiError, Dialect
from local.secrets_manager.dialect import BadRegion, FailedAgain, OtherKey, RemoveAbsent, WhileRemoving
from secret_replication.errors import (
    AccessDeniedError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from secret_replication.model import Description, SecretArn
from secret_replication.request import Request
from tests.helpers.turns import Clock, Turns
from tests.helpers.world import PRIMARY, Journal, World, event

R = "eu-west-3"
TEN = (
    "af-south-1", "ap-south-1", "ca-central-1", "eu-central-1", "eu-north-1",
    "eu-south-1", "eu-west-1", "eu-west-2", R, "sa-east-1",
)  # fmt: skip
DENIED = AccessDeniedError("AccessDeniedException: not authorized")
THROTTLED = ThrottledError("ThrottlingException: Rate exceeded")


def fail(world: World, call: str, error: ReplicationError, times: int, do: Callable[[], object] = lambda: None) -> None:
    """Let the next calls of a kind fail before they are carried out."""
    left = [times]

    def before(made: str) -> None:
        if made.startswith(call) and left[0]:
            left[0] -= 1
            do()
            raise error

    world.journal.before = before


def rekeyed(key: str) -> list[object]:
    return [{"Region": R, "KmsKeyId": key}]


@pytest.mark.parametrize("error", [DENIED, THROTTLED])
@pytest.mark.parametrize("call", ["describe", "tag", "replicate"])
def test_a_create_survives_any_call_failing_once(world: World, call: str, error: ReplicationError) -> None:
    fail(world, call, error, 1)
    world.succeed(event(regions=(R, "us-east-1")))


@pytest.mark.parametrize("error", [DENIED, THROTTLED])
@pytest.mark.parametrize("call", ["describe us-west-2", "describe eu-west-3", "remove", "untag"])
def test_a_delete_survives_any_call_failing_once(world: World, call: str, error: ReplicationError) -> None:
    world.succeed(event())
    fail(world, call, error, 1)
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert (world.statuses(), world.tags(), world.exists(R)) == ({}, {}, False)


@pytest.mark.parametrize("error", [DENIED, THROTTLED])
@pytest.mark.parametrize("call", ["replicate", "remove", "describe eu-west-3"])
@pytest.mark.parametrize("other_key", OtherKey)
def test_a_key_change_survives_any_call_failing_once(
    world: World, call: str, error: ReplicationError, other_key: OtherKey
) -> None:
    world.succeed(event(regions=rekeyed("key-1")))
    world.model.replication.dialect = type(world.model.replication.dialect)(other_key=other_key)
    fail(world, call, error, 1)
    response = world.succeed(event("Update", rekeyed("key-2"), PhysicalResourceId=world.arn))
    assert response.data["KmsKeyId.eu-west-3"] == "key-2"


def test_a_create_without_permission_to_describe_the_secret_is_rolled_back(world: World) -> None:
    fail(world, "describe", DENIED, 9999)
    created = world.serve(event())
    assert created.reason.startswith("AccessDenied")
    world.succeed(event("Delete", PhysicalResourceId=created.physical_id))


def test_a_missing_permission_is_named_after_a_minute(world: World) -> None:
    fail(world, "tag", AccessDeniedError("AccessDeniedException: secretsmanager:TagResource"), 999)
    started = world.clock.now()
    assert "TagResource" in world.fail(event())
    assert world.clock.now() - started >= 60
    assert world.statuses() == {}


def test_a_replica_that_appears_while_tagging_fails_is_adopted(world: World) -> None:
    def add_by_hand() -> None:
        world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": R}])

    fail(world, "tag", THROTTLED, 1, add_by_hand)
    world.succeed(event())
    assert world.tags() == {R: "adopted by Replication"}


@pytest.mark.parametrize("error", [DENIED, RejectedError("InvalidParameterException: invalid KMS key")])
def test_a_key_that_cannot_be_used_takes_no_good_replica_away(world: World, error: ReplicationError) -> None:
    world.succeed(event(regions=rekeyed("key-1")))
    fail(world, "replicate", error, 999)
    world.fail(event("Update", rekeyed("key-2"), PhysicalResourceId=world.arn))
    assert world.statuses() == {R: "InSync"}


def test_only_the_rejected_region_is_reported(world: World) -> None:
    world.succeed(event(regions=rekeyed("key-1")))
    world.model.script.disable_region("eu-south-2")
    both = [*rekeyed("key-2"), "eu-south-2"]
    assert "Invalid replica region eu-south-2" in world.fail(event("Update", both, PhysicalResourceId=world.arn))
    assert world.statuses() == {R: "InSync"}
    assert world.exists(R)


def test_promotion_is_tried_if_the_region_does_not_respond(world: World) -> None:
    world.succeed(event())
    fail(world, "describe eu-west-3", DENIED, 999)
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
    assert world.journal.writes == ["promote eu-west-3", "untag eu-west-3"]
    assert "PrimaryRegion" not in world.client(R).describe_secret(SecretId="app/database")


def test_a_replica_that_is_deleted_while_it_is_promoted_does_not_stop_the_others(world: World) -> None:
    world.succeed(event(regions=(R, "us-east-1")))
    fail(world, "promote eu-west-3", SecretDeletedError("InvalidRequestException: marked for deletion"), 1)
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
    assert (world.statuses(), world.tags()) == ({}, {})


@pytest.mark.parametrize(
    "error", [DENIED, UnavailableError("no route"), RejectedError("UnrecognizedClientException: not enabled")]
)
def test_a_region_that_never_responds_delays_a_delete_by_a_minute_at_most(
    world: World, error: ReplicationError
) -> None:
    world.succeed(event())
    fail(world, "describe eu-west-3", error, 9999)
    started = world.clock.now()
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.tags() == {}
    assert world.clock.now() - started < 90
    assert any("may still exist" in line for line, _ in world.log.lines)


@pytest.mark.parametrize("bad_region", BadRegion)
def test_a_mistyped_region_fails_soon_with_awss_message_and_is_deleted(world: World, bad_region: BadRegion) -> None:
    world.model.replication.dialect = type(world.model.replication.dialect)(bad_region=bad_region)
    world.model.script.disable_region("eu-west-9")
    fail(world, "describe eu-west-9", UnavailableError("Could not connect to the endpoint URL"), 9999)
    started = world.clock.now()
    if bad_region is BadRegion.ERROR:
        assert "Invalid replica region eu-west-9" in world.fail(event(regions=("eu-west-9",)))
        assert world.clock.now() - started < 10
    else:
        assert "Region eu-west-9 is not enabled" in world.fail(event(regions=("eu-west-9",)), seconds=100)
    world.succeed(event("Delete", ("eu-west-9",), PhysicalResourceId=world.arn))
    assert world.tags() == {}


def test_a_delete_after_a_rejected_create_succeeds(world: World) -> None:
    world.succeed(event())
    replica = world.arn.replace(PRIMARY, R)
    refused = event(SecretId=replica, regions=("us-east-1",), LogicalResourceId="Other")
    failed = world.serve(refused)
    assert failed.reason
    world.succeed(refused | {"RequestType": "Delete", "PhysicalResourceId": failed.physical_id})
    assert world.statuses() == {R: "InSync"}


def test_a_delete_without_permission_to_describe_the_secret_fails(world: World) -> None:
    world.succeed(event())
    fail(world, "describe", RejectedError("UnrecognizedClientException: invalid token"), 999)
    world.fail(event("Delete", PhysicalResourceId=world.arn))
    assert world.statuses() == {R: "InSync"}


def test_the_next_update_succeeds_once_the_conflicting_secret_is_gone(world: World) -> None:
    world.succeed(event(regions=("us-east-1",)))
    foreign = world.create(region=R)
    update = event("Update", ("us-east-1", R), PhysicalResourceId=world.arn)
    world.fail(update)
    world.client(R).delete_secret(SecretId=foreign, ForceDeleteWithoutRecovery=True)
    world.succeed(update)


def test_retries_of_a_replica_that_never_heals_are_spaced_out(world: World) -> None:
    world.model.replication.dialect = Dialect(failed_again=FailedAgain.ERROR)
    world.model.script.fail("network error", region=R)
    assert "network error" in world.fail(event())
    assert len(world.journal.writes) < 150


def test_a_removal_by_another_caller_is_awaited(world: World) -> None:
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": R}])
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=[R])
    world.succeed(event())
    assert world.statuses() == {R: "InSync"}


def test_a_list_whose_response_cannot_fit_is_rejected_before_any_write(world: World) -> None:
    assert "split ReplicaRegions" in world.fail(event(regions=[f"ap-southeast-{n}" for n in range(1, 61)]))
    assert world.journal.writes == []


def test_a_short_service_timeout_leaves_time_for_one_describe_call(world: World) -> None:
    world.succeed(event(ServiceTimeout="14"))
    world.fail(event("Update", PhysicalResourceId=world.arn, ServiceTimeout="²", SecretId="missing"))


# Looks that are stale, and resources that work at the same time.


def test_a_stale_read_after_a_rename_does_not_cost_the_replica(world: World) -> None:
    world.succeed(event())
    old, looks = world.journal.inner.describe("app/database"), [1]
    world.succeed(event(LogicalResourceId="Renamed"))
    fresh = world.journal.inner.describe

    def describe(secret: SecretArn | str) -> Description:
        looks[0] -= 1
        return old if looks[0] == 0 else fresh(secret)

    world.journal.inner.describe = describe  # type: ignore[method-assign]
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.statuses() == {R: "InSync"}


@pytest.mark.parametrize("delay", [0.0, 0.3, 1.5, 4.0])
@pytest.mark.parametrize("seed", range(6))
def test_a_region_that_moves_between_two_resources_at_the_same_time_is_there_in_the_end(
    delay: float, seed: int
) -> None:
    world = World(direct=True)
    world.succeed(event(regions=(R, "us-east-1"), LogicalResourceId="One"))

    def run(request: dict[str, Any]) -> Callable[[Clock], str]:
        def work(clock: Clock) -> str:
            slow = Journal(world.journal.inner, before=lambda call: clock.sleep(delay * call.startswith("remove")))
            return world.service(slow, clock).handle(Request.of(request), 900).reason

        return work

    moved = [
        event("Update", ("us-east-1",), LogicalResourceId="One", PhysicalResourceId=world.arn),
        event("Create", (R,), LogicalResourceId="Two"),
    ]
    reasons = Turns(world.clock, random.Random(seed).randrange).take([run(request) for request in moved])
    world.clock.sleep(100)
    assert reasons == ["", ""]
    assert world.statuses() == {R: "InSync", "us-east-1": "InSync"}
    assert world.exists(R)


def test_one_stale_not_found_does_not_cost_the_replica_that_is_to_be_promoted(world: World) -> None:
    world.succeed(event())
    fail(world, "describe eu-west-3", SecretNotFoundError("stale"), 1)
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
    assert world.exists(R)


@pytest.mark.parametrize(
    ("while_removing", "writes"),
    [
        (WhileRemoving.WAITS, ["promote eu-west-3", "promote eu-west-3", "untag eu-west-3"]),
        (WhileRemoving.FAILED, ["promote eu-west-3", "remove eu-west-3", "untag eu-west-3"]),
    ],
)
def test_promotion_waits_until_the_earlier_replica_is_gone(while_removing: WhileRemoving, writes: list[str]) -> None:
    world = World(Dialect(while_removing=while_removing), direct=True)
    world.succeed(event())
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=[R])
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": R}])
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
    assert world.journal.writes == writes
    world.clock.sleep(100)
    assert world.exists(R) == (while_removing is WhileRemoving.WAITS)


@pytest.mark.parametrize("seconds", [1.0, 2.0, 4.0])
def test_a_stale_list_after_a_removal_is_waited_out(seconds: float) -> None:
    world = World(Dialect(remove_absent=RemoveAbsent.ERROR), direct=True)
    world.succeed(event())
    fresh, remove = world.journal.inner.describe, world.journal.inner.remove
    stale: list[tuple[float, Description]] = []

    def removing(primary: SecretArn, regions: Collection[str]) -> None:
        stale.append((world.clock.now() + seconds, fresh("app/database")))
        remove(primary, regions)

    def describe(secret: SecretArn | str) -> Description:
        is_stale = PRIMARY in str(secret) and stale and world.clock.now() < stale[0][0]
        return stale[0][1] if is_stale else fresh(secret)

    world.journal.inner.remove = removing  # type: ignore[method-assign]
    world.journal.inner.describe = describe  # type: ignore[method-assign]
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.journal.writes == ["remove eu-west-3", "untag eu-west-3"]


def test_a_removal_whose_response_was_lost_is_not_mistaken_for_a_delete() -> None:
    world = World(Dialect(failed_again=FailedAgain.ERROR), direct=True)
    world.model.script.fail("network error", R, times=1)
    world.model.script.lose_response(operation="RemoveRegionsFromReplication")
    world.succeed(event())
    assert world.journal.writes.count("remove eu-west-3") == 1
    assert world.statuses() == {R: "InSync"}


# Refusals that are about something else.


@pytest.mark.parametrize("words", ["LimitExceededException: quota", "ExpiredTokenException: expired"])
def test_a_rejection_about_a_key_removes_no_good_replica(world: World, words: str) -> None:
    world.succeed(event(regions=rekeyed("key-1")))
    fail(world, "replicate", RejectedError(words), 999)
    assert words in world.fail(event("Update", rekeyed("key-2"), PhysicalResourceId=world.arn))
    assert world.statuses() == {R: "InSync"}


@pytest.mark.parametrize("name", ["app/stripe-api-key", "kms/opt-in", "tags"])
@pytest.mark.parametrize("dialect", [Dialect(failed_again=FailedAgain.ERROR), Dialect(other_key=OtherKey.ERROR)])
def test_a_secret_may_have_key_in_its_name(name: str, dialect: Dialect) -> None:
    world = World(dialect, direct=True)
    world.create(name)
    world.succeed(event(regions=rekeyed("key-1"), SecretId=name))
    world.model.break_off(PRIMARY, name, R, "network error")
    world.succeed(event("Update", rekeyed("key-1"), SecretId=name))
    assert world.succeed(event("Update", rekeyed("key-2"), SecretId=name)).data["KmsKeyId.eu-west-3"] == "key-2"


def test_with_a_short_service_timeout_a_region_that_does_not_respond_does_not_delay_a_delete(world: World) -> None:
    world.succeed(event())
    fail(world, "describe eu-west-3", DENIED, 9999)
    world.succeed(event("Delete", ServiceTimeout="60", PhysicalResourceId=world.arn))
    assert world.tags() == {}


def test_a_replica_that_is_gone_and_may_not_be_described_is_not_promoted_for_ever(world: World) -> None:
    world.create(region=R)
    world.fail(event(ReplicaRemovalPolicy="Promote"))
    fail(world, "describe eu-west-3", DENIED, 9999)
    world.succeed(event("Delete", ReplicaRemovalPolicy="Promote", PhysicalResourceId=world.arn))
    assert world.journal.writes.count("promote eu-west-3") == 1


def test_failures_that_may_heal_are_reported_beside_those_that_may_not(world: World) -> None:
    world.create(region=R)
    world.model.script.fail("Access to KMS key alias/app is not allowed.", region="us-east-1")
    reason = world.fail(event(regions=(R, "us-east-1")))
    assert "eu-west-3: Replication failed: Secret name" in reason
    assert "us-east-1: Replication failed: Access to KMS key" in reason


def test_every_rejected_region_is_named(world: World) -> None:
    for region in ("eu-west-8", "eu-west-9"):
        world.model.script.disable_region(region)
    reason = world.fail(event(regions=("eu-west-8", "eu-west-9", "us-east-1")))
    assert "eu-west-8: " in reason
    assert "eu-west-9: " in reason


def test_the_deadline_reports_each_region_even_if_a_call_never_succeeds(world: World) -> None:
    fail(world, "tag", THROTTLED, 9999)
    reason = world.fail(event())
    assert reason.startswith("ServiceInternalError: ThrottlingException: Rate exceeded. not finished after 885 s")
    assert "eu-west-3 absent" in reason


def test_the_secret_by_another_name_is_the_same_secret(world: World) -> None:
    world.succeed(event())
    old = event()["ResourceProperties"]
    world.succeed(event("Update", SecretId=world.arn, PhysicalResourceId=world.arn, OldResourceProperties=old))
    assert world.journal.writes == []
    assert world.statuses() == {R: "InSync"}


def test_a_long_service_timeout_does_not_outlast_the_function(world: World) -> None:
    world.model.script.stall()
    assert "not finished after 885 s" in world.fail(event(ServiceTimeout="3600"))


def test_an_adopted_replica_whose_alias_is_changed_is_not_re_keyed(world: World) -> None:
    for number, alias in enumerate(("alias/one", "alias/two")):
        world.model.script.point_alias(alias, f"arn:aws:kms:eu-west-3:000000000000:key/{number}")
    entry = {"Region": R, "KmsKeyId": "alias/one"}
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[entry])
    world.succeed(event(regions=rekeyed("alias/one")))
    assert "its key will not be changed" in world.fail(
        event("Update", rekeyed("alias/two"), PhysicalResourceId=world.arn)
    )
    world.succeed(event("Update", rekeyed("alias/one"), PhysicalResourceId=world.arn))


@pytest.mark.parametrize("seed", range(10))
def test_a_lifecycle_succeeds_with_nine_in_ten_calls_throttled(world: World, seed: int) -> None:
    chance = random.Random(seed)
    carry_out = world.model.call

    def call(region: str, operation: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        # botocore, which is not in this world, makes each call twice.
        if chance.random() < 0.9 and chance.random() < 0.9:
            raise ApiError("ThrottlingException", "Rate exceeded")
        return carry_out(region, operation, parameters)

    world.model.call = call  # type: ignore[method-assign]
    world.succeed(event(regions=(R, "us-east-1")))
    world.succeed(event("Update", (R, "ap-south-1"), PhysicalResourceId=world.arn))
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    world.model.call = carry_out  # type: ignore[method-assign]
    assert (world.statuses(), world.tags(), world.exists(R)) == ({}, {}, False)


@pytest.mark.parametrize(("timeout", "ends"), [("10", 5), ("20", 10), ("60", 45)])
@pytest.mark.parametrize("operation", ["StopReplicationToReplica", "DescribeSecret"])
def test_throttled_calls_end_in_time_even_with_many_calls_in_a_round(
    world: World, operation: str, timeout: str, ends: float
) -> None:
    world.succeed(event(regions=TEN))
    world.model.script.error("ThrottlingException", operation=operation, times=None)
    properties = {"ReplicaRemovalPolicy": "Promote", "ServiceTimeout": timeout}
    started = world.clock.now()
    world.fail(event("Delete", TEN, PhysicalResourceId=world.arn, **properties))
    assert world.clock.now() - started < ends + 1

"""Details of the loop that no life cycle shows: what is retried, and with which reason a run ends."""

from __future__ import annotations

import pytest

from secret_replication.clock import LAG
from secret_replication.errors import (
    AccessDeniedError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
)
from tests.helpers.world import OTHER_STACK, World, event

R = "eu-west-3"


@pytest.mark.parametrize("error", [SecretNotFoundError("gone"), SecretDeletedError("scheduled for deletion")])
def test_a_secret_that_was_made_or_restored_moments_ago_is_described_again(
    world: World, error: ReplicationError
) -> None:
    world.fail_calls("describe", error, LAG - 1)
    world.succeed(event())


def test_a_secret_that_stays_missing_fails_soon(world: World) -> None:
    world.fail_calls("describe", SecretNotFoundError("gone"))
    started = world.clock.now()
    assert world.fail(event()).startswith("NotFound: gone")
    assert LAG <= world.clock.now() - started <= 3 * LAG


def test_the_advice_follows_the_words_of_aws_and_not_the_name_of_the_secret(world: World) -> None:
    denied = "AccessDeniedException: not authorized to perform: secretsmanager:TagResource"
    world.fail_calls("tag", AccessDeniedError(f"{denied} (tag_resource on the kms key of app)", denied))
    started = world.clock.now()
    reason = world.fail(event())
    assert "allow the action for this secret" in reason
    assert "kms:Decrypt" not in reason
    assert world.clock.now() - started < 90, "as long as IAM takes, not as long as KMS"


@pytest.mark.parametrize("call", ["tag", "replicate"])
def test_the_advice_about_a_rejected_call_follows_the_words_of_aws(world: World, call: str) -> None:
    said = "LimitExceededException: a secret can have 50 tags"
    world.fail_calls(call, RejectedError(f"{said} ({call} on the key of arn:app)", said))
    reason = world.fail(event())
    assert f"{said} ({call} on the key of arn:app)" in reason
    assert reason.endswith("To fix this, a secret can have 50 tags and each replica uses one: remove some tags.")


def test_a_secret_that_does_not_exist_is_said_to_be_looked_for_in_one_region(world: World) -> None:
    reason = world.fail(event(SecretId="app/missing"))
    assert reason.endswith(": check SecretId; if the secret is in another Region, give its ARN")


def test_a_name_is_resolved_once(world: World) -> None:
    """The secret that takes its name during the deployment is another one."""

    def replace_secret(call: str) -> None:
        if call.startswith("replicate"):
            world.journal.before = lambda _: None
            world.client().delete_secret(SecretId=world.arn, ForceDeleteWithoutRecovery=True)
            world.create()

    world.journal.before = replace_secret
    assert world.fail(event(SecretId="app/database")).startswith("NotFound: ")


def test_the_second_look_comes_soon(world: World) -> None:
    started, calls = world.clock.now(), world.times()
    world.succeed(event())
    looks = [at - started for at in calls]
    assert looks[:3] == [0, 0, 0], "describe, tag, replicate"
    assert looks[3] == 0.5


@pytest.mark.parametrize("shared", [False, True], ids=["adopted", "left"])
def test_an_update_that_wrote_a_tag_waits_until_every_read_shows_it(shared: bool) -> None:
    world = World(direct=True)
    if shared:
        both = event(regions=(R, "us-east-1"))
        world.succeed(both)
        world.succeed(both | {"LogicalResourceId": "Other"})
    else:
        world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": R}])
        world.clock.sleep(60)
    tagged = world.times("tag")
    world.succeed(event("Update", (R,), PhysicalResourceId=world.arn))
    (at,) = tagged
    assert world.clock.now() - at >= LAG


def test_another_stacks_replica_is_a_conflict(world: World) -> None:
    world.succeed(event(StackId=OTHER_STACK))
    assert world.fail(event()).startswith("ResourceConflict: ")


def test_a_replica_that_cannot_become_in_sync_is_not_stabilized(world: World) -> None:
    world.create(region=R)
    assert world.fail(event()).startswith("NotStabilized: ")


@pytest.mark.parametrize("force", ["true", "false"])
def test_the_advice_at_the_deadline_knows_of_force(world: World, force: str) -> None:
    world.model.script.fail(f"Replication failed: Secret name app/database already exists in region {R}.", region=R)
    world.model.script.stall(region="us-east-1")
    request = event(regions=(R, "us-east-1"), ForceOverwriteReplicaSecret=force, ServiceTimeout="35")
    reason = world.fail(request)
    assert ("which could not be overwritten" in reason) == (force == "true")


def test_the_deadline_says_nothing_after_the_last_status_if_nothing_failed(world: World) -> None:
    world.model.script.stall()
    assert world.fail(event(ServiceTimeout="35")) == "NotStabilized: not finished after 20 s: eu-west-3 InProgress"

"""What the log and the metrics say of a request."""

from __future__ import annotations

import pytest

from secret_replication.errors import AccessDeniedError, RejectedError, ThrottledError, UnavailableError
from tests.helpers.world import PRIMARY, World, event

DENIED = AccessDeniedError("AccessDeniedException: not authorized")


def test_a_create_counts_what_is_in_sync_and_how_long_it_took(world: World) -> None:
    started = world.clock.now()
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    assert world.metrics == {
        "ReplicasInSync": 2,
        "SecondsToInSync": world.clock.now() - started,
    }


def test_a_failure_counts_what_failed_and_takes_no_time(world: World) -> None:
    world.create(region="us-east-1")
    world.fail(event(regions=("eu-west-3", "us-east-1")))
    assert world.metrics == {"ReplicasInSync": 1, "ReplicasFailed": 1}


def test_a_delete_counts_the_regions_that_it_could_not_ask(world: World) -> None:
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    world.fail_calls("describe eu-west-3", DENIED)
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.metrics == {"ReplicasUnverified": 1}
    (warning,) = [keys for line, keys in world.log.lines if "may still exist" in line]
    assert (warning["region"], warning["action"], warning["secret"]) == ("eu-west-3", "UNTAG", world.arn)


def test_a_region_that_does_not_respond_for_half_a_minute_is_asked_again(world: World) -> None:
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    world.fail_calls("describe eu-west-3", DENIED, seconds=30)
    started = world.clock.now()
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.clock.now() - started > 30
    assert world.metrics == {}
    assert not [line for line, _ in world.log.lines if "may still exist" in line]


def test_every_region_that_could_not_be_asked_counts_and_a_promoted_one_does_not(world: World) -> None:
    regions = ("ap-south-1", "eu-west-3", "us-east-1")
    world.succeed(event(regions=regions))
    world.client("us-east-1").stop_replication_to_replica(SecretId=world.arn.replace(PRIMARY, "us-east-1"))
    world.fail_calls(("describe ap-south-1", "describe eu-west-3"), DENIED)
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.metrics == {"ReplicasUnverified": 2}
    warned = sorted(line for line, _ in world.log.lines if "may still exist" in line or "was promoted" in line)
    assert [line.partition(",")[0] for line in warned] == [
        "ap-south-1: the Region did not respond",
        "eu-west-3: the Region did not respond",
        "us-east-1: was promoted to a standalone secret",
    ]


def test_each_line_of_the_log_names_the_action_the_region_and_the_secret(world: World) -> None:
    world.create(region="us-east-1")
    world.serve(event(regions=("eu-west-3", "us-east-1")))
    world.serve(event("Delete", PhysicalResourceId=world.arn))
    told = {(keys["action"], keys["region"]) for _, keys in world.log.lines}
    assert told == {
        ("ADD", "eu-west-3"), ("ADD", "us-east-1"), ("RESPOND", "eu-west-3,us-east-1"),
        ("REMOVE", "eu-west-3"), ("REMOVE", "us-east-1"), ("UNTAG", "eu-west-3"), ("UNTAG", "us-east-1"),
        ("RESPOND", ""),
    }  # fmt: skip
    assert {keys["secret"] for _, keys in world.log.lines} == {world.arn}


def test_the_last_line_says_how_it_ended(world: World) -> None:
    world.serve(event())
    assert world.log.lines[-1][0] == "Create of Replication succeeded"
    world.serve(event("Update", SecretId="missing"))
    assert world.log.lines[-1][0].startswith("Update of Replication: NotFound: ")


def test_each_retry_is_logged_with_the_words_of_aws(world: World) -> None:
    """Otherwise the log says for minutes what is repeated, and not why."""
    denied = "AccessDeniedException: not authorized to perform: kms:Decrypt"
    world.fail_calls("replicate", AccessDeniedError(denied))
    world.fail(event())
    retries = [line for line, keys in world.log.lines if keys["action"] == "RETRY"]
    assert len(retries) > 2
    assert all(denied in line for line in retries)


def test_a_failed_replica_that_is_replicated_again_is_logged_with_its_status_message(world: World) -> None:
    message = "Access to KMS key alias/app is not allowed."
    world.model.script.fail(message, region="eu-west-3")
    world.fail(event())
    repairs = [line for line, keys in world.log.lines if keys["action"] == "REPLICATE"]
    assert repairs
    assert all(message in line for line in repairs)


def test_a_rejected_call_is_logged(world: World) -> None:
    world.fail_calls("replicate", RejectedError("InvalidParameterException: Invalid replica region."))
    world.fail(event())
    assert [keys["region"] for line, keys in world.log.lines if "Invalid replica region" in line][:1] == ["eu-west-3"]


@pytest.mark.parametrize(
    ("error", "least", "most"),
    [
        # botocore has waited already.
        (ThrottledError("slow down"), 110, 125),
        (UnavailableError("no route"), 50, 70),
    ],
)
def test_each_retry_is_logged_and_they_become_fewer(world: World, error: Exception, least: int, most: int) -> None:
    world.fail_calls("describe", error, seconds=60)
    world.succeed(event(SecretId="app/database"))
    retries = [(line, keys) for line, keys in world.log.lines if line.startswith("will retry: ")]
    assert least < len(retries) < most
    assert {line for line, _ in retries} == {f"will retry: {error}"}
    assert {tuple(keys.values()) for _, keys in retries} == {("RETRY", "", "app/database")}


def test_a_retry_names_the_arn_once_it_is_known(world: World) -> None:
    world.fail_calls("replicate", UnavailableError("no route"), seconds=5)
    world.succeed(event(SecretId="app/database"))
    assert {keys["secret"] for line, keys in world.log.lines if line.startswith("will retry: ")} == {world.arn}

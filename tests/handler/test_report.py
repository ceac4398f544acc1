"""What the log and the metrics say of a request."""

from __future__ import annotations

from secret_replication.errors import AccessDeniedError
from tests.helpers.world import World, event


def test_a_create_counts_what_is_in_sync_and_how_long_it_took(world: World) -> None:
    started = world.clock.now()
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    assert world.metrics == {
        "ReplicasInSync": 2,
        "ReplicasFailed": 0,
        "ReplicasUnverified": 0,
        "ReplicasUnowned": 0,
        "SecondsToInSync": world.clock.now() - started,
    }


def test_a_failure_counts_what_failed_and_takes_no_time(world: World) -> None:
    world.create(region="us-east-1")
    world.fail(event(regions=("eu-west-3", "us-east-1")))
    assert world.metrics == {"ReplicasInSync": 1, "ReplicasFailed": 1, "ReplicasUnverified": 0, "ReplicasUnowned": 0}


def test_a_delete_counts_the_regions_that_it_could_not_ask(world: World) -> None:
    world.succeed(event(regions=("eu-west-3", "us-east-1")))

    def deny(call: str) -> None:
        if call == "describe eu-west-3":
            raise AccessDeniedError("AccessDeniedException: not authorized")

    world.journal.before = deny
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.metrics == {"ReplicasInSync": 0, "ReplicasFailed": 0, "ReplicasUnverified": 1, "ReplicasUnowned": 0}
    (warning,) = [(line, keys) for line, keys in world.log.lines if "could not verify" in line]
    assert warning[1]["region"] == "eu-west-3"


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
    assert world.log.lines[-1][0] == "Create of Replication: done"
    world.serve(event("Update", SecretId="missing"))
    assert world.log.lines[-1][0].startswith("Update of Replication: NotFound: ")

"""How many calls each operation makes, and how late it notices the end of a wait, in virtual time."""

from __future__ import annotations

import statistics

import pytest

from local.secrets_manager import Delays
from tests.helpers.world import World, event

REGIONS = ("eu-west-3", "us-east-1", "ap-south-1", "ca-central-1", "sa-east-1")
IMMEDIATELY = Delays(in_sync=0.0, gone=0.0)
# Moments spread around a duration, because a read falls where it falls.
SPREAD = tuple(0.9 + 0.01 * step for step in range(21))


def reads_and_writes(operation: str, before: int, after: int, delays: Delays) -> tuple[int, int]:
    """The calls of a request that takes a secret from ``before`` replicas to ``after``."""
    world = World(direct=True)
    world.model.replication.delays = IMMEDIATELY
    if before:
        world.succeed(event(regions=REGIONS[:before]))
    world.clock.sleep(60)
    world.model.replication.delays = delays
    declared = REGIONS[: before if operation == "Delete" else after]
    changes = {} if operation == "Create" else {"PhysicalResourceId": world.arn}
    world.succeed(event(operation, regions=declared, **changes))
    reads = sum(call.startswith("describe") for call in world.journal.calls)
    return reads, len(world.journal.calls) - reads


def test_an_update_that_changes_nothing_is_one_read() -> None:
    assert reads_and_writes("Update", 2, 2, IMMEDIATELY) == (1, 0)
    assert reads_and_writes("Update", 2, 2, Delays()) == (1, 0)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_a_create_is_one_tag_one_replicate_and_two_reads(count: int) -> None:
    assert reads_and_writes("Create", 0, count, IMMEDIATELY) == (2, 2)


@pytest.mark.parametrize(
    ("operation", "before", "after", "reads", "reads_with_delays"),
    [
        ("Create", 0, 1, 2, 7),
        ("Create", 0, 5, 2, 7),
        ("Update", 2, 3, 2, 7),
        ("Update", 2, 1, 7, 65),
        ("Delete", 1, 0, 7, 65),
        ("Delete", 2, 0, 10, 68),
        ("Delete", 5, 0, 19, 77),
    ],
)
def test_a_change_is_two_writes_and_few_reads(
    operation: str, before: int, after: int, reads: int, reads_with_delays: int
) -> None:
    """A removal reads the primary and each dropped Region twice before it and once after. Then it reads the tags."""
    immediately = reads_and_writes(operation, before, after, IMMEDIATELY)
    delayed = reads_and_writes(operation, before, after, Delays())
    assert (immediately[1], delayed[1]) == (2, 2)
    assert immediately[0] <= reads
    assert delayed[0] <= reads_with_delays


@pytest.mark.parametrize(
    ("seconds", "most_reads"), [(0.5, 2), (2, 5), (5, 11), (10, 19), (30, 32), (60, 40), (90, 46), (300, 88)]
)
def test_the_response_comes_soon_after_the_last_replica_is_in_sync(seconds: float, most_reads: int) -> None:
    """Half of the runs are late by at most 5 % of the time waited or 0.5 s; none by more than 5 s."""
    late, reads = [], []
    for part in SPREAD:
        world = World(direct=True)
        world.model.replication.delays = Delays(in_sync=seconds * part)
        started = world.clock.now()
        world.succeed(event(regions=REGIONS[:2]))
        late.append(world.clock.now() - started - seconds * part)
        reads.append(sum(call.startswith("describe") for call in world.journal.calls))
    assert statistics.median(late) <= max(0.05 * seconds, 0.5) + 1e-6
    assert max(late) <= 5.0
    assert statistics.mean(reads) <= most_reads + 0.5

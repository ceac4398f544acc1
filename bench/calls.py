"""Calls: how many each operation makes, beside the least that it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from local.secrets_manager import Delays
from secret_replication.model import SecretArn
from tests.helpers.world import World, event

from .report import Goal, Section

_REGIONS = ("eu-west-3", "us-east-1", "ap-south-1", "ca-central-1", "sa-east-1")
_ABOUT = """Reads are DescribeSecret, of the primary or of a replica's Region.
*At once*: AWS has done everything when it is looked at again. *With AWS's delays*: 3 s to InSync, 60 s until a removed
replica is gone, and a look every now and then meanwhile. Before something is removed it looks once more 5 s later,
because a look can be stale."""
_DONE_AT_ONCE = Delays(in_sync=0.0, gone=0.0)


@dataclass(frozen=True, slots=True)
class Operation:
    """What is asked, and the least reads and writes that can answer it when AWS is done at once."""

    name: str
    request: Callable[[str], dict[str, object]]
    before: int
    reads: int
    writes: int


def _create(count: int) -> Operation:
    return Operation(f"Create of {count}", lambda _: event(regions=_REGIONS[:count]), 0, 2, 2)


def _delete(count: int) -> Operation:
    def request(arn: str) -> dict[str, object]:
        return event("Delete", PhysicalResourceId=arn, regions=_REGIONS[:count])

    # The primary before and after, each dropped Region once; remove, untag.
    return Operation(f"Delete of {count}", request, count, 2 + count, 2)


def _update(name: str, before: int, after: int, reads: int, writes: int) -> Operation:
    def request(arn: str) -> dict[str, object]:
        return event("Update", PhysicalResourceId=arn, regions=_REGIONS[:after])

    return Operation(name, request, before, reads, writes)


OPERATIONS = (
    _update("Update that changes nothing", 2, 2, 1, 0),
    *map(_create, (1, 2, 5)),
    _update("Update that adds one to two", 2, 3, 2, 2),
    _update("Update that drops one of two", 2, 1, 3, 2),
    *map(_delete, (1, 2, 5)),
)


def measure() -> Section:
    """With AWS done at once, and with AWS's own delays."""
    rows, goals = [], []
    bars = {}
    for operation in OPERATIONS:
        at_once, delayed = _calls(operation, _DONE_AT_ONCE), _calls(operation, Delays())
        reads, writes = _split(at_once)
        waiting, _ = _split(delayed)
        rows.append(
            (operation.name, f"{writes}", f"{operation.writes}", f"{reads}", f"{operation.reads}", f"{waiting}")
        )
        bars[operation.name] = float(reads)
        goals.append((operation, reads, writes))
    none, creates = goals[0], goals[1:4]
    created = ", ".join(f"{reads}" for _, reads, _ in creates)
    least = all((reads, writes) == (operation.reads, operation.writes) for operation, reads, writes in creates)
    return Section(
        "calls", "Calls", _ABOUT,
        ("operation", "writes", "least", "reads, at once", "least", "reads, with AWS's delays"),
        rows, bars, "reads at once",
        (
            Goal("an Update that changes nothing is one read", none[1:] == (1, 0)),
            Goal(f"a Create is one tag, one replicate, and the reads of the wait: {created} for 1, 2 and 5", least),
        ),
    )  # fmt: skip


def _calls(operation: Operation, delays: Delays) -> list[str]:
    world = World(direct=True)
    world.model.replication.delays = Delays(in_sync=0.0)
    if operation.before:
        world.succeed(event(regions=_REGIONS[: operation.before]))
    world.clock.sleep(60)
    world.model.replication.delays = delays
    assert SecretArn.parse(world.arn)  # noqa: S101
    world.succeed(operation.request(world.arn))
    return list(world.journal.calls)


def _split(calls: list[str]) -> tuple[int, int]:
    reads = sum(call.startswith("describe") for call in calls)
    return reads, len(calls) - reads

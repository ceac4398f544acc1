"""Waiting: how late the answer is, and how many looks that costs, in virtual time."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Callable, Iterator

from local.secrets_manager import Delays
from tests.helpers.world import World, event

from .report import Goal, Section

# Seconds that replication takes; each is measured at moments spread round it, since a look falls where it falls.
TAKES = (0.5, 2, 5, 10, 30, 60, 90, 300)
_SPREAD = tuple(0.9 + 0.01 * step for step in range(21))
_SHARE, _LEAST, _MOST = 0.05, 0.5, 5.0
_ABOUT = f"""How long after the last replica is InSync the answer goes out, in virtual time, with two Regions: the
median in seconds (and the longest), and the DescribeSecret calls that it cost, over {len(_SPREAD)} runs within 10 % of
each duration. Every 5 s is CDK's Provider framework, every 2 minutes crhelper's polling."""


def measure() -> Section:
    """This handler beside those that look at fixed times."""
    ways: dict[str, Callable[[float], tuple[float, int]]] = {
        "this handler": _ours,
        "every 5 s": lambda takes: _fixed(takes, itertools.count(0, 5)),
        "every 10 s": lambda takes: _fixed(takes, itertools.count(0, 10)),
        "every 2 minutes": lambda takes: _fixed(takes, itertools.count(120, 120)),
    }
    lags: dict[str, dict[float, list[float]]] = {name: {} for name in ways}
    reads: dict[str, dict[float, float]] = {name: {} for name in ways}
    for (name, way), takes in itertools.product(ways.items(), TAKES):
        measured = [way(takes * spread) for spread in _SPREAD]
        lags[name][takes] = [lag for lag, _ in measured]
        reads[name][takes] = statistics.mean(looks for _, looks in measured)

    def cell(name: str, takes: float) -> str:
        found = lags[name][takes]
        return f"{statistics.median(found):.1f} ({max(found):.1f}), {reads[name][takes]:.0f}"

    rows = [(f"{takes:g}", *(cell(name, takes) for name in ways)) for takes in TAKES]
    ours, fixed = lags["this handler"], reads["every 5 s"]
    late = [t for t in TAKES if statistics.median(ours[t]) > max(_SHARE * t, _LEAST) + 1e-6]
    more = [t for t in TAKES if reads["this handler"][t] >= fixed[t]]
    longest = max(max(lag) for lag in ours.values())
    return Section(
        "waiting", "Waiting",
        _ABOUT,
        ("replication takes, s", *ways), rows,
        {name: statistics.mean(statistics.median(lag) for lag in lags[name].values()) for name in ways},
        "mean of the median lags in seconds",
        (
            Goal(
                "median lag at most 5 % of the time waited or 0.5 s, whichever is more; "
                f"missed at {_seconds(late)}", not late,
            ),
            Goal(f"never above {_MOST:g} s: {longest:.1f} s", longest <= _MOST),
            Goal(
                f"fewer reads than every 5 s; as many or more at {_seconds(more)}. That cannot be: a lag that is never "
                "above 5 s needs a look at least every 5 s, and one of 5 % of a shorter time needs more", not more,
            ),
        ),
    )  # fmt: skip


def _seconds(durations: list[float]) -> str:
    return ", ".join(f"{seconds:g} s" for seconds in durations) or "none"


def _ours(takes: float) -> tuple[float, int]:
    world = World(direct=True)
    world.model.replication.delays = Delays(in_sync=takes)
    started = world.clock.now()
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    looks = sum(call.startswith("describe") for call in world.journal.calls)
    return world.clock.now() - started - takes, looks


def _fixed(takes: float, looks: Iterator[int]) -> tuple[float, int]:
    """The first look that finds it done, and how many there were."""
    for number, moment in enumerate(looks, 1):
        if moment >= takes:
            return moment - takes, number
    raise AssertionError("endless")

"""Memory: it decides the share of a CPU, and so how long a cold start takes and what a deployment costs."""

from __future__ import annotations

from collections.abc import Mapping

from local.secrets_manager import Delays

from . import process
from .report import Goal, Section

RUNS = 7
_SIZES = (256, 512, 1024, process.MIB_OF_A_VCPU)
_SMALLEST = _SIZES[0]
_LEAST_SAVED = 1 / 3
_DOLLARS_PER_GIB_SECOND = 0.0000133334
_WAIT = Delays().gone
_COMPILED = f"{_SMALLEST} MiB, if it came with bytecode"
_GUIDE = "https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html"
_PRICES = "https://aws.amazon.com/lambda/pricing/"
_ABOUT = f"""\
The same Update in a fresh process, with the share of a CPU that Lambda gives a function with this memory: one vCPU at
{process.MIB_OF_A_VCPU:,} MiB, [and less in proportion]({_GUIDE}).
In each period of 20 ms the process is stopped when it has used its share. The table has wall seconds from the start of
the process until the response is sent: the shortest of {RUNS} runs, since other work on the machine only adds to them.
Users of Lambda have measured a larger share while it initializes a function. AWS does not promise that, so it is not
counted here.

The price is that of a deployment that removes a replica: the cold start, then {_WAIT:g} s in which the function waits
until the replica is gone (F18). A GiB-second costs ${_DOLLARS_PER_GIB_SECOND:.10f}
([price list]({_PRICES}): us-east-1, arm64, first tier, 2026).

The default is the knee of this curve: the memory whose seconds are farthest below a straight line between the least
and the most memory. This does not depend on how fast the machine is."""


def measure() -> Section:
    """Give each size its share, in turns."""
    default = process.function().memory
    sizes = {f"{size:,} MiB": size for size in sorted({*_SIZES, default})}
    taken: dict[str, list[float]] = {name: [] for name in [_COMPILED, *sizes]}
    with process.processes() as start:
        for _ in range(RUNS):
            share = _SMALLEST / process.MIB_OF_A_VCPU
            taken[_COMPILED].append(start.run(process.OURS, start.compiled, share).wall)
            for name, size in sizes.items():
                taken[name].append(start.run(process.OURS, start.bundle, size / process.MIB_OF_A_VCPU).wall)
    seconds = {name: min(walls) for name, walls in taken.items()}
    before, chosen = seconds[_COMPILED], seconds[f"{default:,} MiB"]
    saved = 1 - chosen / before
    knee = _knee({size: seconds[name] for name, size in sizes.items()})
    return Section(
        name="memory",
        title="Memory",
        about=_ABOUT,
        columns=("memory", "wall seconds of a cold start", "dollars of a deployment"),
        rows=[
            (name, f"{wall:.2f}", f"{_price(sizes.get(name, _SMALLEST), wall):.5f}") for name, wall in seconds.items()
        ],
        bars=seconds,
        unit="wall seconds",
        goals=(
            Goal(f"the default, {default:,} MiB, is the knee, {knee:,} MiB", default == knee),
            Goal(f"with the default, a third less than with {_COMPILED}: {saved:.0%} less", saved >= _LEAST_SAVED),
        ),
    )


def _knee(seconds: Mapping[int, float]) -> int:
    """The memory that saves the most time for the least memory."""
    least, most = min(seconds), max(seconds)

    def below_the_line(size: int) -> float:
        saved = (seconds[least] - seconds[size]) / (seconds[least] - seconds[most])
        return saved - (size - least) / (most - least)

    return max(seconds, key=below_the_line)


def _price(size: int, cold_start: float) -> float:
    return _DOLLARS_PER_GIB_SECOND * size / 1024 * (cold_start + _WAIT)

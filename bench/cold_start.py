"""Cold start: a fresh process handles an Update that changes nothing."""

from __future__ import annotations

from . import process
from .report import Goal, Section

RUNS = 25
_CPU, _MEMORY = 1.35, 1.15
_BOTO3, _OURS, _CRHELPER, _COMPILED = (
    "boto3 alone",
    "this handler",
    "crhelper's plain example",
    "this handler, if it came with bytecode",
)
_ABOUT = """\
A fresh process handles an Update that changes nothing, against an endpoint on loopback, with Python {version}
(the function's is {runtime}): the least of {runs} runs, in turns, since other work on the machine only adds to them. As
in Lambda, boto3 has its bytecode, and the modules of the bundle are compiled at each start. *boto3 alone* is a script
with one client, one DescribeSecret and one PUT. *crhelper's plain example* is the one in its README, with the same
call; it is compiled at each start as well."""


def measure() -> Section:
    """Run them in turns, so that other work on the machine affects all of them alike."""
    taken: dict[str, list[process.Start]] = {_BOTO3: [], _OURS: [], _CRHELPER: [], _COMPILED: []}
    with process.processes() as start:
        for _ in range(RUNS):
            taken[_BOTO3].append(start.run(process.BOTO3, start.bundle))
            taken[_OURS].append(start.run(process.OURS, start.bundle))
            taken[_CRHELPER].append(start.run(process.CRHELPER, start.bundle))
            taken[_COMPILED].append(start.run(process.OURS, start.compiled))
    cpu = {name: min(each.cpu for each in starts) for name, starts in taken.items()}
    peak = {name: min(each.peak for each in starts) for name, starts in taken.items()}
    of_boto3 = {name: cpu[name] / cpu[_BOTO3] for name in taken}
    peak_of_boto3 = {name: peak[name] / peak[_BOTO3] for name in taken}
    ours, crhelper, memory = of_boto3[_OURS], cpu[_OURS] / cpu[_CRHELPER], peak_of_boto3[_OURS]
    rows = [
        (name, f"{cpu[name]:.3f}", f"{of_boto3[name]:.2f}", f"{peak[name]:.1f}", f"{peak_of_boto3[name]:.2f}")
        for name in taken
    ]
    return Section(
        name="cold_start",
        title="Cold start",
        about=_ABOUT.format(version=start.version, runtime=process.function().runtime, runs=RUNS),
        columns=("what", "CPU seconds", "of boto3 alone", "peak MiB", "of boto3 alone"),
        rows=rows,
        bars=cpu,
        unit="CPU seconds",
        goals=(
            Goal(f"CPU at most {_CPU} of boto3 alone: {ours:.2f}", ours <= _CPU),
            Goal(f"CPU not above crhelper's plain example: {crhelper:.2f} of it", crhelper <= 1),
            Goal(f"memory at most {_MEMORY} of boto3 alone: {memory:.2f}", memory <= _MEMORY),
        ),
    )

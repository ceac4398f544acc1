"""Runs the probes, several at the same time, and returns what each found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError

from .account import Account, Call
from .caller import Timings
from .finding import Finding, SkipError, State
from .lab import Lab
from .probe import Probe


@dataclass(frozen=True, slots=True)
class Result:
    """A row of docs/design/aws-facts.md: what was found, by which calls, in how many seconds."""

    row: str
    finding: Finding
    calls: tuple[Call, ...]
    timings: Timings
    seconds: float


def run(
    account: Account, probes: Mapping[str, Probe], parallel: int = 1, report: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """Run probes.

    Args:
        account: where.
        probes: by row.
        parallel: how many run at the same time; one if the clock is virtual.
        report: called with each result as it comes.

    Returns:
        The results, in the order of the probes.
    """

    def one(row: str) -> Result:
        result = _result(account, row, probes[row])
        report(result)
        return result

    with ThreadPoolExecutor(parallel) as threads:
        futures = [threads.submit(one, row) for row in probes]
        try:
            return [future.result() for future in futures]
        except BaseException:
            account.stopped.set()
            raise


def _result(account: Account, row: str, probe: Probe) -> Result:
    lab, started = Lab(account, row.lower()), account.clock.now()
    try:
        finding = probe(lab)
    except SkipError as why:
        finding = Finding(State.SKIPPED, str(why))
    except BotoCoreError as error:
        finding = Finding(State.SKIPPED, f"the call could not be made: {error}")
    except (LookupError, ValueError) as error:
        finding = Finding(State.UNEXPECTED, f"a response did not match the API's model: {error!r}")
    return Result(row, finding, tuple(lab.calls), lab.timings, account.clock.now() - started)

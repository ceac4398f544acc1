"""A run from its plan to its report, which leaves nothing behind."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from .account import Account
from .cleanup import Cleanup
from .probe import Probe
from .report import Report
from .run import run
from .terminal import Terminal

# Runs the acceptance tests, and returns the outcome of each.
Acceptance = Callable[[Account], Mapping[str, str]]


def new_run(now: float) -> str:
    """An id for a run: its date, and something random."""
    return f"{datetime.fromtimestamp(now, UTC):%Y%m%d}-{randomness.token_hex(3)}"


def session(
    account: Account,
    probes: Mapping[str, Probe],
    terminal: Terminal,
    parallel: int = 1,
    acceptance: Acceptance | None = None,
    save: Callable[[Report], object] = lambda _: None,
) -> Report:
    """Probe, run the acceptance tests, and remove what both made, whatever happens.

    Args:
        account: where.
        probes: by row of docs/design/aws-facts.md.
        terminal: shows the progress.
        parallel: how many probes run at the same time.
        acceptance: the acceptance tests, if they are to run.
        save: is given what is known so far, whenever that is more: what comes next may be interrupted.

    Returns:
        The report, which names what could not be removed.
    """
    started = account.clock.now()
    try:
        with terminal.progress(len(probes)) as bar:
            results = run(account, probes, parallel, bar.tick)
        report = Report.of(account, results, {}, account.clock.now() - started)
        if acceptance:
            save(report)
            terminal.say(["Running the end-to-end tests; build/live/acceptance.txt says how far they are"])
            report = Report.of(account, results, acceptance(account), account.clock.now() - started)
        save(report)
    finally:
        account.stopped.clear()
        terminal.say(["Removing what was made"])
        left = clean(account, account.regions, terminal, account.run)
    report = report.with_left(left)
    save(report)
    return report


def clean(account: Account, regions: Sequence[str], terminal: Terminal, run_id: str = "") -> list[str]:
    """Remove what a run, or any run, has made.

    Returns:
        What could not be removed, which the terminal shows.
    """
    if left := Cleanup(account, regions, run_id).run():
        terminal.say(["These could not be removed; run `make live CLEAN=1` to try again:", *left])
    return left

"""``python -m live``: finds out on an AWS account what docs/design/aws-facts.md does not know."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local.clock import Clock, SystemClock
from local.server import REGION

from . import preflight
from .acceptance import accept
from .account import Account, Connect
from .clients import connector, home_region
from .evidence import FACTS, raised
from .local import SPEED, HurriedClock, local_aws
from .preflight import PreflightError
from .probe import PROBES
from .report import Report, ReportError
from .session import Acceptance, clean, new_run, session
from .terminal import Terminal

FOLDER = Path("build") / "live"
_AT_ONCE = 8
_INTERRUPTED = 130


def main() -> int:
    """Run what the arguments ask for. Returns the exit code."""
    arguments = _arguments()
    terminal = Terminal()
    try:
        if arguments.report:
            report = Report.read(arguments.report)
            terminal.show(report)
            terminal.say(["", "Rows of docs/design/aws-facts.md:", "", *raised(report, FACTS.read_text())])
            return 0
        return _locally(arguments, terminal) if arguments.local else _in_account(arguments, terminal)
    except (PreflightError, ReportError, BotoCoreError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Interrupted: run `make live CLEAN=1` to remove whatever is left", file=sys.stderr)
        return _INTERRUPTED


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m live", description=__doc__)
    parser.add_argument(
        "--replicas",
        default="",
        metavar="REGIONS",
        help="two Regions for replicas, separated by a comma; any two if omitted",
    )
    parser.add_argument(
        "--only", default="", metavar="ROWS", help="only these rows of docs/design/aws-facts.md, such as U1,F14"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--local", action="store_true", help="run on local AWS, without asking")
    what.add_argument("--clean", action="store_true", help="only remove what earlier runs left behind")
    what.add_argument("--report", type=Path, metavar="FILE", help="only show a recorded report")
    arguments = parser.parse_args()
    arguments.probes = dict(PROBES)
    if arguments.only:
        rows = [row.strip() for row in arguments.only.upper().split(",") if row.strip()]
        if unknown := [row for row in rows if row not in PROBES]:
            parser.error(f"--only names {', '.join(unknown)}: expected rows such as {', '.join(list(PROBES)[:3])}")
        arguments.probes = {row: PROBES[row] for row in rows}
    return arguments


def _in_account(arguments: argparse.Namespace, terminal: Terminal) -> int:
    home = home_region()
    if not home:
        raise PreflightError(
            "no Region is configured: set AWS_REGION to the Region of the primaries, such as us-west-2"
        )
    account, enabled = _account(connector(), SystemClock(), home, arguments.replicas)
    if arguments.clean:
        terminal.say([f"Removes what every run has made in {len(enabled)} Regions, even a run that is still going on"])
        if not arguments.yes and not terminal.confirm():
            return 1
        if clean(account, enabled, terminal):
            return 1
        terminal.say(["Nothing is left, but ListSecrets may not show secrets of the last five minutes yet."])
        return 0
    terminal.say(preflight.plan(account, acceptance=not arguments.only).lines)
    if not arguments.yes and not terminal.confirm():
        return 1
    return _run(account, arguments, terminal, partial(accept, environment={}))


def _locally(arguments: argparse.Namespace, terminal: Terminal) -> int:
    with local_aws(bootstrapped=not arguments.only) as (connect, environment):
        terminal.say([f"Local AWS, {SPEED:g} times as fast as AWS, with IAM enforced"])
        account, _ = _account(connect, HurriedClock(SPEED), REGION, arguments.replicas, is_local=True)
        terminal.say(preflight.plan(account, acceptance=not arguments.only).lines)
        return _run(account, arguments, terminal, partial(accept, environment=environment))


def _account(
    connect: Connect, clock: Clock, home: str, given: str, *, is_local: bool = False
) -> tuple[Account, list[str]]:
    """The account, and its enabled Regions."""
    run_id = new_run(clock.now())
    enabled = preflight.regions(Account(connect, clock, run_id, home, (home, home)))
    replicas = preflight.replicas(enabled, home, given)
    third = next((region for region in enabled if region not in (home, *replicas)), "")
    return Account(connect, clock, run_id, home, replicas, third, is_local=is_local), enabled


def _run(account: Account, arguments: argparse.Namespace, terminal: Terminal, acceptance: Acceptance) -> int:
    def save(report: Report) -> None:
        terminal.say([f"Written: {path}" for path in report.write(FOLDER)])

    report = session(account, arguments.probes, terminal, _AT_ONCE, None if arguments.only else acceptance, save)
    terminal.show(report)
    return 1 if report.wrong or report.failed or report.left else 0


if __name__ == "__main__":
    sys.exit(main())

"""``replicated-secret status``: every replicated secret of a Region, as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from collections.abc import Iterator, Sequence

try:
    import boto3
    import click
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Table
    from rich.text import Text
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed: pip install 'cdk-replicated-secret[cli]'")

from replication_monitor.model import Finding, Kind, Rules
from replication_monitor.scan import Scan
from replication_monitor.secrets_manager import Boto3Secrets

_PROBLEMS, _UNCHECKED = 1, 2
_COLUMNS = ("Secret", "Region", "Status", "Owner", "Key", "Last read")
# The width of a table that goes to a file or a pipe.
_WIDTH = 200
_STYLES = {Kind.IN_SYNC: "green", Kind.CHANGING: "yellow", Kind.DELETED: "dim"}
_PROBLEM = "bold red"


@click.group()
@click.version_option(package_name="cdk-replicated-secret")
def cli() -> None:
    """Check replicated secrets of AWS Secrets Manager."""


@cli.command()
@click.option("--region", help="Region of the primaries. Default: the configured Region.")
@click.option("--prefix", default="", help="Check only secrets whose names start with this.")
@click.option(
    "--tag", "tags", multiple=True, metavar="KEY=VALUE", help="Check only secrets with this tag. May be repeated."
)
@click.option("--verify", is_flag=True, help="Check every replica in its own Region, not only suspicious ones.")
@click.option("--problems", "only_problems", is_flag=True, help="Show only problems.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def status(
    region: str | None, prefix: str, tags: Sequence[str], *, verify: bool, only_problems: bool, as_json: bool
) -> None:
    """Show the replicas of all secrets in a Region, whatever made them, and how to fix those that are not in sync.

    Exit code: 0 if there are no problems, 1 if there are, 2 if something could not be checked.
    """
    region = region or boto3.Session().region_name
    if not region:
        raise click.UsageError("no Region is configured: use --region, or set AWS_DEFAULT_REGION")
    wanted = dict(_pair(tag) for tag in tags)
    scan = Scan(Boto3Secrets(region), region, Rules(verify=verify), time.time, name_prefix=prefix, tags=wanted)
    found = list(_with_progress(scan))
    shown = [finding for finding in found if finding.kind.is_problem or not only_problems]
    if as_json:
        click.echo(json.dumps([_as_json(finding) for finding in shown], indent=2))
    else:
        _print(shown, scan.checked, found)
    kinds = {finding.kind for finding in found if finding.kind.is_problem}
    sys.exit(_UNCHECKED if Kind.UNCHECKED in kinds else _PROBLEMS if kinds else 0)


def _pair(tag: str) -> tuple[str, str]:
    key, equals, value = tag.partition("=")
    if not (key and equals):
        raise click.BadParameter(f"{tag!r}: expected KEY=VALUE", param_hint="--tag")
    return key, value


def _with_progress(scan: Scan) -> Iterator[Finding]:
    """The findings, with a progress bar on standard error. It has no total: the number of secrets is not known."""
    console = Console(stderr=True)
    columns = (BarColumn(), TextColumn("{task.completed} secrets"))
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("check", total=None)
        for findings in scan.run():
            progress.advance(task)
            yield from findings


def _as_json(finding: Finding) -> dict[str, object]:
    return {**dataclasses.asdict(finding), "kind": finding.kind.value, "problem": finding.kind.is_problem}


def _print(shown: Sequence[Finding], checked: int, found: Sequence[Finding]) -> None:
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    table = Table(*_COLUMNS, box=None, header_style="bold", pad_edge=False)
    for finding in shown:
        status = Text(finding.status, _STYLES.get(finding.kind, _PROBLEM))
        # As Text, because AWS's messages must not be read as rich's markup.
        texts = (finding.owner, finding.key, finding.last_accessed)
        table.add_row(Text(finding.secret), Text(finding.region), status, *map(Text, texts))
    if shown:
        console.print(table)
    problems = [finding for finding in shown if finding.kind.is_problem]
    for finding in problems:
        console.print(
            Text(f"\n{finding.place or 'The list of secrets'}: {finding.message or finding.status}", _PROBLEM),
            soft_wrap=True,
        )
        console.print(Text(f"To fix this, {finding.advice}"), soft_wrap=True)
    in_sync = sum(finding.kind is Kind.IN_SYNC for finding in found)
    console.print(f"\nsecrets checked: {checked}; replicas in sync: {in_sync}; problems: {len(problems)}")

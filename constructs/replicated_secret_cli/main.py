"""``replicated-secret status``: every replicated secret of a Region, as a table or as JSON."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence

try:
    import boto3
    import click
    from botocore.exceptions import BotoCoreError
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Table
    from rich.text import Text
except ModuleNotFoundError as error:
    sys.exit(f"{error.name} is not installed: pip install 'cdk-replicated-secret[cli]'")

from replication_monitor.model import Finding, Kind, Rules
from replication_monitor.scan import Scan
from replication_monitor.secrets_manager import Boto3Secrets

_PROBLEMS, _UNCHECKED, _INTERRUPTED = 1, 2, 130
_COLUMNS = ("Secret", "Region", "Status", "Owner", "Key", "Last read")
# These columns are short. In a narrow terminal, the others are folded.
_WHOLE = ("Region", "Status")
# The width of a table that goes to a file or a pipe: one line for each replica, however long its names are.
_WIDTH = 10_000
_STYLES = {Kind.IN_SYNC: "green", Kind.CHANGING: "yellow", Kind.DELETED: "dim"}
_PROBLEM = "bold red"


@click.group()
@click.version_option(package_name="cdk-replicated-secret")
def cli() -> None:
    """Check replicated secrets of AWS Secrets Manager."""


@cli.command()
@click.option(
    "--region", envvar="AWS_REGION", help="Region of the primaries. Default: AWS_REGION, or the configured Region."
)
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
    signal.signal(signal.SIGINT, _exit_at_once)
    region = region or _configured_region()
    scan = Scan(Boto3Secrets(region), region, Rules(verify=verify), time.time, name_prefix=prefix, tags=_pairs(tags))
    found = list(_with_progress(scan))
    shown = [finding for finding in found if finding.kind.is_problem or not only_problems]
    if as_json:
        click.echo(json.dumps([_as_json(finding) for finding in shown], indent=2))
    else:
        _print(shown)
        in_sync = sum(finding.kind is Kind.IN_SYNC for finding in found)
        problems = sum(finding.kind.is_problem for finding in found)
        click.echo(f"secrets checked in {region}: {scan.checked}; replicas in sync: {in_sync}; problems: {problems}")
    kinds = {finding.kind for finding in found if finding.kind.is_problem}
    sys.exit(_UNCHECKED if Kind.UNCHECKED in kinds else _PROBLEMS if kinds else 0)


def _exit_at_once(*_: object) -> None:
    try:
        Console(stderr=True).show_cursor()  # The progress bar hides it.
    finally:
        # sys.exit would wait for threads that wait for a response.
        os._exit(_INTERRUPTED)


def _configured_region() -> str:
    try:
        region: str | None = boto3.Session().region_name
    except BotoCoreError as error:
        raise click.UsageError(str(error)) from error
    if not region:
        raise click.UsageError("no Region is configured: use --region, or set AWS_REGION")
    return region


def _pairs(tags: Sequence[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for tag in tags:
        key, equals, value = tag.partition("=")
        if not (key and equals):
            raise click.BadParameter(f"{tag!r}: expected KEY=VALUE", param_hint="--tag")
        if key in pairs:
            raise click.BadParameter(f"{key} is given twice: a secret has one value of a tag", param_hint="--tag")
        pairs[key] = value
    return pairs


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


def _print(shown: Sequence[Finding]) -> None:
    if not shown:
        return
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=_WIDTH)
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, overflow="fold", no_wrap=column in _WHOLE)
    for finding in shown:
        status = Text(finding.status, _STYLES.get(finding.kind, _PROBLEM))
        # As Text, because AWS's messages must not be read as rich's markup.
        texts = (finding.owner, finding.key, finding.last_accessed)
        table.add_row(Text(finding.secret), Text(finding.region), status, *map(Text, texts))
    console.print(table)
    for finding in shown:
        if finding.kind.is_problem:
            message = f"\n{finding.place or 'The list of secrets'}: {finding.message or finding.status}"
            console.print(Text(message, _PROBLEM), soft_wrap=True)
            console.print(Text(f"To fix this, {finding.advice}"), soft_wrap=True)
    console.print()

"""The rows of docs/design/aws-facts.md that a report settles, with the evidence, ready to paste."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .finding import State
from .report import Report

FACTS = Path(__file__).parent.parent / "docs" / "design" / "aws-facts.md"
_START = re.compile(r"^([FU]\d+)\. ")
_KMS_WORDS = "The text for KMS failures: **U**."


def rows(text: str) -> dict[str, str]:
    """The rows of docs/design/aws-facts.md, each with its lines."""
    found: dict[str, str] = {}
    row = ""
    for line in text.splitlines():
        if start := _START.match(line):
            row = start[1]
            found[row] = line
        elif not line or line.startswith("#"):
            row = ""
        elif row:
            found[row] += f"\n{line}"
    return found


def raised(report: Report, text: str) -> Iterator[str]:
    """The rows that a report of an account settles or contradicts, as they should read.

    Args:
        report: the report.
        text: docs/design/aws-facts.md.
    """
    if report.is_local:
        return
    known = rows(text)
    source = f"R `make live` {report.data['when'][:10]}, {report.data['home']}"
    by_row = {row["row"]: row for row in report.rows}
    for number, row in by_row.items():
        if number in known and (said := _said(row, source)):
            yield f"{known[number]} {said}"
    denied = by_row.get("U10", {})
    if denied.get("value") and _KMS_WORDS in known["F13"]:
        words = f"The text for KMS failures: `{denied['did']}` ({source})."
        yield known["F13"].replace(_KMS_WORDS, words)


def _said(row: Mapping[str, Any], source: str) -> str:
    if row["value"]:
        return f"Observed: **{row['value']}** ({source})."
    if row["state"] == State.SETTLED.value:
        return f"({source})"
    if row["state"] in (State.WRONG.value, State.UNEXPECTED.value):
        return f"**Observed otherwise**: {row['did']} ({source})."
    return ""

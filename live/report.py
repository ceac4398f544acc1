"""The report of a run: JSON for `make live REPORT=...`, and Markdown for an issue."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .account import Account, Call
from .dialect import dialects_of, kinds, tested
from .finding import State
from .probe import PROBES
from .redact import redact
from .run import Result

FORMAT = 1
_READS = ("describe_", "list_", "get_")
_MOST_CALLS = 12
_LONGEST_WORDS = 300
_Row = Mapping[str, Any]


class ReportError(Exception):
    """A file is not a report; the message says why."""


@dataclass(frozen=True, slots=True)
class Report:
    """A report: what its JSON file holds."""

    data: Mapping[str, Any]

    @classmethod
    def of(cls, account: Account, results: Sequence[Result], tests: Mapping[str, str], seconds: float) -> Report:
        """The report of a run.

        Args:
            account: where it ran.
            results: of the probes.
            tests: the outcome of each acceptance test; empty if none ran.
            seconds: how long it took.
        """
        timings = {
            "InSync": [each for result in results for each in result.timings.in_sync],
            "gone": [each for result in results for each in result.timings.gone],
        }
        return cls(
            {
                "format": FORMAT,
                "run": account.run,
                "when": datetime.fromtimestamp(account.clock.now(), UTC).isoformat(timespec="seconds"),
                "local": account.is_local,
                "home": account.home,
                "replicas": list(account.replicas),
                "seconds": round(seconds),
                "rows": [_row(result) for result in results],
                "timings": {what: _spread(each) for what, each in timings.items() if each},
                "tests": {name: redact(outcome) for name, outcome in tests.items()},
            }
        )

    @classmethod
    def read(cls, path: Path) -> Report:
        """A recorded report.

        Raises:
            ReportError: If the file is not a report.
        """
        try:
            data = json.loads(path.read_text())
            if data["format"] != FORMAT:
                raise ReportError(f"{path} has format {data['format']!r}, and this version reads {FORMAT}")
            report = cls(data)
            for row in report.rows:
                State(row["state"])
            report.markdown()
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
            raise ReportError(f"{path} is not a report of `make live`: {type(error).__name__}: {error}") from error
        return report

    @property
    def is_local(self) -> bool:
        """Whether it is of local AWS, which proves nothing of AWS."""
        return bool(self.data.get("local"))

    @property
    def rows(self) -> Sequence[_Row]:
        """One for each row of docs/design/aws-facts.md that was probed."""
        rows: Sequence[_Row] = self.data["rows"]
        return rows

    @property
    def wrong(self) -> list[str]:
        """The facts that are wrong in this account, and the unknowns for which AWS did what no dialect has."""
        states = (State.WRONG.value, State.UNEXPECTED.value)
        return [row["row"] for row in self.rows if row["state"] in states]

    @property
    def failed(self) -> list[str]:
        """The acceptance tests that failed."""
        tests: Mapping[str, str] = self.data["tests"]
        return [name for name, outcome in tests.items() if not outcome.startswith(("passed", "skipped"))]

    @property
    def verdict(self) -> list[str]:
        """What the report settles, in sentences."""
        values = {row["row"]: row["value"] for row in self.rows if row["row"].startswith("U")}
        named = [f"{row} {value}" for row, value in values.items() if value]
        moot = {row["row"]: row["did"] for row in self.rows if row["state"] == State.MOOT.value}
        open_rows = [row for row, value in values.items() if not value and row not in moot]
        said = ["This is local AWS, which proves nothing of AWS."] if self.is_local else []
        said.append(f"The dialect of this account: {'; '.join(named) or 'unknown'}.")
        if open_rows:
            said.append(f"Not settled: {', '.join(open_rows)}.")
        said += [f"{row} does not arise: {why}." for row, why in moot.items()]
        unexpected = [row for row in self.wrong if row.startswith("U")]
        if unexpected:
            said.append(f"The handler is not tested under what AWS did for {', '.join(unexpected)}.")
        else:
            said.append(tested(dialects_of(values, moot)))
            if unknown := [row for row in moot if row in kinds()]:
                said.append(f"This holds for every value of {', '.join(unknown)}.")
            if set(kinds()) - {row for row, value in values.items() if value} - set(moot):
                said.append("For what is not settled, the default is assumed.")
        if facts := [row for row in self.wrong if row.startswith("F")]:
            said.append(f"Wrong in docs/design/aws-facts.md: {', '.join(facts)}.")
        if self.failed:
            said.append(f"Failed acceptance tests: {', '.join(self.failed)}.")
        if self.left:
            said.append(f"Could not be removed: {'; '.join(self.left)}.")
        return said

    @property
    def left(self) -> Sequence[str]:
        """What could not be removed."""
        left: Sequence[str] = self.data.get("left", [])
        return left

    def with_left(self, left: Sequence[str]) -> Report:
        """The same report, with what could not be removed."""
        return Report({**self.data, "left": [redact(line) for line in left]})

    def write(self, folder: Path) -> list[Path]:
        """Write report.json and report.md; their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        paths = [folder / "report.json", folder / "report.md"]
        paths[0].write_text(json.dumps(self.data, indent=1) + "\n")
        paths[1].write_text(self.markdown())
        return paths

    def markdown(self) -> str:
        """The page, ready to paste into an issue."""
        data = self.data
        lines = [
            f"# `make live` in {data['home']}, {data['when']}",
            "",
            *self.verdict,
            "",
            f"Replicas in {' and '.join(data['replicas'])}; {data['seconds']} s; run `{data['run']}`.",
            *[f"Seconds until {what}: {_words(spread)}." for what, spread in data["timings"].items()],
            "",
            "| row | | what AWS did |",
            "|---|---|---|",
            *[f"| {row['row']} | {_value(row)} | {_cell(row['did'])} |" for row in self.rows],
            "",
            *(["## Acceptance", ""] if data["tests"] else []),
            *[f"- {name}: {outcome}" for name, outcome in data["tests"].items()],
            *([""] if data["tests"] else []),
            "<details><summary>Calls that change something or failed, with their request ids</summary>",
            "",
            *[line for row in self.rows for line in _call_lines(row)],
            "",
            "</details>",
            "",
        ]
        return "\n".join(lines)


def _row(result: Result) -> dict[str, Any]:
    finding = result.finding
    return {
        "row": result.row,
        "about": " ".join(str(PROBES[result.row].__doc__).split()),
        "state": finding.state.value,
        "value": finding.value.value if finding.value else None,
        "did": redact(finding.did),
        "seconds": round(result.seconds, 1),
        "calls": [_call(call) for call in result.calls],
    }


def _call(call: Call) -> dict[str, str]:
    error = {"error": redact(call.error)} if call.error else {}
    entry = {"service": call.service, "operation": call.operation, "region": call.region}
    return entry | {"request_id": call.request_id} | error


def _spread(seconds: Iterable[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    spread = {"min": ordered[0], "median": statistics.median(ordered), "max": ordered[-1]}
    return {name: round(value, 1) for name, value in spread.items()} | {"count": len(ordered)}


def _words(spread: Mapping[str, float]) -> str:
    return f"min {spread['min']}, median {spread['median']}, max {spread['max']} ({spread['count']} times)"


def outcome(row: _Row) -> str:
    """The outcome of a row, in a word or two."""
    return str(row["value"] or ("holds" if row["state"] == State.SETTLED.value else row["state"]))


def _value(row: _Row) -> str:
    return f"**{outcome(row)}**" if row["value"] else outcome(row)


def _cell(text: str) -> str:
    short = text if len(text) <= _LONGEST_WORDS else f"{text[:_LONGEST_WORDS]}…"
    return short.replace("|", "\\|").replace("\n", " ")


def _call_lines(row: _Row) -> list[str]:
    notable = [call for call in row["calls"] if call.get("error") or not call["operation"].startswith(_READS)]
    lines = [
        f"- {row['row']}: {call['operation']} in {call['region']} `{call['request_id'] or 'no request id'}`"
        + (f": {_cell(call['error'])}" if call.get("error") else "")
        for call in notable[:_MOST_CALLS]
    ]
    return [*lines, *([f"- {row['row']}: {len(notable) - _MOST_CALLS} more"] if len(notable) > _MOST_CALLS else [])]

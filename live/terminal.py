"""What the user sees: the plan, progress, and the report's table."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from .finding import State
from .redact import redact
from .report import Report, outcome
from .run import Result

_STYLES = {
    State.SETTLED.value: "green",
    State.WRONG.value: "red",
    State.UNEXPECTED.value: "red",
    State.MOOT.value: "dim",
    State.SKIPPED.value: "yellow",
}


class Terminal:
    """A terminal, or a log."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()

    def say(self, lines: Sequence[str]) -> None:
        """Print lines as they are."""
        for line in lines:
            self._console.print(Text(line), soft_wrap=True)

    def confirm(self) -> bool:
        """Ask whether to continue. The end of standard input is a no."""
        try:
            return self._console.input("Continue? [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            self.say(["", "Standard input is at its end, so nobody can answer. YES=1 continues without asking"])
            return False

    def progress(self, total: int) -> Ticker:
        """A progress bar for so many probes, as a context manager. Call its ``tick`` with each result."""
        return Ticker(self._console, total)

    def show(self, report: Report) -> None:
        """The report's table, and its verdict."""
        table = Table("row", "", "what AWS did", title=Text(f"{report.data['home']}, {report.data['when']}"))
        for row in report.rows:
            table.add_row(row["row"], Text(outcome(row), style=_STYLES[row["state"]]), Text(row["did"]))
        self._console.print(table)
        for what, spread in report.data["timings"].items():
            self.say([f"Seconds until {what}: min {spread['min']}, median {spread['median']}, max {spread['max']}"])
        self.say([f"{name}: {outcome}" for name, outcome in report.data["tests"].items()])
        self.say(report.verdict)


class Ticker(Progress):
    """A progress bar that shows the latest result."""

    def __init__(self, console: Console, total: int) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.completed}/{task.total} {task.description}"), TimeElapsedColumn())
        super().__init__(*columns, console=console, transient=True)
        self._task = self.add_task("", total=total)

    def tick(self, result: Result) -> None:
        """Show a result."""
        self.update(self._task, advance=1, description=f"{result.row}: {redact(result.finding.did)[:60]}")

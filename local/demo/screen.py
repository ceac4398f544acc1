"""What the demo shows: a live table on a terminal, and elsewhere a line for every change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from textwrap import indent

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.padding import Padding
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from .account import States

_GONE = "gone"
# By how a state ends; the first that fits.
_STYLES = {
    "bold red": ("Failed", "_FAILED", "ROLLBACK_COMPLETE"),
    "green": ("InSync", "_COMPLETE"),
    "yellow": ("InProgress", "_IN_PROGRESS", "being removed"),
    "dim": (_GONE,),
}
_WORTH_SAYING = 1.0


class History:
    """Every state that was seen and when, as a table.

    Args:
        look: What is looked at, and its state; empty while there is nothing.
    """

    def __init__(self, look: Callable[[], States]) -> None:
        self._look, self._started = look, time.monotonic()
        self._seen: dict[str, list[tuple[float | None, str]]] = {}
        for subject, state in look().items():
            self._seen[subject] = [(None, state)] if state else []

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._started

    def look(self) -> list[str]:
        """Look once more.

        Returns:
            What has changed, such as ``eu-west-3 InSync``.
        """
        changed = []
        for subject, state in self._look().items():
            states = self._seen[subject]
            now = state or (_GONE if states else "")
            if now and (not states or states[-1][1] != now):
                states.append((self.seconds, now))
                changed.append(f"{subject} {now}")
        return changed

    def __rich__(self) -> ConsoleRenderable:
        table = Table.grid(padding=(0, 2))
        for subject, states in self._seen.items():
            cell = Text(" → ").join(_entry(*each, is_last=each is states[-1]) for each in states)
            table.add_row(f"  {subject}", cell)
        return table


class _Running:
    """The table while something goes on."""

    def __init__(self, history: History) -> None:
        self._history, self._spinner = history, Spinner("dots")

    def __rich__(self) -> ConsoleRenderable:
        self._spinner.update(text=f"{self._history.seconds:.0f} s")
        return Group(self._history, Padding(self._spinner, (0, 0, 0, 2)))


def _entry(seconds: float | None, state: str, *, is_last: bool) -> Text:
    style = next((style for style, ends in _STYLES.items() if state.endswith(ends)), "") if is_last else "dim"
    text = Text(state, style)
    return text if seconds is None else text.append(f"\N{NO-BREAK SPACE}{seconds:.1f}\N{NO-BREAK SPACE}s", "dim")


class Screen:
    """Prints the steps.

    Args:
        console: Where to.
        live: Whether to show a table that changes in place.
    """

    def __init__(self, console: Console, *, live: bool) -> None:
        self._console, self._live = console, live

    def step(self, command: str, about: str) -> None:
        """A heading: what a user would type, and what it does and how long that takes."""
        self._console.print()
        self.say(command, "bold cyan")
        self.quote(about, "dim")

    def say(self, text: str, style: str = "") -> None:
        """A line, which a terminal breaks where it must: a command can be copied whole."""
        self._console.print(Text(text, style), soft_wrap=True)

    def quote(self, text: str, style: str = "") -> None:
        """An indented text, all of it."""
        # Not on a terminal, a line is not broken.
        self._console.print(
            Padding(Text(text, style), (0, 0, 0, 2)) if self._live else indent(text, "  "), markup=False
        )

    def work(self, command: Callable[[], object]) -> None:
        """Run a command while which there is nothing to look at."""
        started = time.monotonic()
        with self._console.status("working"):
            command()
        self._done(time.monotonic() - started)

    @contextmanager
    def watch(self, look: Callable[[], States]) -> Iterator[Callable[[], None]]:
        """Show every change while the block runs; it calls what this gives several times a second."""
        history = History(look)

        def again() -> None:
            changed = history.look()
            if changed and not self._live:
                self._console.print(f"  {history.seconds:4.1f} s  {', '.join(changed)}", markup=False)

        with self._table(history) if self._live else nullcontext():
            yield again
            again()
        self._done(history.seconds)

    @contextmanager
    def _table(self, history: History) -> Iterator[None]:
        """The table, with a clock; what stays on the screen has none."""
        try:
            with Live(_Running(history), console=self._console, refresh_per_second=8, transient=True):
                yield
        finally:
            self._console.print(history)

    def _done(self, seconds: float) -> None:
        if seconds > _WORTH_SAYING:
            self._console.print(f"  done in {seconds:.0f} s")

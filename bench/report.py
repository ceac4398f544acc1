"""The result of a benchmark: a table, a plot, and which goals are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pygal
from pygal.style import Style

DOCS = Path(__file__).parent.parent / "docs" / "design"
_STYLE = Style(background="white", plot_background="white", font_family="sans-serif", colors=("#2a6f97", "#c9752e"))


@dataclass(frozen=True, slots=True)
class Goal:
    """One of a benchmark's goals: what was measured, and whether that is enough."""

    text: str
    met: bool


@dataclass(frozen=True, slots=True)
class Section:
    """One benchmark's part of docs/design/benchmarks.md.

    Args:
        name: of the plot's file.
        title: of the part.
        about: what was measured, and how.
        columns: the table's head.
        rows: the table.
        bars: what the plot shows of each row that has it, in ``unit``.
        unit: of the plot.
        goals: and whether they were met.
    """

    name: str
    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Mapping[str, float]
    unit: str
    goals: Sequence[Goal] = field(default_factory=tuple)

    def markdown(self) -> str:
        """The part, with a link to its plot."""
        table = [self.columns, ["---"] * len(self.columns), *self.rows]
        lines = [f"## {self.title}", "", self.about, "", *(f"| {' | '.join(row)} |" for row in table), ""]
        lines += [f"![{self.title}, {self.unit}](benchmarks/{self.name}.svg)", ""]
        lines += [f"- {'met' if goal.met else '**not met**'}: {goal.text}" for goal in self.goals]
        return "\n".join(lines).rstrip() + "\n"

    def plot(self) -> bytes:
        """The plot, as SVG: a bar for each, the first on top."""
        chart = pygal.HorizontalBar(
            title=f"{self.title}, {self.unit}",
            style=_STYLE,
            js=[],
            show_legend=False,
            print_values=True,
            height=110 + 40 * len(self.bars),
            no_prefix=True,
            disable_xml_declaration=True,
            value_formatter=lambda value: f"{value:.3g}",
        )
        names = list(self.bars)[::-1]
        chart.x_labels = names
        chart.add("", [self.bars[name] for name in names])
        return str(chart.render()).encode()

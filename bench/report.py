"""The result of a benchmark: a table, a plot, and which goals are met."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pygal
from pygal.style import Style

DOCS = Path(__file__).parent.parent / "docs" / "design"
# What is good, what is wrong, and what is beside the point.
_STYLE = Style(
    background="white",
    plot_background="white",
    font_family="sans-serif",
    colors=("#2a6f97", "#c9752e", "#9aa5ad"),
    value_colors=("black",) * 3,
    label_font_size=13,
)


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
        series: in place of ``bars``, several of them by name, each with a value or None for every row.
        more: a second table, if one would be too wide.
    """

    name: str
    title: str
    about: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    bars: Mapping[str, float]
    unit: str
    goals: Sequence[Goal] = field(default_factory=tuple)
    series: Mapping[str, Mapping[str, float | None]] = field(default_factory=dict)
    more: str = ""

    def markdown(self) -> str:
        """The part, with a link to its plot."""
        lines = [f"## {self.title}", "", self.about, "", *table(self.columns, self.rows), ""]
        lines += [f"![{self.title}, {self.unit}](benchmarks/{self.name}.svg)", ""]
        lines += [f"- {'met' if goal.met else '**not met**'}: {goal.text}" for goal in self.goals]
        return "\n".join([*lines, self.more]).rstrip() + "\n"

    def plot(self) -> bytes:
        """The plot, as SVG: a bar for each, the first on top."""
        series = self.series or {"": self.bars}
        names = list(next(iter(series.values())))[::-1]
        chart = pygal.HorizontalBar(
            title=f"{self.title}, {self.unit}",
            style=_STYLE,
            js=[],
            show_legend=len(series) > 1,
            legend_at_bottom=True,
            legend_at_bottom_columns=1,
            print_values=True,
            height=110 + 40 * len(names) * len(series),
            no_prefix=True,
            disable_xml_declaration=True,
            value_formatter=lambda value: f"{value:.3g}",
        )
        chart.x_labels = names
        for name, values in series.items():
            chart.add(name, [values[one] for one in names])
        return str(chart.render()).encode()


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows)]

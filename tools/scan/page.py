"""Writes the findings of acknowledged.toml into docs/reference/findings.md; ``make docs`` runs it."""

from __future__ import annotations

from tools.scan.__main__ import ROOT, acknowledged

PAGE = ROOT / "docs" / "reference" / "findings.md"
_START, _END = "<!-- findings -->\n", "<!-- /findings -->\n"


def table() -> str:
    """The findings as a table, each with its reason."""
    lines = ["| finding | tool | at | why it stays |", "|---|---|---|---|"]
    lines += [
        f"| `{finding.id}` | {finding.tool} | `{finding.at}` | {' '.join(reason.split())} |"
        for finding, reason in acknowledged().items()
    ]
    return "\n".join(lines) + "\n"


def with_table(page: str) -> str:
    """The page with the table between its markers."""
    before, _, rest = page.partition(_START)
    return f"{before}{_START}{table()}{_END}{rest.partition(_END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text()))

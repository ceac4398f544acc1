"""The documentation's site: every page is in the navigation and in the overview, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tools import site

ROOT = Path(__file__).parents[2]
URL = "https://github.com/OWNER/cdk-replicated-secret/blob/main"


def test_every_page_is_in_the_navigation() -> None:
    assert site.orphans() == set()


def test_a_page_outside_the_navigation_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for page in site.navigation()[1:]:
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text("# Page\n")
    (tmp_path / "guide" / "new.md").write_text("# New\n")
    monkeypatch.setattr(site, "DOCS", tmp_path)
    assert site.orphans() == {"index.md", "guide/new.md"}


def test_only_pages_and_what_they_show_are_in_docs() -> None:
    files = [path for path in site.DOCS.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".md", ".svg", ".css"}


def test_the_overview_links_every_page_in_the_order_of_the_navigation() -> None:
    linked = re.findall(r"^\d+\. \[[^]]*\]\(([^)#]*)\)", (site.DOCS / "index.md").read_text(), re.MULTILINE)
    assert linked == [page for page in site.navigation() if not re.search(r"^index|/decisions/\d", page)]


def test_the_decisions_page_links_every_decision_in_order() -> None:
    decisions = site.DOCS / "design" / "decisions"
    linked = re.findall(r"^\d+\. \[[^]]*\]\(([^)]*)\)", (decisions / "index.md").read_text(), re.MULTILINE)
    assert linked == sorted(page.name for page in decisions.glob("0*.md"))


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("../../examples/README.md", f"{URL}/examples/README.md"),
        ("../../examples/rds_secret/app.py#L3", f"{URL}/examples/rds_secret/app.py#L3"),
        ("../reference/lifecycle.md#time", "../reference/lifecycle.md#time"),
        ("#time", "#time"),
        ("https://aws.amazon.com/", "https://aws.amazon.com/"),
    ],
)
def test_a_link_that_leaves_the_pages_leads_to_the_repository(link: str, expected: str) -> None:
    page = site.DOCS / "guide" / "keys.md"
    assert site.repository_links(f"See [this]({link}).", page) == f"See [this]({expected})."

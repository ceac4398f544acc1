"""Builds the documentation's site with Zensical, strictly: no page outside the navigation, no dead link or anchor."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
_PAGES = ROOT / "build" / "pages"
_ZENSICAL = ROOT / "build" / "docs-venv" / "bin" / "zensical"
_CONFIG: dict[str, Any] = tomllib.loads((ROOT / "zensical.toml").read_text())["project"]
# A relative link of Markdown, without its anchor.
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#)[^)#\s]+")
_COLOR = re.compile(r"\x1b\[[0-9;]*m")
# What Zensical finds: a line with what is wrong, and one with the place.
_FOUND = re.compile(r"^Warning: (?P<what>.*)\n.*\[ (?P<place>\S+) \]", re.MULTILINE)


def navigation() -> list[str]:
    """The pages in the navigation, in reading order."""
    return list(_pages(_CONFIG["nav"]))


def orphans() -> set[str]:
    """The pages that are in docs/ or in the navigation, but not in both."""
    written = {page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")}
    return written ^ set(navigation())


def repository_links(text: str, page: Path) -> str:
    """The text of a page, in which links to files outside docs/ lead to the repository.

    Args:
        text: The page's Markdown.
        page: Its path.
    """

    def link(match: re.Match[str]) -> str:
        target = Path(os.path.normpath(page.parent / match[0]))
        if target.is_relative_to(DOCS):
            return match[0]
        return f"{_CONFIG['repo_url']}/blob/main/{target.relative_to(ROOT).as_posix()}"

    return _LINK.sub(link, text)


def build() -> str:
    """Build the site.

    Returns:
        The problems, one per line; empty if the site was built.
    """
    if found := orphans():
        return f"these pages are in docs/ or in the nav of zensical.toml, but not in both: {', '.join(sorted(found))}"
    _stage()
    done = subprocess.run([_ZENSICAL, "build", "--strict"], cwd=ROOT, text=True, capture_output=True, check=False)
    printed = _COLOR.sub("", done.stdout + done.stderr)
    problems = [f"docs/{match['place']}: {match['what']}" for match in _FOUND.finditer(printed)]
    return "\n".join(problems) or printed if done.returncode else ""


def _pages(entries: list[dict[str, Any]]) -> Iterator[str]:
    for entry in entries:
        for page in entry.values():
            yield from [page] if isinstance(page, str) else _pages(page)


def _stage() -> None:
    shutil.rmtree(_PAGES, ignore_errors=True)
    shutil.copytree(DOCS, _PAGES)
    for page in DOCS.rglob("*.md"):
        (_PAGES / page.relative_to(DOCS)).write_text(repository_links(page.read_text(), page))


def main() -> None:
    """Build the site, or serve it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--serve", action="store_true", help="serve the site instead of building it")
    serve = parser.parse_args().serve
    if problems := build():
        sys.exit(problems)
    if serve:
        sys.exit(subprocess.run([_ZENSICAL, "serve"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()

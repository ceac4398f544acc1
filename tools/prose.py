"""Checks the prose of the pages: AWS's words, American spelling as in its documentation, and sentences that end."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Written by `make bench` and `make faults`.
_GENERATED = ("docs/design/benchmarks.md", "docs/design/reliability.md")
_AMERICAN = "the American spelling"
# What was found in the pages, and what to write instead.
_RULES = {
    r"answer(s|ed|ing)?": "response, respond",
    r"(a|the|two|second|first|later|earlier) looks?": "describe call",
    r"refus(e|es|ed|al|ing)": "reject",
    r"rights|(no|the|a|missing) right (to|for)": "permission",
    r"at once": "immediately, or at the same time",
    r"(some|no)body": "a person, or no one",
    r"for ever": "forever",
    r"becomes? of": "happens to",
    r"mend(s|ed|ing)?": "fix",
    r"anew|ma(de|ke|kes) (it )?again": "recreate",
    r"in the way": "conflicting",
    r"meanwhile": "concurrently",
    r"(left|leave|leaves|leaving)( \w+)? out": "omit",
    r"told": "notified, or reported",
    r"(is|are) no (change|crash|error|key|region|replica|response|secret)s?": "is not a",
    r"waited for for": "waits for",
    r"(?<=[.;:] )else(?=,)": "otherwise",
    r"(?<=, )too(?=[.,;:)])": "also, or too without the comma",
    r"behaviours?|licence": _AMERICAN,
    r"(authori|initiali|minimi|organi|recogni|summari|synthesi)s(ed?|es|ing|ations?)": _AMERICAN,
}
_COMPILED = [(re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE), instead) for pattern, instead in _RULES.items()]
_LONGEST_SENTENCE = 40
# Blocks of code, code, targets of links, and quotations.
_NOT_PROSE = re.compile(r"^```.*?^```|^ {4,}[^\n]*|`[^`\n]*`|\]\([^)]*\)|\"[^\"\n]*\"", re.DOTALL | re.MULTILINE)
# Up to its end, the end of a cell, or that of a paragraph.
_SENTENCE = re.compile(r"(?:[^.:;?!|\n]|[.:;?!](?!\s)|\n(?![\n|#*\d-]))+")


def problems(text: str) -> Iterator[tuple[int, str]]:
    """What to change in a page.

    Args:
        text: The page's Markdown.

    Returns:
        The number of each line, and what to change there.
    """
    prose = _NOT_PROSE.sub(_blank, text)
    for match, problem in (*_words(prose), *_long_sentences(prose)):
        start = match.start() + len(match[0]) - len(match[0].lstrip())
        yield prose.count("\n", 0, start) + 1, problem


def _blank(match: re.Match[str]) -> str:
    """As many lines and characters. What is in a line still counts as a word."""
    return re.sub(r"[^\n]", " " if match[0].startswith(("`" * 3, " ")) else "_", match[0])


def _words(prose: str) -> Iterator[tuple[re.Match[str], str]]:
    for pattern, instead in _COMPILED:
        for match in pattern.finditer(prose):
            yield match, f"{match[0]!r}: write {instead}"


def _long_sentences(prose: str) -> Iterator[tuple[re.Match[str], str]]:
    for match in _SENTENCE.finditer(prose):
        if (words := len(re.findall(r"\w+", match[0]))) > _LONGEST_SENTENCE:
            yield match, f"a sentence of {words} words: at most {_LONGEST_SENTENCE}"


def main() -> None:
    """Print what to change in the pages of the checkout, and fail if there is anything."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md"]
    listed = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    pages = [page for page in listed if page not in _GENERATED and (ROOT / page).exists()]
    found = [f"{page}:{line}: {text}" for page in pages for line, text in problems((ROOT / page).read_text())]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()

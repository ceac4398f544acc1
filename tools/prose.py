"""Checks the prose of pages, docstrings and comments: AWS's words, American spelling, sentences that end."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
# Written by `make bench` and `make faults`.
_GENERATED = ("docs/design/benchmarks.md", "docs/design/reliability.md")
_AMERICAN = "the American spelling"
# What was found in the checkout, and what to write instead.
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


def docstrings_and_comments(source: str) -> str:
    """Those of a Python module, each in its line, without indentation; all other lines are blank."""
    lines = [""] * (source.count("\n") + 2)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        first, column = token.start
        if token.type == tokenize.COMMENT:
            lines[first] = token.string.strip("# ")
        elif token.string.startswith('"""') and not token.line[:column].strip():
            for number, line in enumerate(token.string.strip('"').splitlines(), first):
                lines[number] = line.strip().replace("``", "`")
    return "\n".join(lines[1:])


def main() -> None:
    """Print what to change in the checkout, and fail if there is anything."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.md", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, text=True, capture_output=True, check=True).stdout.split()
    texts = {name: (ROOT / name).read_text() for name in listed if name not in _GENERATED and (ROOT / name).exists()}
    prose = {name: docstrings_and_comments(text) if name.endswith(".py") else text for name, text in texts.items()}
    found = [f"{name}:{line}: {problem}" for name, text in prose.items() for line, problem in problems(text)]
    sys.exit("\n".join(found) or None)


if __name__ == "__main__":
    main()

"""Says what a generated page was made from, so that a test can tell when the page is stale."""

from __future__ import annotations

import ast
import hashlib
from pathlib import Path

ROOT = Path(__file__).parent.parent
# What the Lambda's bundle is made from.
BUNDLE_SOURCES = ("handler", "hatch_build.py")
_SUFFIXES = (".py", ".txt")


def stamp(*sources: str) -> str:
    """A line for the page: each source with a digest of its code.

    The digest changes with the code. Comments, docstrings and blank lines do not count.

    Args:
        sources: Files and folders, relative to the root of the checkout.

    Raises:
        FileNotFoundError: If one of them does not exist.
    """
    return f"Made from {', '.join(f'`{source}` {_digest(ROOT / source)}' for source in sources)}."


def code_lines(path: Path) -> list[str]:
    """The lines of a file without blank lines, comments and the docstrings of Python."""
    text = path.read_text()
    docstrings = _docstrings(text) if path.suffix == ".py" else set()
    lines = enumerate(map(str.rstrip, text.splitlines()), 1)
    return [line for number, line in lines if line and not line.lstrip().startswith("#") and number not in docstrings]


def _docstrings(text: str) -> set[int]:
    """The line numbers of all docstrings."""
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, documented) and ast.get_docstring(node) is not None
        for number in range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1)
    }


def _digest(source: Path) -> str:
    if not source.exists():
        raise FileNotFoundError(source)
    found = sorted(source.rglob("*")) if source.is_dir() else [source]
    digest = hashlib.sha256()
    for file in (file for file in found if file.suffix in _SUFFIXES and "node_modules" not in file.parts):
        digest.update("\n".join([file.relative_to(ROOT).as_posix(), *code_lines(file), ""]).encode())
    return digest.hexdigest()[:12]

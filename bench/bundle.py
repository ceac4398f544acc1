"""Bundle: how much is uploaded."""

from __future__ import annotations

import re
import zipfile
from collections import Counter

from cloudformation.__main__ import BUNDLE

from .report import Goal, Section

_MOST = 1_200_000


def measure() -> Section:
    """The zip that ``make dist`` makes, by its parts."""
    total = BUNDLE.stat().st_size
    parts: Counter[str] = Counter()
    with zipfile.ZipFile(BUNDLE) as archive:
        for entry in archive.infolist():
            package = re.split(r"[-./]", entry.filename.removeprefix("__pycache__/"))[0]
            compiled = entry.filename.endswith(".pyc")
            parts[f"{package}, bytecode" if compiled else package] += entry.compress_size
    rows = [(name, f"{size:,}", f"{size / total:.0%}") for name, size in parts.most_common()]
    rows += [("the zip", f"{total:,}", "100%")]
    return Section(
        "bundle", "Bundle",
        "The function's code, zipped, by package, with bytecode for Lambda's Python 3.13.",
        ("package", "bytes zipped", "share"), rows,
        {name: size / 1000 for name, size in parts.most_common(6)}, "kB zipped",
        (Goal(f"at most {_MOST:,} bytes: {total:,}", total <= _MOST),),
    )  # fmt: skip

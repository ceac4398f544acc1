"""Bundle: how much is uploaded."""

from __future__ import annotations

import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from provider.__main__ import pack

from .report import Goal, Section

_MOST = 1_200_000


def measure() -> Section:
    """The zip that ``make dist`` makes, by its parts."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "handler.zip"
        pack(packed)
        total = packed.stat().st_size
        parts: Counter[str] = Counter()
        with zipfile.ZipFile(packed) as archive:
            for entry in archive.infolist():
                parts[entry.filename.split("/")[0].partition("-")[0]] += entry.compress_size
    rows = [(name, f"{size:,}", f"{size / total:.0%}") for name, size in parts.most_common()]
    rows += [("the zip", f"{total:,}", "100%")]
    return Section(
        "bundle", "Bundle", "The function's code, zipped, by package.", ("package", "bytes zipped", "share"), rows,
        {name: size / 1000 for name, size in parts.most_common(5)}, "kB zipped",
        (Goal(f"at most {_MOST:,} bytes: {total:,}", total <= _MOST),),
    )  # fmt: skip

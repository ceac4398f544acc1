"""Bundle: how much is uploaded."""

from __future__ import annotations

import re
import zipfile
from collections import Counter

from cloudformation.__main__ import BUNDLE

from .report import Goal, Section

_MOST = 1_200_000


def measure() -> Section:
    """Measure the zip that ``make dist`` makes, by its packages."""
    total = BUNDLE.stat().st_size
    packages: Counter[str] = Counter()
    with zipfile.ZipFile(BUNDLE) as archive:
        for entry in archive.infolist():
            packages[re.split(r"[-./]", entry.filename)[0]] += entry.compress_size
    rows = [(name, f"{size:,}", f"{size / total:.0%}") for name, size in packages.most_common()]
    return Section(
        name="bundle",
        title="Bundle",
        about="The function's code by package, as sources. The zip does not compress them.",
        columns=("package", "bytes", "share"),
        rows=[*rows, ("the zip", f"{total:,}", "100%")],
        bars={name: size / 1000 for name, size in packages.most_common(6)},
        unit="kB",
        goals=(Goal(f"at most {_MOST:,} bytes: {total:,}", total <= _MOST),),
    )

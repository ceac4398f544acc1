"""``make bench``: measures everything in one run, and writes docs/benchmarks.md with its plots."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time

from . import beside, bundle, calls, cold_start, scale, waiting
from .report import DOCS

_MODULES = (cold_start, bundle, calls, waiting, scale, beside)
BENCHMARKS = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
_HEAD = """# Benchmarks

`make bench` makes this page again: everything in one run, side by side, so that the ratios count and not the seconds.
This run: {machine}.

"""


def main() -> None:
    """Measure what was chosen, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="one of them; the page is not written")
    arguments = parser.parse_args()
    sections = []
    for name in [arguments.only] if arguments.only else list(BENCHMARKS):
        started = time.monotonic()
        sections.append(BENCHMARKS[name].measure())
        print(f"{sections[-1].markdown()}\n({time.monotonic() - started:.0f} s)\n", flush=True)
    if not arguments.only:
        machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        (DOCS / "benchmarks").mkdir(exist_ok=True)
        for section in sections:
            (DOCS / "benchmarks" / f"{section.name}.svg").write_bytes(section.plot())
        (DOCS / "benchmarks.md").write_text(_HEAD.format(machine=machine) + "\n".join(s.markdown() for s in sections))
    sys.exit(0)


if __name__ == "__main__":
    main()

"""``make bench``: measure everything in one run, and write docs/design/benchmarks.md with its plots."""

from __future__ import annotations

import argparse
import os
import platform
import time

from tools.stamp import stamp

from . import SOURCES, beside, bundle, cold_start, memory, monitor, scale
from .report import DOCS

_MODULES = (cold_start, memory, bundle, scale, monitor, beside)
BENCHMARKS = {module.__name__.rpartition(".")[2]: module for module in _MODULES}
PAGE, _PLOTS = DOCS / "benchmarks.md", DOCS / "benchmarks"
_HEAD = """# Benchmarks

Regenerate this page with `make bench`. Everything is measured in one run, so compare ratios, not seconds.
This run: {machine}.
{stamp}

"""


def main() -> None:
    """Run the chosen benchmarks, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", choices=BENCHMARKS, help="run one benchmark; does not rewrite the page")
    arguments = parser.parse_args()
    sections = []
    for name in [arguments.only] if arguments.only else list(BENCHMARKS):
        started = time.monotonic()
        sections.append(BENCHMARKS[name].measure())
        print(f"{sections[-1].markdown()}\n({time.monotonic() - started:.0f} s)\n", flush=True)
    if arguments.only:
        return
    for plot in _PLOTS.glob("*.svg"):
        plot.unlink()
    for section in sections:
        (_PLOTS / f"{section.name}.svg").write_bytes(section.plot())
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
    head = _HEAD.format(machine=machine, stamp=stamp(*SOURCES))
    PAGE.write_text(head + "\n".join(section.markdown() for section in sections))


if __name__ == "__main__":
    main()

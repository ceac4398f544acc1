"""``make recording``: records a run of ``make demo`` as docs/assets/demo.svg, for the README."""

from __future__ import annotations

import argparse
import io
import re
import sys
from pathlib import Path

from rich.console import Console

from local.demo.__main__ import run

_PICTURE = Path(__file__).parent.parent / "docs" / "assets" / "demo.svg"
_WIDTH = 110


def main() -> int:
    """Run the demo, and write the picture if it succeeds."""
    parser = argparse.ArgumentParser(prog="make recording", description=__doc__)
    parser.add_argument("--fail", action="store_true", help="record `make demo FAIL=1`")
    parser.add_argument("--to", type=Path, default=_PICTURE, help="the picture; default: %(default)s")
    arguments = parser.parse_args()
    print("Recording the demo: about a minute. A busy machine is seen in the picture.", flush=True)
    console = recorder("make demo FAIL=1" if arguments.fail else "make demo")
    if code := run(console, live=True, fail=arguments.fail):
        print(console.export_text(), file=sys.stderr)
        return code
    arguments.to.write_text(picture(console))
    return 0


def recorder(command: str) -> Console:
    """What records: of a table that changes, it keeps the last state."""
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), highlight=False, emoji=False)
    console.print(f"$ {command}", style="bold green")
    return console


def picture(console: Console) -> str:
    """The SVG of a terminal that shows what was recorded."""
    svg = console.export_svg(title="make demo", unique_id="demo")
    # An image in a page may not load fonts from other sites.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    sys.exit(main())

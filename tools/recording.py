"""``make recording``: records what ``make demo`` prints as docs/assets/demo.svg, for the README."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from pathlib import Path

from rich.console import Console
from rich.text import Text

_ROOT = Path(__file__).parent.parent
_PICTURE = _ROOT / "docs" / "assets" / "demo.svg"
_WIDTH = 110


def main() -> None:
    """Run the demo, and write the picture if it succeeds."""
    command = [sys.executable, "-m", "local.demo"]
    done = subprocess.run(command, cwd=_ROOT, text=True, stdout=subprocess.PIPE, check=True)
    _PICTURE.write_text(picture(done.stdout))


def picture(printed: str) -> str:
    """The SVG of a terminal that shows the demo.

    Args:
        printed: What the demo printed.
    """
    console = Console(record=True, width=_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    console.print("$ make demo", style="bold green", highlight=False)
    for line in printed.splitlines():
        heading = line.startswith(("cdk ", "aws "))
        console.print(Text(line, "bold" if heading else ""), overflow="ellipsis", no_wrap=True)
    svg = console.export_svg(title="make demo", unique_id="demo")
    # An image in a page may not load fonts from other sites.
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


if __name__ == "__main__":
    main()

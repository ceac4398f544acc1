"""The same made-up histories each time, in processes of their own. ``make soak`` makes up others."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_histories() -> None:
    command = [sys.executable, "-m", "tools.soak", "--seed", "1", "--rounds", "8"]
    path = os.pathsep.join([str(ROOT), str(ROOT / "handler")])
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    assert "8 rounds of 250 histories and 250 events, 0 failed" in done.stdout

"""Finds another Python on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path


def find_python(version: str) -> Path | None:
    """Find an interpreter on the PATH or among those of pyenv, for example of version ``3.13``."""
    name = f"python{version}"
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for path in [shutil.which(name), *root.glob(f"versions/{version}.*/bin/{name}")]:
        # A shim of pyenv may stand for a version that is not selected.
        if path and not subprocess.run([path, "-m", "pip", "--version"], capture_output=True, check=False).returncode:
            return Path(path)
    return None

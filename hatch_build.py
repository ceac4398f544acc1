"""The Lambda's bundle: the handler and what it needs, the same bytes on every machine, without Docker.

``python hatch_build.py build/handler`` makes it for the checkout; the wheel gets it through the hook below.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).parent
_HANDLER = _ROOT / "handler"
# Not needed to run, or different on every machine: pip's records and scripts, bytecode, type stubs' leftovers.
_UNWANTED = (
    "bin",
    "**/__pycache__",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/WHEEL",
    "*.dist-info/entry_points.txt",
)
# What Powertools takes from it; the whole of it, compiled at each cold start, would be a tenth of that.
_TYPING_EXTENSIONS = """from typing import NotRequired as NotRequired


def deprecated(*_, **__):
    return lambda decorated: decorated
"""


class BundleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the bundle into a standard wheel; an editable install uses the checkout's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds the wheel."""
        if self.target_name != "wheel" or version == "editable":
            return
        self._scratch = tempfile.mkdtemp()
        bundle = Path(self._scratch) / "handler"
        make_bundle(bundle)
        build_data["force_include"][str(bundle)] = "cdk_replicated_secret/_handler"

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling afterwards."""
        if hasattr(self, "_scratch"):
            shutil.rmtree(self._scratch)


def make_bundle(target: Path) -> None:
    """Write the bundle to ``target``, in place of what is there."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "handler"
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--no-compile",
                "--no-deps",
                "--only-binary",
                ":all:",
                "--requirement",
                str(_HANDLER / "requirements.txt"),
                "--target",
                str(bundle),
            ],
            check=True,
        )
        for pattern in _UNWANTED:
            for path in sorted(bundle.glob(pattern), reverse=True):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (bundle / "typing_extensions.py").write_text(_TYPING_EXTENSIONS)
        package = "secret_replication"
        shutil.copytree(_HANDLER / package, bundle / package, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(bundle, target)


if __name__ == "__main__":
    make_bundle(Path(sys.argv[1]))

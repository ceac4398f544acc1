"""The Lambda's bundle: the handler and what it needs, compiled, the same bytes on every machine, without Docker.

``python hatch_build.py build/handler.zip`` makes it for the checkout; wheel and source distribution get it through the
hook below. pip would compile a folder once more, for its own Python, and change the asset; a zip it leaves alone.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).parent
_HANDLER = _ROOT / "handler"
_BUNDLE = "build/handler.zip"
# Not needed to run, or different on every machine: pip's records and scripts, and what the handler has no use for,
# which is nine tenths of Powertools.
_UNWANTED = (
    "bin",
    "aws_lambda_powertools/event_handler",
    "aws_lambda_powertools/utilities/[!_j]*",
    "*.dist-info/RECORD",
    "*.dist-info/INSTALLER",
    "*.dist-info/REQUESTED",
    "*.dist-info/direct_url.json",
    "*.dist-info/WHEEL",
    "*.dist-info/entry_points.txt",
)


class BundleHook(BuildHookInterface[BuilderConfig]):
    """Puts the bundle into the package; an editable install uses the checkout's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds: a source distribution has the bundle already."""
        if version == "editable":
            return
        bundle = _ROOT / _BUNDLE
        if not (_ROOT / "PKG-INFO").exists():
            self._scratch = tempfile.mkdtemp()
            bundle = Path(self._scratch) / bundle.name
            make_bundle(bundle)
        place = "cdk_replicated_secret/_handler.zip" if self.target_name == "wheel" else _BUNDLE
        build_data["force_include"][str(bundle)] = place

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling afterwards."""
        if hasattr(self, "_scratch"):
            shutil.rmtree(self._scratch)


def make_bundle(target: Path) -> None:
    """Write the bundle to ``target``, a zip, in place of what is there.

    Raises:
        RuntimeError: the compiler, which comes from npm, is not there.
    """
    if not (_ROOT / "node_modules" / "pyodide").is_dir():
        raise RuntimeError("node_modules has no pyodide, which compiles the Lambda: run `make setup` in the checkout")
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch) / "handler"
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        what = ("--no-compile", "--no-deps", "--only-binary", ":all:", "--requirement", _HANDLER / "requirements.txt")
        subprocess.run([*pip, *what, "--target", bundle], check=True)
        for pattern in _UNWANTED:
            for path in sorted(bundle.glob(pattern), reverse=True):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        package = "secret_replication"
        (bundle / package).mkdir()
        for module in (_HANDLER / package).glob("*.py"):
            shutil.copy(module, bundle / package)
        # Beside the target, which it becomes when it is whole.
        packed = target.with_suffix(".part")
        subprocess.run(["node", _ROOT / "pack.mjs", bundle, packed], check=True)
        packed.chmod(0o644)
        packed.replace(target)


if __name__ == "__main__":
    make_bundle(Path(sys.argv[1]))

"""Bundles the Lambda: the sources of the handler and of its dependencies in a zip with the same bytes on every machine.

``python hatch_build.py build/handler.zip`` writes it for the checkout. The hook below puts it into the wheel, with its
bill of materials, and into the source distribution. It is a zip there too, because pip would compile the modules of a
folder and so change the asset.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from hatchling.builders.config import BuilderConfig
from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_ROOT = Path(__file__).parent
_HANDLER = _ROOT / "handler"
_PACKAGES = ("secret_replication", "replication_monitor")
_BUNDLE = "build/handler.zip"
# pip's records and scripts differ between machines. The rest, nine tenths of Powertools, is not used by the handler.
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
# All that Powertools imports from typing_extensions at run time. Lambda would compile the real module, a third of the
# bundle, at each cold start (docs/design/decisions/0007).
_TYPING_EXTENSIONS = '''"""Stands in for typing_extensions: what the modules of this bundle import from it."""

from typing import NotRequired as NotRequired


def deprecated(*_args, **_options):
    """Leave the decorated function as it is."""
    return lambda function: function
'''
# The earliest time that a zip can have.
_TIME = (1980, 1, 1, 0, 0, 0)
_UNIX, _RIGHTS = 3, 0o100644 << 16


class BundleHook(BuildHookInterface[BuilderConfig]):
    """Puts the bundle into the package; an editable install uses the checkout's."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before it builds. A source distribution already has the bundle."""
        if version == "editable":
            return
        self._scratch = tempfile.mkdtemp()
        bundle = _ROOT / _BUNDLE
        if not (_ROOT / "PKG-INFO").exists():
            bundle = Path(self._scratch) / bundle.name
            make_bundle(bundle)
        if self.target_name == "wheel":
            build_data["force_include"][str(bundle)] = "cdk_replicated_secret/_handler.zip"
            bill = Path(self._scratch) / "handler.cdx.json"
            bill.write_bytes(bill_of_materials(bundle, self.metadata.name, self.metadata.version).encode())
            build_data["sbom_files"].append(str(bill))
        else:
            build_data["force_include"][str(bundle)] = _BUNDLE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Called by hatchling afterwards."""
        if hasattr(self, "_scratch"):
            shutil.rmtree(self._scratch)


def make_bundle(target: Path) -> None:
    """Write the bundle to ``target``, a zip, and replace what is there."""
    with tempfile.TemporaryDirectory() as scratch:
        bundle = Path(scratch)
        pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        what = ("--no-compile", "--no-deps", "--only-binary", ":all:", "--requirement", _HANDLER / "requirements.txt")
        subprocess.run([*pip, *what, "--target", bundle], check=True)
        for pattern in _UNWANTED:
            for path in sorted(bundle.glob(pattern), reverse=True):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        (bundle / "typing_extensions.py").write_bytes(_TYPING_EXTENSIONS.encode())
        for package in _PACKAGES:
            (bundle / package).mkdir()
            for module in (_HANDLER / package).glob("*.py"):
                shutil.copy(module, bundle / package)
        pack(bundle, target)


def pack(folder: Path, target: Path) -> None:
    """Write the files of ``folder`` into a zip: the same files give the same bytes.

    Nothing is compressed, because the bytes of a compressed file depend on the version of zlib.
    """
    # An interrupted run must not leave half a bundle.
    part = target.with_suffix(".part")
    with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()):
            entry = zipfile.ZipInfo(name, _TIME)
            entry.create_system, entry.external_attr = _UNIX, _RIGHTS
            archive.writestr(entry, (folder / name).read_bytes())
    part.replace(target)


def bill_of_materials(bundle: Path, package: str, version: str) -> str:
    """The bill of materials in CycloneDX, which installers keep (PEP 770).

    It has neither a time nor a serial number, so the same bundle gives the same bytes.

    Args:
        bundle: The zip. The metadata of its packages is in it.
        package: The name of the package that carries the bundle.
        version: The version of that package.
    """
    whole = _component(package, version)
    components = []
    for found in sorted(distributions(path=[str(bundle)]), key=lambda found: found.name):
        licence = found.metadata["License-Expression"] or found.metadata["License"]
        component = _component(found.name.lower().replace("_", "-"), found.version)
        components.append(component | {"licenses": [{"license": {"name": licence}}]})
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": whole},
        "components": components,
        "dependencies": [{"ref": whole["bom-ref"], "dependsOn": [component["bom-ref"] for component in components]}],
    }
    return json.dumps(bill, indent=2) + "\n"


def _component(name: str, version: str) -> dict[str, Any]:
    purl = f"pkg:pypi/{name}@{version}"
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


if __name__ == "__main__":
    make_bundle(Path(sys.argv[1]))

"""What is published: the Lambda's bundle, and the wheel that carries it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BUNDLE = ROOT / "build" / "handler"
pytestmark = pytest.mark.xdist_group("package")

_SYNTH = """
import sys
import aws_cdk as cdk
from cdk_replicated_secret import ReplicatedSecret
assert sys.argv[1] in sys.modules["cdk_replicated_secret"].__file__
app = cdk.App(outdir=sys.argv[2])
stack = cdk.Stack(app, "App", env=cdk.Environment(account="000000000000", region="us-west-2"))
ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
app.synth()
"""


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "--quiet",
            "--no-deps",
            "--no-build-isolation",
            "--wheel-dir",
            folder,
            ROOT,
        ],
        check=True,
    )
    (path,) = folder.glob("*.whl")
    return path


def test_the_bundle_holds_what_runs_and_nothing_that_differs_between_machines() -> None:
    names = set(files(BUNDLE))
    assert {"secret_replication/main.py", "crhelper/resource_helper.py", "aws_lambda_powertools/__init__.py"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", "RECORD", "INSTALLER"))]
    assert not [name for name in names if name.startswith(("bin/", "boto3/", "botocore/", "cdk_replicated_secret/"))]


def test_the_bundle_is_small_enough_to_start_fast(tmp_path: Path) -> None:
    path = tmp_path / "handler.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, content in files(BUNDLE).items():
            zipped.writestr(name, content)
    assert path.stat().st_size < 1_200_000


def test_the_wheel_carries_the_checkouts_bundle_to_the_byte(wheel: Path) -> None:
    prefix = "cdk_replicated_secret/_handler/"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        carried = {name.removeprefix(prefix): archive.read(name) for name in names if name.startswith(prefix)}
    assert carried == files(BUNDLE)
    assert "cdk_replicated_secret/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cdk_replicated_secret"}


def test_an_installed_wheel_synthesizes_by_itself_with_the_checkouts_asset(wheel: Path, tmp_path: Path) -> None:
    installed = tmp_path / "site"
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", installed, wheel], check=True
    )
    assets: set[frozenset[str]] = set()
    for path in (installed, ROOT / "constructs"):
        out = tmp_path / f"out-{len(assets)}"
        environment = dict(os.environ) | {"PYTHONPATH": str(path)}
        subprocess.run([sys.executable, "-c", _SYNTH, str(path), str(out)], env=environment, cwd=tmp_path, check=True)
        assets.add(frozenset(asset.name for asset in out.glob("asset.*")))
    assert len(assets) == 1, "one hash, whichever way it is installed"

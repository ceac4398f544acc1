"""What is published: the Lambda's bundle, and the wheel that carries it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
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


def build(source: Path, target: Path) -> list[Path]:
    """The wheel and the source distribution."""
    command = [sys.executable, "-m", "hatchling", "build", "--directory", str(target)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    return sorted(target.iterdir())


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return build(ROOT, tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist: list[Path]) -> Path:
    (path,) = [path for path in dist if path.suffix == ".whl"]
    return path


def install(python: Path | str, wheel: Path, target: Path) -> Path:
    """As a user's pip does it, which also compiles the Lambda's modules."""
    command = [python, "-m", "pip", "install", "--quiet", "--no-deps", "--target", target, wheel]
    subprocess.run(command, check=True)
    return target


def asset(python: Path | str, where: Path, out: Path, python_path: list[Path]) -> str:
    """The name of the asset, which is its hash, that a synthesis makes of the package at ``where``."""
    environment = dict(os.environ) | {"PYTHONPATH": os.pathsep.join(map(str, python_path))}
    subprocess.run([python, "-c", _SYNTH, str(where), str(out)], env=environment, cwd=out.parent, check=True)
    (found,) = out.glob("asset.*")
    return found.name


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install(sys.executable, wheel, tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def published(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The asset of the installed wheel."""
    return asset(sys.executable, installed, tmp_path_factory.mktemp("published") / "out", [installed])


@pytest.fixture
def another_python() -> Path:
    """Another Python of this machine, on the PATH or of pyenv: the newest."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for version in sorted({"3.11", "3.12", "3.13"} - {f"3.{sys.version_info.minor}"}, reverse=True):
        name = f"python{version}"
        for path in [shutil.which(name), *root.glob(f"versions/{version}.*/bin/{name}")]:
            # One of pyenv's shims may stand for a version that is not chosen.
            if (
                path
                and not subprocess.run([path, "-m", "pip", "--version"], capture_output=True, check=False).returncode
            ):
                return Path(path)
    pytest.skip("no other Python on this machine")


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


def test_an_installed_wheel_synthesizes_by_itself_with_the_checkouts_asset(
    installed: Path, published: str, tmp_path: Path
) -> None:
    assert list(installed.rglob("_handler/**/*.pyc")), "pip compiles what it installs"
    checkout = ROOT / "constructs"
    assert asset(sys.executable, checkout, tmp_path / "checkout", [checkout]) == published
    assert asset(sys.executable, checkout, tmp_path / "editable", []) == published, "the editable install of make setup"


def test_another_python_makes_the_same_bundle_and_the_same_asset(
    another_python: Path, wheel: Path, published: str, tmp_path: Path
) -> None:
    packages = Path(sysconfig.get_path("purelib"))
    environment = dict(os.environ) | {"PYTHONPATH": str(packages)}
    subprocess.run([another_python, "hatch_build.py", tmp_path / "bundle"], cwd=ROOT, env=environment, check=True)
    assert files(tmp_path / "bundle") == files(BUNDLE)
    theirs = install(another_python, wheel, tmp_path / "site")
    assert asset(another_python, theirs, tmp_path / "out", [theirs, packages]) == published


def test_building_again_elsewhere_changes_no_byte(dist: list[Path], tmp_path: Path) -> None:
    (source,) = [path for path in dist if path.name.endswith(".tar.gz")]
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.iterdir()
    for path in unpacked.rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    again = build(unpacked, tmp_path / "again")
    assert {path.name: digest(path) for path in again} == {path.name: digest(path) for path in dist}


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

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
from _imp import source_hash
from pathlib import Path, PurePosixPath

import pytest

from cdk_replicated_secret.provider import _RUNTIME

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "build" / "handler.zip"
# What begins a .pyc: CPython's Lib/importlib and PEP 552.
MAGIC_OF_3_13, CHECKED_HASH = b"\xf3\r\r\n", b"\x03\x00\x00\x00"
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


def unzipped(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


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
    """As a user's pip does it, which also compiles."""
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
    names = set(unzipped(BUNDLE))
    assert {"secret_replication/main.py", "crhelper/resource_helper.py", "aws_lambda_powertools/__init__.py"} <= names
    assert not [name for name in names if name.endswith(("RECORD", "INSTALLER"))]
    assert not [name for name in names if name.startswith(("bin/", "boto3/", "botocore/", "cdk_replicated_secret/"))]


def test_the_bundle_is_small_enough_to_start_fast() -> None:
    assert BUNDLE.stat().st_size < 1_200_000


def test_every_module_of_the_bundle_has_bytecode_of_this_source_for_the_runtime() -> None:
    """Else Lambda compiles it at each cold start."""
    found, tag = unzipped(BUNDLE), _RUNTIME.name.replace("python", "cpython-").replace(".", "")
    modules = [PurePosixPath(name) for name in found if name.endswith(".py")]
    assert len(modules) > 60
    for module in modules:
        source = source_hash(int.from_bytes(MAGIC_OF_3_13, "little"), found[str(module)])
        compiled = found[str(module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc")]
        assert compiled[:16] == MAGIC_OF_3_13 + CHECKED_HASH + source, module


def test_the_runtime_takes_the_bytecode(another_python: Path, tmp_path: Path) -> None:
    if not another_python.name.endswith("3.13"):
        pytest.skip("no Python 3.13 on this machine")
    with zipfile.ZipFile(BUNDLE) as archive:
        archive.extractall(tmp_path)
    environment = dict(os.environ) | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{sysconfig.get_path('purelib')}"}
    command: list[str | Path] = [another_python, "-v", "-B", "-c", "import secret_replication.main"]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    loaded = [line for line in done.stderr.splitlines() if line.startswith("# code object from ")]
    read = [line for line in loaded if str(tmp_path) in line]
    assert len(read) > 60
    assert [line for line in read if not line.endswith(".pyc'")] == []


def test_the_wheel_carries_the_checkouts_bundle_to_the_byte(wheel: Path) -> None:
    names = unzipped(wheel)
    assert names["cdk_replicated_secret/_handler.zip"] == BUNDLE.read_bytes()
    assert "cdk_replicated_secret/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cdk_replicated_secret"}


def test_an_installed_wheel_synthesizes_by_itself_with_the_checkouts_asset(
    installed: Path, published: str, tmp_path: Path
) -> None:
    checkout = ROOT / "constructs"
    assert asset(sys.executable, checkout, tmp_path / "checkout", [checkout]) == published
    assert asset(sys.executable, checkout, tmp_path / "editable", []) == published, "the editable install of make setup"


def test_another_python_makes_the_same_bundle_and_the_same_asset(
    another_python: Path, wheel: Path, published: str, tmp_path: Path
) -> None:
    packages = Path(sysconfig.get_path("purelib"))
    environment = dict(os.environ) | {"PYTHONPATH": str(packages)}
    bundle = tmp_path / "handler.zip"
    subprocess.run([another_python, "hatch_build.py", bundle], cwd=ROOT, env=environment, check=True)
    assert bundle.read_bytes() == BUNDLE.read_bytes()
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

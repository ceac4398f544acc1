"""What is published: the Lambda's bundle, and the wheel that carries it."""

from __future__ import annotations

import ast
import email
import hashlib
import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from email.message import Message
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

import hatch_build
from tools.pythons import find_python

ROOT = Path(__file__).parents[2]
BUNDLE = ROOT / "build" / "handler.zip"
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


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    """What PyPI shows."""
    (text,) = [content for name, content in unzipped(wheel).items() if name.endswith(".dist-info/METADATA")]
    return email.message_from_bytes(text)


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
    """The newest other Python of this machine."""
    for version in sorted({"3.11", "3.12", "3.13"} - {f"3.{sys.version_info.minor}"}, reverse=True):
        if found := find_python(version):
            return found
    pytest.skip("no other Python on this machine")


def test_the_bundle_holds_what_runs_and_nothing_that_differs_between_machines() -> None:
    names = set(unzipped(BUNDLE))
    assert {"secret_replication/main.py", "crhelper/resource_helper.py", "aws_lambda_powertools/__init__.py"} <= names
    assert not [name for name in names if name.endswith(("RECORD", "INSTALLER"))]
    assert not [name for name in names if name.startswith(("bin/", "boto3/", "botocore/", "cdk_replicated_secret/"))]


def test_the_bundle_is_small() -> None:
    assert BUNDLE.stat().st_size <= 1_200_000


def test_the_bundle_is_sources() -> None:
    names = [name for name in unzipped(BUNDLE) if ".dist-info/" not in name]
    assert len(names) > 60
    assert [name for name in names if not name.endswith((".py", ".pyi", "/py.typed"))] == []


def test_the_stand_in_for_typing_extensions_has_every_name_that_the_bundle_imports_from_it() -> None:
    sources = {name: code.decode() for name, code in unzipped(BUNDLE).items() if name.endswith(".py")}
    imported = {
        alias.name
        for source in sources.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.ImportFrom) and node.module == "typing_extensions"
        for alias in node.names
    }
    names: dict[str, object] = {}
    exec(sources["typing_extensions.py"], names)
    assert imported
    assert imported <= set(names)
    assert names["deprecated"]("message", category=None)(len) is len  # type: ignore[operator]


def test_the_bundle_needs_nothing_but_what_the_runtime_has(another_python: Path, tmp_path: Path) -> None:
    """boto3 and what it brings: the other packages of this environment are not there."""
    with zipfile.ZipFile(BUNDLE) as archive:
        archive.extractall(tmp_path / "bundle")
    for name in ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "six.py", "urllib3"):
        (tmp_path / name).symlink_to(Path(sysconfig.get_path("purelib")) / name)
    path = os.pathsep.join([str(tmp_path / "bundle"), str(tmp_path)])
    script = "import secret_replication.main, typing_extensions as t; print(t.__file__)"
    environment = dict(os.environ) | {"PYTHONPATH": path}
    command = [str(another_python), "-B", "-c", script]
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=True)
    assert Path(done.stdout.strip()) == tmp_path / "bundle" / "typing_extensions.py"


def test_the_same_files_give_the_same_bytes(tmp_path: Path) -> None:
    """Whatever their order on the disk, their times and their permissions."""
    folders = tmp_path / "one", tmp_path / "other"
    for folder, names in zip(folders, [("b.py", "a/a.py", "a.py"), ("a.py", "a/a.py", "b.py")], strict=True):
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"name = {name!r}\n")
        hatch_build.pack(folder, folder.with_suffix(".zip"))
        os.utime(folder / "a.py", (1_000_000_000, 1_000_000_000))
        (folder / "a.py").chmod(0o600)
        hatch_build.pack(folder, folder.with_suffix(".again.zip"))
    packed = {path.name: digest(path) for path in tmp_path.glob("*.zip")}
    assert len(packed) == 4
    assert len(set(packed.values())) == 1


def test_an_interrupted_build_leaves_the_bundle_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "handler.zip"
    target.write_bytes(b"the last one")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "module.py").write_text("")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(zipfile.ZipFile, "writestr", interrupt)
    with pytest.raises(KeyboardInterrupt):
        hatch_build.pack(folder, target)
    assert target.read_bytes() == b"the last one"


def test_the_wheel_carries_the_checkouts_bundle_to_the_byte(wheel: Path) -> None:
    names = unzipped(wheel)
    assert names["cdk_replicated_secret/_handler.zip"] == BUNDLE.read_bytes()
    assert "cdk_replicated_secret/py.typed" in names
    assert {name.split("/")[0].split("-")[0] for name in names} == {"cdk_replicated_secret", "replicated_secret_cli"}


def test_the_command_of_an_installed_wheel_runs_the_bundles_code_without_the_cdk(
    installed: Path, tmp_path: Path
) -> None:
    script = """
import sys
from replicated_secret_cli.main import cli
import replication_monitor, secret_replication
assert "aws_cdk" not in sys.modules
print(replication_monitor.__file__, secret_replication.__file__)
cli(["status", "--help"], prog_name="replicated-secret")
"""
    environment = dict(os.environ) | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=True)
    places, _, help_ = done.stdout.partition("\n")
    assert [str(installed / "cdk_replicated_secret" / "_handler.zip") in place for place in places.split()] == [
        True
    ] * 2
    assert "--problems" in help_


def test_the_command_says_what_to_install_if_it_came_without_its_extra(installed: Path, tmp_path: Path) -> None:
    script = "import sys; sys.modules['click'] = None; import replicated_secret_cli.main"
    environment = dict(os.environ) | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, cwd=tmp_path, env=environment, text=True, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (1, "click is not installed: pip install 'cdk-replicated-secret[cli]'\n")


def test_the_wheel_has_the_command(wheel: Path) -> None:
    (entry_points,) = [text for name, text in unzipped(wheel).items() if name.endswith("entry_points.txt")]
    assert b"replicated-secret = replicated_secret_cli.main:cli" in entry_points


def test_the_wheel_has_a_bill_of_materials_of_the_bundle(wheel: Path) -> None:
    (name,) = [name for name in unzipped(wheel) if "/sboms/" in name]
    assert name.endswith(".dist-info/sboms/handler.cdx.json")
    bill = json.loads(unzipped(wheel)[name])
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["component"]["purl"] == f"pkg:pypi/cdk-replicated-secret@{version()}"
    pins = re.findall(r"^([a-z-]+)==([\d.]+)$", (ROOT / "handler" / "requirements.txt").read_text(), re.MULTILINE)
    assert {component["purl"] for component in bill["components"]} == {f"pkg:pypi/{name}@{pin}" for name, pin in pins}
    assert all(component["licenses"] for component in bill["components"])


def test_everything_in_the_bundle_is_ours_or_in_the_bill_of_materials(wheel: Path) -> None:
    folders = {name.partition("/")[0] for name in unzipped(BUNDLE) if ".dist-info/" not in name}
    (bill,) = [json.loads(content) for name, content in unzipped(wheel).items() if "/sboms/" in name]
    listed = {component["name"].replace("-", "_") for component in bill["components"]}
    assert folders - listed == {"replication_monitor", "secret_replication", "typing_extensions.py"}


def test_every_link_of_the_readme_works_on_pypi(metadata: Message) -> None:
    page = MarkdownIt("gfm-like", {"html": True}).render(str(metadata.get_payload()))
    links = re.findall(r'\b(?:href|src|srcset)="([^"]*)"', page)
    assert len(links) > 5
    assert [link for link in links if not link.startswith("https://")] == []
    repository = urls()["Repository"]
    at_the_tag = re.compile(
        rf"(?:{repository}/blob|{repository.replace('github.com', 'raw.githubusercontent.com')})/v{version()}/([^#]+)"
    )
    files = [found[1] for link in links if (found := at_the_tag.match(link))]
    assert files
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_pypi_shows_where_the_project_lives(metadata: Message) -> None:
    shown = dict(entry.split(", ", 1) for entry in metadata.get_all("Project-URL", []))
    assert shown == urls()
    assert set(shown) >= {"Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith(shown["Repository"]) for url in shown.values())
    assert metadata["Author"]
    assert metadata["Description-Content-Type"] == "text/markdown"


def project() -> dict[str, Any]:
    return dict(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])


def version() -> str:
    return str(project()["version"])


def urls() -> dict[str, str]:
    return dict(project()["urls"])


def test_an_installed_wheel_synthesizes_by_itself_with_the_checkouts_asset(
    installed: Path, published: str, tmp_path: Path
) -> None:
    checkout = ROOT / "constructs"
    assert asset(sys.executable, checkout, tmp_path / "checkout", [checkout]) == published
    assert asset(sys.executable, checkout, tmp_path / "editable", []) == published, "the editable install of make setup"


def test_another_python_makes_the_same_bundle_without_node_and_the_same_asset(
    another_python: Path, wheel: Path, published: str, tmp_path: Path
) -> None:
    packages = Path(sysconfig.get_path("purelib"))
    environment = dict(os.environ) | {"PYTHONPATH": str(packages), "PATH": ""}
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

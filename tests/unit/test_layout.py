"""What must stay so in the tree."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import constructs
import packaging.version
import pytest

ROOT = Path(__file__).parents[2]
LONGEST_MODULE = 200
MOST_COMMENTS_TO_TOOLS = {"noqa": 12, "type: ignore": 11, "fmt: skip": 21}


@pytest.mark.parametrize("module", [constructs, packaging.version])
def test_a_source_root_does_not_shadow_the_pypi_package_of_its_name(module: ModuleType) -> None:
    """With an __init__.py in constructs/, even ``import aws_cdk`` would fail, and pytest with one in packaging/."""
    name = module.__name__.partition(".")[0]
    assert (ROOT / name).is_dir()
    assert not (ROOT / name / "__init__.py").exists()
    assert "site-packages" in str(module.__file__)
    found = f"import {module.__name__} as found; print(found.__file__)"
    run = subprocess.run([sys.executable, "-c", found], cwd=ROOT, text=True, capture_output=True, check=True)
    assert run.stdout.strip() == module.__file__


def test_ci_runs_what_a_developer_runs() -> None:
    assert (ROOT / ".ci" / "run").read_text() == "#!/usr/bin/env bash\nmake check\n"
    assert re.search(r"^check: lint test( |$)", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_every_task_is_in_make_help() -> None:
    listed = subprocess.run(
        ["make", "--no-print-directory", "help"], cwd=ROOT, text=True, capture_output=True, check=True
    ).stdout
    phony = re.search(r"^\.PHONY: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert phony
    assert {line.split()[1] for line in listed.splitlines()} == set(phony[1].split())


def test_a_variable_that_a_task_does_not_read_is_rejected_with_those_that_it_reads() -> None:
    assert "make local does not read SPED. It reads SPEED PORT AUTH PYTHON." in _make("local", "SPED=20").stderr
    assert "make demo does not read SPEED. It reads KEEP FAIL PYTHON." in _make("demo", "SPEED=20").stderr
    assert "make lint does not read ONLY. It reads PYTHON." in _make("lint", "ONLY=plan").stderr


def test_a_task_takes_the_variables_that_its_recipe_reads() -> None:
    recipes = re.findall(r"^([a-z]+):.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    reads = [
        (task, name) for task, recipe in recipes for name in re.findall(r"\$\(([A-Z]+)\)", recipe) if name != "BIN"
    ]
    assert len(reads) > 8
    assert [(task, name) for task, name in reads if _make(task, f"{name}=1").returncode] == []


def test_a_make_switch_is_off_when_its_value_says_so() -> None:
    assert [_make("local", f"AUTH={value}").stdout.count("--auth") for value in ("1", "0", "no", "")] == [1, 0, 0, 0]
    assert [_make("demo", f"FAIL={value}").stdout.count("--fail") for value in ("1", "0", "no", "")] == [1, 0, 0, 0]


def test_a_make_within_make_takes_the_outer_ones_variables() -> None:
    """What ``cdk`` runs before each synthesis, here under ``make demo KEEP=1``."""
    assert "build" in json.loads((ROOT / "cdk.json").read_text())
    outer = {"MAKELEVEL": "1", "MAKEFLAGS": " -- KEEP=1"}
    assert _make("setup", environment=outer).returncode == 0


def _without_make() -> dict[str, str]:
    """The environment, as if no make had started the tests."""
    return {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}


def _make(*arguments: str, environment: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """What make would run."""
    return subprocess.run(
        ["make", "--dry-run", *arguments],
        cwd=ROOT,
        env=_without_make() | dict(environment or {}),
        text=True,
        capture_output=True,
        check=False,
    )


def test_npm_uses_the_configuration_of_the_project_and_says_what_fails(tmp_path: Path) -> None:
    for name in ("Makefile", "package.json", "package-lock.json"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".npmrc").write_text(f"registry=http://127.0.0.1:9/\nfetch-retries=0\ncache={tmp_path}/cache\n")
    done = subprocess.run(
        ["make", "node_modules/done"], cwd=tmp_path, text=True, capture_output=True, check=False, env=_without_make()
    )
    assert done.returncode != 0
    assert "http://127.0.0.1:9/" in done.stderr


@pytest.mark.parametrize(
    "task", ["test", "soak", "mutants", "bench", "lint", "scan", "compat", "dist", "docs", "audit", ".venv/done"]
)
def test_a_task_that_takes_long_says_first_what_it_does_and_for_how_long(task: str) -> None:
    recipe = re.search(rf"^{re.escape(task)}:.*\n\t(.*)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    assert re.fullmatch('@echo "[A-Z].*(seconds|minutes?|hour).*"', recipe[1]), recipe[1]


def test_the_handlers_modules_stay_short() -> None:
    lengths = {path.name: len(path.read_text().splitlines()) for path in (ROOT / "handler").rglob("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST_MODULE} == {}


@pytest.mark.parametrize(("comment", "most"), MOST_COMMENTS_TO_TOOLS.items())
def test_few_comments_switch_off_a_check(comment: str, most: int) -> None:
    tracked = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    files = subprocess.run(tracked, cwd=ROOT, text=True, capture_output=True, check=True).stdout.splitlines()
    lines = [
        (file, line) for file in files if (ROOT / file).exists() for line in (ROOT / file).read_text().splitlines()
    ]
    found = [f"{file}: {line.strip()}" for file, line in lines if f"# {comment}" in line]
    assert len(found) <= most, "\n".join(found)


def test_the_handlers_pins_are_developments_pins() -> None:
    bundled = _pins(ROOT / "handler" / "requirements.txt")
    assert bundled.items() <= _pins(ROOT / "requirements.txt").items()


def _pins(path: Path) -> dict[str, str]:
    lines = [line for line in path.read_text().splitlines() if "==" in line]
    return {name.lower().replace("_", "-"): version for name, version in (line.split("==") for line in lines)}

"""What must stay so in the tree."""

from __future__ import annotations

import re
import subprocess
import sys
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

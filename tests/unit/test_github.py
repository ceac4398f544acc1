"""What only GitHub and pre-commit read: `make lint` checks its form, these tests that it goes with the repository."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.name: path.read_text() for path in (ROOT / ".github" / "workflows").glob("*.yml")}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def test_the_pythons_that_are_checked_are_those_that_are_supported() -> None:
    job = yaml.safe_load(WORKFLOWS["check.yml"])["jobs"]["check"]
    checked = job["strategy"]["matrix"]["python"]
    prefix = "Programming Language :: Python :: "
    supported = [name.removeprefix(prefix) for name in PROJECT["classifiers"] if re.match(rf"{prefix}3\.\d+", name)]
    assert checked == supported
    assert PROJECT["requires-python"] == f">={checked[0]}"
    assert job["steps"][-1] == {"run": "make check"}


def test_a_release_waits_for_every_check() -> None:
    jobs = yaml.safe_load(WORKFLOWS["release.yml"])["jobs"]
    assert jobs["check"]["uses"] == "./.github/workflows/check.yml"
    assert set(jobs["pypi"]["needs"]) == {"check", "build"}
    assert jobs["github"]["needs"] == ["pypi"]


def test_only_the_upload_can_prove_to_pypi_who_it_is() -> None:
    trusted = [
        f"{name}: {job}"
        for name, text in WORKFLOWS.items()
        for job, settings in yaml.safe_load(text)["jobs"].items()
        if "id-token" in settings["permissions"]
    ]
    assert trusted == ["release.yml: pypi"]


def test_no_workflow_needs_a_secret() -> None:
    assert [name for name, text in WORKFLOWS.items() if re.search(r"\bsecrets\b|password", text)] == []


def test_dependabot_updates_every_file_of_pins() -> None:
    found = {
        f"/{path.parent.relative_to(ROOT)}".removesuffix(".")
        for pattern in (
            "*requirements*.txt",
            "handler/*.txt",
            "tools/**/*.txt",
            "package-lock.json",
            "*/package-lock.json",
        )
        for path in ROOT.glob(pattern)
    }
    configured = {folder for update in _updates() for folder in update.get("directories", [update.get("directory")])}
    assert configured == found


def test_dependabot_updates_the_tools_and_not_what_they_need() -> None:
    files = (ROOT / "tools" / "requirements").glob("*.txt")
    tools = [pin for path in files for pin in _pins(path.read_text().partition("\n\n")[0])]
    (update,) = [update for update in _updates() if update.get("directory") == "/tools/requirements"]
    assert [entry["dependency-name"] for entry in update["allow"]] == sorted(tools)


def test_dependabot_ignores_no_package_that_is_gone() -> None:
    ignored = {entry["dependency-name"] for update in _updates() for entry in update.get("ignore", [])}
    assert ignored <= set(_pins((ROOT / "requirements.txt").read_text()))


def test_pre_commit_runs_what_make_lint_runs() -> None:
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    tools = re.findall(r"\)/([\w-]+(?:.* --builtin-schema \S+)?)", recipe[1])
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    hooks = [re.findall(r"bin/([\w-]+(?:.* --builtin-schema \S+)?)", hook["entry"]) for hook in local["hooks"]]
    assert {tool for hook in hooks for tool in hook} == set(tools)


def _updates() -> list[dict[str, Any]]:
    updates: list[dict[str, Any]] = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text())["updates"]
    return updates


def _pins(text: str) -> list[str]:
    return re.findall(r"^([\w.-]+)==", text, re.MULTILINE)

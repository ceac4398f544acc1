"""`make release` in a small repository."""

from __future__ import annotations

import datetime as dt
import re
import subprocess
from pathlib import Path

import pytest

from tools.release import ReleaseError, notes, release

ROOT = Path(__file__).parents[2]
TODAY = dt.date(2026, 12, 24)
PYPROJECT = """[project]
name = "cdk-replicated-secret"
version = "0.1.0"
dependencies = ["other>=0.1.0"]

[project.urls]
Repository = "https://github.com/example/cdk-replicated-secret"
"""
CHANGELOG = """# Changelog

## Unreleased

### Added

- A feature.

## 0.1.0 - 2026-01-02

- The first.
"""
RELEASED = CHANGELOG.replace("## Unreleased\n", "## Unreleased\n\n## 0.2.0 - 2026-12-24\n")


def git(repository: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=repository, text=True, capture_output=True, check=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").write_text(PYPROJECT)
    (tmp_path / "CHANGELOG.md").write_text(CHANGELOG)
    (tmp_path / "README.md").write_text("pip install dist/cdk_replicated_secret-0.1.0-py3-none-any.whl\n")
    (tmp_path / "Makefile").write_text("dist:\n\t@grep version pyproject.toml > built\n")
    (tmp_path / ".gitignore").write_text("built\n")
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    for name, value in {"user.name": "A", "user.email": "a@example.com", "commit.gpgsign": "false"}.items():
        git(tmp_path, "config", name, value)
    commit(tmp_path)
    return tmp_path


def commit(repository: Path) -> None:
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "feat: something")


def test_a_release_sets_the_version_everywhere_builds_commits_and_tags(repository: Path) -> None:
    release(repository, "0.2.0", TODAY)
    assert (repository / "pyproject.toml").read_text() == PYPROJECT.replace('version = "0.1.0"', 'version = "0.2.0"')
    assert (repository / "CHANGELOG.md").read_text() == RELEASED
    assert (repository / "README.md").read_text() == "pip install dist/cdk_replicated_secret-0.2.0-py3-none-any.whl\n"
    assert (repository / "built").read_text() == 'version = "0.2.0"\n'
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "log", "-1", "--format=%s").strip() == "chore: release 0.2.0"
    assert git(repository, "cat-file", "-t", "v0.2.0").strip() == "tag"
    assert git(repository, "rev-parse", "v0.2.0^{commit}") == git(repository, "rev-parse", "HEAD")


def test_a_release_says_what_is_left_to_do(repository: Path) -> None:
    assert "git push --atomic origin main v0.2.0" in release(repository, "0.2.0", TODAY)


@pytest.mark.parametrize("version", ["", "v0.2.0", "0.2", "0.2.0rc1", "0.02.0", "0.1.0", "0.0.9", "0.2.0 "])
def test_a_wrong_version_is_rejected(repository: Path, version: str) -> None:
    with pytest.raises(ReleaseError, match=re.escape(repr(version))):
        release(repository, version, TODAY)
    unchanged(repository)


def test_versions_are_compared_as_numbers(repository: Path) -> None:
    release(repository, "0.10.0", TODAY)
    commit_more(repository)
    with pytest.raises(ReleaseError, match=r"0\.9\.0"):
        release(repository, "0.9.0", TODAY)


@pytest.mark.parametrize("name", ["README.md", "new.py"])
def test_a_dirty_tree_is_rejected(repository: Path, name: str) -> None:
    (repository / name).write_text("changed\n")
    with pytest.raises(ReleaseError, match=re.escape(name)):
        release(repository, "0.2.0", TODAY)
    assert (repository / name).read_text() == "changed\n"
    assert (repository / "CHANGELOG.md").read_text() == CHANGELOG


def test_another_branch_is_rejected(repository: Path) -> None:
    git(repository, "switch", "--quiet", "--create", "feature")
    with pytest.raises(ReleaseError, match="feature"):
        release(repository, "0.2.0", TODAY)
    unchanged(repository)


def test_a_tag_that_exists_is_rejected(repository: Path) -> None:
    git(repository, "tag", "v0.2.0")
    with pytest.raises(ReleaseError, match=r"v0\.2\.0"):
        release(repository, "0.2.0", TODAY)
    assert (repository / "CHANGELOG.md").read_text() == CHANGELOG


def test_a_release_without_changes_is_rejected(repository: Path) -> None:
    release(repository, "0.2.0", TODAY)
    with pytest.raises(ReleaseError, match="Unreleased"):
        release(repository, "0.3.0", TODAY)


@pytest.mark.parametrize("name", ["pyproject.toml", "README.md", "zensical.toml"])
def test_placeholder_urls_are_rejected(repository: Path, name: str) -> None:
    file = repository / name
    text = file.read_text() if file.exists() else ""
    file.write_text(f"{text}\n# https://github.com/OWNER/cdk-replicated-secret\n")
    commit(repository)
    with pytest.raises(ReleaseError, match="OWNER"):
        release(repository, "0.2.0", TODAY)


@pytest.mark.parametrize("breaks", ["the build", "the commit"])
def test_a_release_that_fails_leaves_everything_as_it_was(repository: Path, breaks: str) -> None:
    if breaks == "the build":
        (repository / "Makefile").write_text("dist:\n\t@false\n")
        commit(repository)
    else:
        hook = repository / ".git" / "hooks" / "pre-commit"
        hook.write_text("#!/bin/sh\nexit 1\n")
        hook.chmod(0o755)
    with pytest.raises(ReleaseError, match="failed"):
        release(repository, "0.2.0", TODAY)
    unchanged(repository)


def test_the_notes_of_a_release_are_its_section_of_the_changelog(repository: Path) -> None:
    release(repository, "0.2.0", TODAY)
    assert notes(repository, "0.2.0") == "### Added\n\n- A feature.\n"
    with pytest.raises(ReleaseError, match=r"0\.1\.0"):
        notes(repository, "0.1.0")


def test_the_real_files_have_what_a_release_changes() -> None:
    assert "\n## Unreleased\n" in (ROOT / "CHANGELOG.md").read_text()
    assert len(re.findall(r'^version = "', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)) == 1


def unchanged(repository: Path) -> None:
    assert git(repository, "status", "--porcelain") == ""
    assert git(repository, "tag") == ""
    assert git(repository, "log", "-1", "--format=%s").strip() == "feat: something"


def commit_more(repository: Path) -> None:
    changelog = repository / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("## Unreleased\n", "## Unreleased\n\n- More.\n"))
    commit(repository)

"""``make release``: everything that a release needs before it is pushed.

``python -m tools.release --notes 0.2.0`` prints the changes of that release, for its page on GitHub.
"""

from __future__ import annotations

import argparse
import datetime as dt
import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent
_WITH_URLS = ("pyproject.toml", "README.md", "zensical.toml")
_VERSION = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
_UNRELEASED = "## Unreleased\n"
_WHEEL = "cdk_replicated_secret-{}-"


class ReleaseError(Exception):
    """The message says why there is no release. Nothing has changed."""


def release(root: Path, version: str, today: dt.date) -> str:
    """Set the version, date the changes, build, commit and tag.

    Args:
        root: The checkout.
        version: The new one.
        today: The date of the release.

    Returns:
        What is left to do.

    Raises:
        ReleaseError: If the version or the checkout does not allow it, or if the build or the commit fails.
    """
    current = _current_version(root)
    _check(root, version, current)
    try:
        _write(root, version, current, today)
        subprocess.run(["make", "--no-print-directory", "dist"], cwd=root, check=True)
        _git(root, "commit", "--quiet", "--all", "--message", f"chore: release {version}")
    except BaseException as error:
        _git(root, "restore", "--staged", "--worktree", ".")
        if isinstance(error, subprocess.CalledProcessError):
            raise ReleaseError(f"{' '.join(error.cmd)} failed; the files were restored") from error
        raise
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"Release {version}")
    return f"""Release {version} is committed and tagged, and its files are in dist/. Nothing is pushed.

To publish it:      git push --atomic origin main v{version}
To undo it:         git tag --delete v{version} && git reset --hard HEAD~1

The workflow "release" of the tag runs every check, uploads to PyPI and creates the release on GitHub.
"""


def notes(root: Path, version: str) -> str:
    """The changes of a release, from CHANGELOG.md.

    Raises:
        ReleaseError: If the checkout has another version, or CHANGELOG.md has no changes for this one.
    """
    if version != (current := _current_version(root)):
        raise ReleaseError(f"pyproject.toml has version {current}, not {version}")
    return _section(root, f"## {re.escape(version)} - [^\n]*\n") + "\n"


def _check(root: Path, version: str, current: str) -> None:
    if not _VERSION.fullmatch(version) or _numbers(version) <= _numbers(current):
        raise ReleaseError(f"VERSION is {version!r}: give one that is higher than {current}, in the form 1.2.3")
    if changed := _git(root, "status", "--porcelain"):
        raise ReleaseError(f"commit or remove these changes first:\n{changed}")
    if (branch := _git(root, "branch", "--show-current").strip()) != "main":
        raise ReleaseError(f"the branch is {branch!r}: switch to main, where releases are made")
    if _git(root, "tag", "--list", f"v{version}"):
        raise ReleaseError(f"the tag v{version} exists already: give another VERSION, or delete the tag")
    if not _section(root, _UNRELEASED):
        raise ReleaseError("CHANGELOG.md has no changes under Unreleased: write them first")
    placed = [name for name in _WITH_URLS if (root / name).exists() and "/OWNER/" in (root / name).read_text()]
    if placed:
        raise ReleaseError(f"replace OWNER in {', '.join(placed)} with the owner of the repository on GitHub")


def _write(root: Path, version: str, current: str, today: dt.date) -> None:
    changes = {
        "pyproject.toml": (f'\nversion = "{current}"\n', f'\nversion = "{version}"\n'),
        "CHANGELOG.md": (_UNRELEASED, f"{_UNRELEASED}\n## {version} - {today}\n"),
    }
    for page in _git(root, "ls-files", "*.md").splitlines():
        changes.setdefault(page, (_WHEEL.format(current), _WHEEL.format(version)))
    for name, (old, new) in changes.items():
        text = (root / name).read_text()
        if old in text:
            (root / name).write_text(text.replace(old, new))


def _section(root: Path, heading: str) -> str:
    """What is below a heading of the changelog, up to the next one of its level."""
    found = re.search(rf"^{heading}(.*?)(?=^## |\Z)", (root / "CHANGELOG.md").read_text(), re.MULTILINE | re.DOTALL)
    return found[1].strip() if found else ""


def _current_version(root: Path) -> str:
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def _numbers(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, text=True, stdout=subprocess.PIPE, check=True).stdout


def main() -> int:
    """Make the release, or print its notes."""
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--notes", action="store_true")
    given = parser.parse_args()
    try:
        if given.notes:
            sys.stdout.write(notes(ROOT, given.version))
        else:
            sys.stdout.write(release(ROOT, given.version, dt.datetime.now(tz=dt.UTC).date()))
    except ReleaseError as error:
        sys.stderr.write(f"No release: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

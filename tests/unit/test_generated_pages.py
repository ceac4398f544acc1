"""The pages that benchmarks and fault injection write say what they were made from, and are not stale."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

import bench
from tools import faults, stamp
from tools.stamp import code_lines


@pytest.mark.parametrize(
    ("page", "sources", "task"),
    [("benchmarks.md", bench.SOURCES, "make bench"), ("reliability.md", faults.SOURCES, "make faults")],
    ids=["benchmarks", "reliability"],
)
def test_a_generated_page_is_not_stale(page: str, sources: Sequence[str], task: str) -> None:
    lines = (stamp.ROOT / "docs" / "design" / page).read_text().splitlines()
    assert stamp.stamp(*sources) in lines, f"the code has changed since docs/design/{page} was made: run `{task}`"


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A module in a folder of its own, with one function."""
    monkeypatch.setattr(stamp, "ROOT", tmp_path)
    path = tmp_path / "package" / "module.py"
    path.parent.mkdir()
    path.write_text("def double(number):\n    return 2 * number\n")
    return path


@pytest.mark.parametrize(
    "text",
    [
        '"""A module."""\n\n# Twice.\ndef double(number):\n    """Double it."""\n\n    return 2 * number\n',
        "def double(number):\n    return 2 * number  \n\n\n",
    ],
    ids=["comments and docstrings", "blank lines"],
)
def test_a_stamp_stays_the_same_when_the_code_does(module: Path, text: str) -> None:
    before = stamp.stamp("package")
    module.write_text(text)
    assert stamp.stamp("package") == before


@pytest.mark.parametrize(
    "text",
    [
        "def double(number):\n    return 3 * number\n",
        "def twice(number):\n    return 2 * number\n",
        "def double(number):\n  return 2 * number\n",
    ],
    ids=["a number", "a name", "indentation"],
)
def test_a_stamp_changes_with_the_code(module: Path, text: str) -> None:
    before = stamp.stamp("package")
    module.write_text(text)
    assert stamp.stamp("package") != before


def test_a_stamp_does_not_depend_on_what_npm_installed(module: Path) -> None:
    before = stamp.stamp("package")
    installed = module.parent / "node_modules" / "LICENSE.txt"
    installed.parent.mkdir()
    installed.write_text("MIT\n")
    assert stamp.stamp("package") == before


def test_a_stamp_changes_when_a_file_is_renamed_or_a_requirement_changes(module: Path) -> None:
    before = stamp.stamp("package")
    module.rename(module.with_name("other.py"))
    renamed = stamp.stamp("package")
    (module.parent / "requirements.txt").write_text("crhelper==2.0.12\n")
    assert len({before, renamed, stamp.stamp("package")}) == 3


def test_a_stamp_names_each_source(module: Path) -> None:
    line = stamp.stamp("package", "package/module.py")
    assert line.startswith("Made from `package` ")
    assert ", `package/module.py` " in line


def test_a_source_that_is_not_there_is_an_error(module: Path) -> None:
    with pytest.raises(FileNotFoundError, match="elsewhere"):
        stamp.stamp("elsewhere")


def test_lines_of_code_are_neither_blank_nor_comments_nor_docstrings(tmp_path: Path) -> None:
    path = tmp_path / "module.py"
    path.write_text('"""Two\nlines."""\n\n# A comment.\nclass Empty:\n    """Nothing."""\n\n\nvalue = """\ntext\n"""\n')
    assert code_lines(path) == ["class Empty:", 'value = """', "text", '"""']

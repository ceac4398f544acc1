"""The guide's pages: each page's blocks of Python are one app, which synthesizes; what they state elsewhere is so."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import aws_cdk as cdk
import pytest

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guide"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
PAGES = [page for page in sorted(GUIDE.glob("*.md")) if BLOCK.search(page.read_text())]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_pages_app_synthesizes(page: Path) -> None:
    names: dict[str, object] = {}
    exec("\n".join(BLOCK.findall(page.read_text())), names)
    app = names["app"]
    assert isinstance(app, cdk.App)
    templates = [stack.template for stack in app.synth().stacks]
    assert any("Custom::ReplicatedSecret" in str(template) for template in templates)


def test_the_supported_versions_are_those_of_the_package() -> None:
    page = (GUIDE / "upgrading.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    dependencies = dict(re.findall(r"^([\w-]+)(.*)$", "\n".join(project["dependencies"]), re.MULTILINE))
    rows = dict(re.findall(r"^\| `?([^|`]+?)`? \| `?([^|`]+?)`? \|$", page, re.MULTILINE))
    assert rows["Python, for synthesis"] == f"{project['requires-python'].removeprefix('>=')} or newer"
    assert {name: rows[name] for name in dependencies} == dependencies


def test_the_comparison_quotes_the_benchmarks() -> None:
    benchmarks = (ROOT / "docs" / "design" / "benchmarks.md").read_text()
    quoted = re.findall(r"\*\*(`CREATE_COMPLETE`[^*]*)\*\*", (GUIDE / "comparison.md").read_text())
    measured = re.findall(r"\*\*(CREATE_COMPLETE\*\*, [^|]*?) \|", benchmarks)
    assert [quote.replace("`", "") for quote in quoted] == [result.replace("*", "") for result in measured]
    assert len(measured) == 2

"""The guide's pages: each page's blocks of Python are one app, which synthesizes; what they state elsewhere is so."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import assertions

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


def test_the_policy_of_the_security_review_is_the_one_that_is_synthesized() -> None:
    page = (GUIDE / "security.md").read_text()
    names: dict[str, Any] = {}
    exec("\n".join(BLOCK.findall(page)), names)
    template = assertions.Template.from_stack(names["stack"])
    (policy,) = template.find_resources("AWS::IAM::ManagedPolicy").values()
    (shown,) = re.findall(r"^```json\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    assert json.loads(shown) == _literal(policy["Properties"]["PolicyDocument"])


def _literal(value: Any) -> Any:
    """With Fn::Join and AWS::Partition resolved."""
    if isinstance(value, list):
        return [_literal(item) for item in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join("aws" if part == {"Ref": "AWS::Partition"} else part for part in parts)
    return {key: _literal(item) for key, item in value.items()}


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

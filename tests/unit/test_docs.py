"""The pages say what is so, as far as a test can tell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from secret_replication.model import Step
from secret_replication.properties import PROPERTIES

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/*.md")])
SOURCE_FOLDERS = ("handler", "live", "local", "constructs", "packaging", "tests", "tools")
SOURCES = [path for folder in SOURCE_FOLDERS for path in ROOT.glob(f"{folder}/**/*.py")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_link_is_dead(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert [link for link in links if "://" not in link and not (page.parent / link).exists()] == []


def test_every_fact_that_is_cited_is_written_down() -> None:
    facts = "".join((ROOT / "docs" / "design" / name).read_text() for name in ("aws-facts.md", "protocol.md"))
    known = set(re.findall(r"^(?:\| )?([FUPC]\d+)\b", facts, re.MULTILINE))
    cited = {fact for path in SOURCES for fact in re.findall(r"\b([FUPC]\d{1,2})\b", _comments(path))}
    assert len(cited) > 20
    assert cited <= known


def test_the_lifecycle_page_knows_every_step() -> None:
    page = (ROOT / "docs" / "reference" / "lifecycle.md").read_text()
    assert [step for step in Step if step.value not in page] == []


def test_the_readme_names_every_property_and_both_commands() -> None:
    readme = (ROOT / "README.md").read_text()
    assert all(name in readme for name in (*PROPERTIES, "make demo", "make test"))


def test_the_readmes_example_synthesizes(tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    environment = dict(os.environ) | {"CDK_OUTDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", example], env=environment, cwd=tmp_path, check=True)
    template = (tmp_path / "Database.template.json").read_text()
    assert "Custom::ReplicatedSecret" in template
    shown = re.findall(r"^    Database\.(\w+) = InSync$", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert len(shown) == 2
    assert set(shown) <= json.loads(template)["Outputs"].keys()


def test_the_readme_quotes_what_a_failed_stack_reports() -> None:
    (quoted,) = re.findall(r"^    (ROLLBACK_COMPLETE: .*)$", (ROOT / "README.md").read_text(), re.MULTILINE)
    benchmarks = (ROOT / "docs" / "design" / "benchmarks.md").read_text()
    assert quoted.removesuffix(". To fix this…") in benchmarks.replace("app/ours-taken", "app/database")


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) < 120


def test_every_fact_about_aws_has_a_test_named_after_it() -> None:
    facts = re.findall(r"^F(\d+)\.", (ROOT / "docs" / "design" / "aws-facts.md").read_text(), re.MULTILINE)
    sources = "".join(path.read_text() for path in SOURCES if path.name in ("test_model.py", "test_script.py"))
    tested = {
        int(number) for name in re.findall(r"def test_((?:f\d+_)+)", sources) for number in re.findall(r"\d+", name)
    }
    # F27, F28 and F41 are about other services, F30 to F37 about permissions, which the model leaves to MiniStack; F26
    # and F29 are tested with the handler.
    assert {int(fact) for fact in facts} - {26, 27, 28, 29, *range(30, 38), 41} == tested


def test_the_example_for_your_own_tests_runs() -> None:
    page = (ROOT / "docs" / "design" / "local-aws.md").read_text()
    _, _, part = page.partition("three lines\n")
    three, http = re.findall(r"(?:^    .*\n)+", part, re.MULTILINE)[:2]
    names: dict[str, object] = {}
    imports = """
import boto3
from local.clock import SystemClock, VirtualClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import Endpoint, client
"""
    exec(imports + textwrap.dedent(three) + textwrap.dedent(http), names)
    assert {"model", "secrets"} <= set(names)


def _comments(path: Path) -> str:
    """Comments and docstrings: a number in other strings is no citation."""
    text = path.read_text()
    return "\n".join([*re.findall(r"# .*", text), *re.findall(r'""".*?"""', text, re.DOTALL)])

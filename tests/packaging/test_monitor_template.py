"""The monitor's template of ``make dist``: the construct's monitor, with parameters."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk.assertions import Template

from cdk_replicated_secret import ReplicationMonitor

ROOT = Path(__file__).parents[2]
NAME = "monitor.template.yaml"


@pytest.fixture(scope="module")
def template(dist: Path) -> dict[str, Any]:
    return dict(yaml.safe_load((dist / NAME).read_text()))


def test_the_resources_are_the_constructs(template: dict[str, Any]) -> None:
    stack = cdk.Stack(cdk.App(), "Monitor")
    ReplicationMonitor(stack, "Monitor").alarm()
    expected = Template.from_stack(stack).to_json()["Resources"]
    assert template["Resources"].keys() == expected.keys()
    for name, resource in expected.items():
        differs = {
            key
            for key, value in template["Resources"][name]["Properties"].items()
            if resource["Properties"].get(key) != value
        }
        assert differs <= {
            "AWS::Lambda::Function": {"Code", "Environment", "MemorySize"},
            "AWS::IAM::Role": {"Policies"},
            "AWS::CloudWatch::Alarm": {"AlarmActions", "OKActions"},
        }.get(resource["Type"], set())


def test_each_parameter_reaches_the_function(template: dict[str, Any]) -> None:
    (function,) = (one for one in template["Resources"].values() if one["Type"] == "AWS::Lambda::Function")
    assert function["Properties"]["Environment"]["Variables"] == {
        "NAME_PREFIX": {"Ref": "NamePrefix"},
        "TAGS": {"Ref": "Tags"},
        "IN_PROGRESS_MINUTES": {"Ref": "InProgressMinutes"},
        "VERIFY": {"Ref": "Verify"},
    }
    assert function["Properties"]["MemorySize"] == {"Ref": "MemorySize"}
    assert function["Properties"]["Code"] == "handler.zip"


def test_the_page_has_every_parameter_with_its_default(template: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "guide" / "monitoring.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", page, re.MULTILINE))
    for name, parameter in template["Parameters"].items():
        default = parameter["Default"]
        assert rows[name].strip() == (f"`{default}`" if default != "" else "none"), name


def test_cfn_lint_finds_nothing_but_that_the_code_is_to_be_packaged(dist: Path) -> None:
    lint = Path(sys.executable).parent / "cfn-lint"
    command: list[str | Path] = [
        lint,
        "--non-zero-exit-code",
        "none",
        "--regions",
        "us-west-2",
        "--template",
        dist / NAME,
    ]
    found = subprocess.run(command, text=True, capture_output=True, check=True).stdout
    assert found.splitlines()[0] == "W3002 This code may only work with 'package' cli command"
    assert len(found.split("\n\n")) == 2

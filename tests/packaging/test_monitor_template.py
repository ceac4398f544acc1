"""The monitor's template of ``make dist``: the construct's monitor, with parameters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
import yaml
from aws_cdk.assertions import Template

import replication_monitor.main
import secret_replication.service
from cdk_replicated_secret import ReplicationMonitor, provider
from tests.helpers.template import lint

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
            "AWS::Lambda::Function": {"Architectures", "Code", "Environment", "MemorySize"},
            "AWS::IAM::Role": {"PermissionsBoundary", "Policies"},
            "AWS::Events::Rule": {"ScheduleExpression"},
            "AWS::CloudWatch::Alarm": {"AlarmActions", "OKActions", "Period"},
        }.get(resource["Type"], set())


def properties(template: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in template["Resources"].values() if resource["Type"] == kind]


def test_the_period_of_the_alarms_is_that_of_the_schedule(template: dict[str, Any]) -> None:
    schedule = template["Parameters"]["ScheduleMinutes"]
    assert schedule["Default"] in schedule["AllowedValues"]
    (seconds,) = template["Mappings"].values()
    assert {minutes: int(found["Seconds"]) for minutes, found in seconds.items()} == {
        minutes: int(minutes) * 60 for minutes in schedule["AllowedValues"]
    }
    (name,) = template["Mappings"]
    period = {"Fn::FindInMap": [name, {"Ref": "ScheduleMinutes"}, "Seconds"]}
    assert [alarm["Period"] for alarm in properties(template, "AWS::CloudWatch::Alarm")] == [period] * 6
    (rule,) = properties(template, "AWS::Events::Rule")
    # EventBridge does not accept "rate(1 minutes)".
    assert rule["ScheduleExpression"] == {"Fn::Sub": "rate(${ScheduleMinutes} minutes)"}
    assert "1" not in schedule["AllowedValues"]


def test_the_role_may_have_a_permissions_boundary(template: dict[str, Any]) -> None:
    (role,) = properties(template, "AWS::IAM::Role")
    given = {"Ref": "PermissionsBoundaryArn"}
    assert role["PermissionsBoundary"] == {"Fn::If": ["HasBoundary", given, {"Ref": "AWS::NoValue"}]}


@pytest.mark.parametrize(
    ("parameter", "accepted", "rejected"),
    [
        ("NamePrefix", ["", "app/", "rds!db"], ["app/*", "!app"]),
        (
            "Tags",
            ["{}", '{"team": "orders"}', '{"team":"orders", "équipe" : ""}'],
            ["", "team=orders", "{team: orders}", '{"team": 1}', '{"a": "b",}', '["a"]'],
        ),
        ("InProgressMinutes", ["0", "30"], ["", "-1", "an hour"]),
        ("Verify", ["true", "false"], ["yes", ""]),
        (
            "TopicArn",
            ["", "arn:aws:sns:us-west-2:111122223333:operations", "arn:aws-cn:sns:cn-north-1:111122223333:a"],
            ["operations", "arn:aws:sqs:us-west-2:111122223333:operations"],
        ),
    ],
)
def test_a_parameter_in_another_form_is_rejected(
    template: dict[str, Any], parameter: str, accepted: list[str], rejected: list[str]
) -> None:
    pattern = template["Parameters"][parameter]["AllowedPattern"]
    assert [value for value in accepted + rejected if re.fullmatch(pattern, value)] == accepted


def test_the_description_does_not_say_that_one_is_enough(template: dict[str, Any]) -> None:
    """A monitor for each prefix divides many secrets."""
    assert "once per account" not in template["Description"]


def test_each_parameter_reaches_the_function(template: dict[str, Any]) -> None:
    (function,) = properties(template, "AWS::Lambda::Function")
    assert function["Environment"]["Variables"] == {
        "NAME_PREFIX": {"Ref": "NamePrefix"},
        "TAGS": {"Ref": "Tags"},
        "IN_PROGRESS_MINUTES": {"Ref": "InProgressMinutes"},
        "VERIFY": {"Ref": "Verify"},
    }
    assert function["MemorySize"] == {"Ref": "MemorySize"}
    assert function["Architectures"] == [{"Ref": "Architecture"}]
    assert function["Code"] == "handler.zip"


def test_the_page_has_every_parameter_with_its_default(template: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "guide" / "monitoring.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \|.*\|(.*)\|$", page, re.MULTILINE))
    for name, parameter in template["Parameters"].items():
        default = parameter["Default"]
        assert rows[name].strip() == (f"`{default}`" if default != "" else "none"), name


def test_cfn_lint_finds_nothing_but_that_the_code_is_to_be_packaged(dist: Path) -> None:
    found = lint("--template", dist / NAME)
    assert found.splitlines()[0] == "W3002 This code may only work with 'package' cli command"
    assert len(found.split("\n\n")) == 2


def test_the_constructs_and_the_functions_have_one_namespace() -> None:
    assert provider.NAMESPACE == replication_monitor.main.NAMESPACE == secret_replication.service.NAME

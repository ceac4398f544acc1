"""The monitor: its function, schedule, permissions, metrics and alarms."""

from __future__ import annotations

import inspect
import json
import re
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_events as events
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk.assertions import Template

from cdk_replicated_secret import ReplicatedSecret, ReplicationMonitor

ACCOUNT = "000000000000"
METRICS = {
    "SecretsChecked",
    "ReplicasInSync",
    "ReplicasFailed",
    "ReplicasInProgress",
    "ReplicasMissing",
    "ReplicasPromoted",
    "CheckFailed",
}


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "App", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))


def properties(stack: cdk.Stack, kind: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in Template.from_stack(stack).find_resources(kind).values()]


def alarms(stack: cdk.Stack) -> dict[str, dict[str, Any]]:
    return {
        f"{alarm['MetricName']} {alarm['Statistic']}": alarm for alarm in properties(stack, "AWS::CloudWatch::Alarm")
    }


def test_the_defaults(stack: cdk.Stack) -> None:
    ReplicationMonitor(stack, "Monitor")
    (function,) = properties(stack, "AWS::Lambda::Function")
    assert (function["Handler"], function["MemorySize"], function["Timeout"]) == (
        "replication_monitor.main.handler",
        512,
        900,
    )
    assert function["Environment"]["Variables"] == {
        "NAME_PREFIX": "",
        "TAGS": "{}",
        "IN_PROGRESS_MINUTES": "30",
        "VERIFY": "false",
    }
    (rule,) = properties(stack, "AWS::Events::Rule")
    assert (rule["ScheduleExpression"], rule["State"], len(rule["Targets"])) == ("rate(1 hour)", "ENABLED", 1)
    (invocation,) = properties(stack, "AWS::Lambda::EventInvokeConfig")
    assert invocation["MaximumRetryAttempts"] == 0


def test_every_argument_reaches_the_function(stack: cdk.Stack) -> None:
    ReplicationMonitor(
        stack,
        "Monitor",
        schedule=cdk.Duration.minutes(15),
        name_prefix="app/",
        tags={"team": "a"},
        in_progress_minutes=5,
        verify=True,
        memory_size=1024,
        architecture=lambda_.Architecture.X86_64,
        log_retention=logs.RetentionDays.ONE_WEEK,
    )
    (function,) = properties(stack, "AWS::Lambda::Function")
    assert function["Environment"]["Variables"] == {
        "NAME_PREFIX": "app/",
        "TAGS": '{"team":"a"}',
        "IN_PROGRESS_MINUTES": "5",
        "VERIFY": "true",
    }
    assert (function["MemorySize"], function["Architectures"]) == (1024, ["x86_64"])
    assert properties(stack, "AWS::Events::Rule")[0]["ScheduleExpression"] == "rate(15 minutes)"
    assert properties(stack, "AWS::Logs::LogGroup")[0]["RetentionInDays"] == 7


@pytest.mark.parametrize("prefix", ["", "app/"])
def test_the_function_may_list_and_describe_secrets_and_write_its_log(stack: cdk.Stack, prefix: str) -> None:
    ReplicationMonitor(stack, "Monitor", name_prefix=prefix)
    (role,) = properties(stack, "AWS::IAM::Role")
    assert "ManagedPolicyArns" not in role
    granted = {policy["PolicyName"]: policy["PolicyDocument"]["Statement"][0] for policy in role["Policies"]}
    actions = {name: statement["Action"] for name, statement in granted.items()}
    assert actions == {
        "Logs": ["logs:CreateLogStream", "logs:PutLogEvents"],
        "List": "secretsmanager:ListSecrets",
        "Describe": "secretsmanager:DescribeSecret",
    }
    assert json.dumps(granted["Describe"]["Resource"]).endswith(f':secretsmanager:*:{ACCOUNT}:secret:{prefix}*"]]}}')
    for kind in ("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"):
        Template.from_stack(stack).resource_count_is(kind, 0)


def test_it_runs_the_code_of_the_provider(stack: cdk.Stack) -> None:
    """One asset is uploaded."""
    ReplicationMonitor(stack, "Monitor")
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    assert len({json.dumps(function["Code"]) for function in properties(stack, "AWS::Lambda::Function")}) == 1


def test_there_is_a_method_for_each_metric_of_this_monitor_alone(stack: cdk.Stack) -> None:
    monitor = ReplicationMonitor(stack, "Monitor", schedule=cdk.Duration.minutes(5))
    made = [method() for name, method in inspect.getmembers(monitor) if name.startswith("metric_")]
    assert {metric.metric_name for metric in made} == METRICS
    for metric in made:
        assert (metric.namespace, metric.statistic) == ("cdk-replicated-secret", "Maximum")
        assert metric.dimensions == {"service": monitor.function.function_name}
        assert metric.period.to_minutes() == 5
    assert monitor.metric_check_failed(statistic="Sum").statistic == "Sum"


def test_the_alarms(stack: cdk.Stack) -> None:
    monitor = ReplicationMonitor(stack, "Monitor", schedule=cdk.Duration.hours(6))
    assert len(monitor.alarm(sns.Topic(stack, "Topic"))) == 6
    made = alarms(stack)
    (topic,) = Template.from_stack(stack).find_resources("AWS::SNS::Topic")
    assert {name: (alarm["EvaluationPeriods"], alarm["TreatMissingData"]) for name, alarm in made.items()} == {
        "ReplicasFailed Maximum": (1, "ignore"),
        "ReplicasInProgress Maximum": (1, "ignore"),
        "ReplicasMissing Maximum": (1, "ignore"),
        "ReplicasPromoted Maximum": (1, "ignore"),
        "CheckFailed Maximum": (2, "ignore"),
        "SecretsChecked SampleCount": (2, "breaching"),
    }
    for name, alarm in made.items():
        less = name.startswith("SecretsChecked")
        assert alarm["ComparisonOperator"] == ("LessThanThreshold" if less else "GreaterThanOrEqualToThreshold")
        assert (alarm["Threshold"], alarm["Period"]) == (1, 6 * 3600)
        assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": topic}]
        assert alarm["Dimensions"] == [{"Name": "service", "Value": stack.resolve(monitor.function.function_name)}]


def test_alarms_without_a_topic_have_no_actions(stack: cdk.Stack) -> None:
    ReplicationMonitor(stack, "Monitor").alarm()
    assert {"AlarmActions", "OKActions"} & {key for alarm in alarms(stack).values() for key in alarm} == set()


def test_the_dashboard_widget_shows_every_metric(stack: cdk.Stack) -> None:
    widget = ReplicationMonitor(stack, "Monitor").dashboard_widget(width=24)
    cloudwatch.Dashboard(stack, "Board", widgets=[[widget]])
    (board,) = properties(stack, "AWS::CloudWatch::Dashboard")
    assert set(re.findall(r"|".join(METRICS), json.dumps(board["DashboardBody"]))) == METRICS


def test_two_monitors_in_a_stack_do_not_share_metrics(stack: cdk.Stack) -> None:
    one, two = (ReplicationMonitor(stack, name, name_prefix=name) for name in ("a", "b"))
    assert len([*one.alarm(), *two.alarm()]) == len(properties(stack, "AWS::CloudWatch::Alarm"))
    assert one.metric_check_failed().dimensions != two.metric_check_failed().dimensions


def test_a_schedule_of_eventbridge_is_rejected(stack: cdk.Stack) -> None:
    schedule: Any = events.Schedule.rate(cdk.Duration.minutes(5))
    with pytest.raises(TypeError, match=r"App/Monitor: schedule is .*: expected a Duration, for example Duration"):
        ReplicationMonitor(stack, "Monitor", schedule=schedule)


def test_a_prefix_may_be_a_token(stack: cdk.Stack) -> None:
    prefix = cdk.CfnParameter(stack, "Prefix")
    ReplicationMonitor(stack, "Monitor", name_prefix=prefix.value_as_string, tags={"team": prefix.value_as_string})
    (function,) = properties(stack, "AWS::Lambda::Function")
    variables = function["Environment"]["Variables"]
    assert variables["NAME_PREFIX"] == {"Ref": "Prefix"}
    assert variables["TAGS"] == {"Fn::Join": ["", ['{"team":"', {"Ref": "Prefix"}, '"}']]}


def test_the_minutes_may_be_a_token(stack: cdk.Stack) -> None:
    minutes: Any = cdk.CfnParameter(stack, "Minutes", type="Number").value_as_number
    ReplicationMonitor(stack, "Monitor", in_progress_minutes=minutes)
    (function,) = properties(stack, "AWS::Lambda::Function")
    assert function["Environment"]["Variables"]["IN_PROGRESS_MINUTES"] == {"Ref": "Minutes"}


@pytest.mark.parametrize("prefix", ["app/*", "!app", "app database", "arn:aws:secretsmanager:us-west-2"])
def test_a_prefix_that_no_name_can_have_is_rejected(stack: cdk.Stack, prefix: str) -> None:
    """IAM would take it as a pattern, and ListSecrets would reject or negate it."""
    with pytest.raises(ValueError, match=r"App/Monitor: name_prefix is '.*': expected the first characters of names"):
        ReplicationMonitor(stack, "Monitor", name_prefix=prefix)


def test_the_prefix_of_a_managed_secret_is_accepted(stack: cdk.Stack) -> None:
    ReplicationMonitor(stack, "Monitor", name_prefix="rds!cluster-")


@pytest.mark.parametrize("schedule", [cdk.Duration.seconds(30), cdk.Duration.seconds(90), cdk.Duration.days(2)])
def test_an_impossible_schedule_is_rejected(stack: cdk.Stack, schedule: cdk.Duration) -> None:
    with pytest.raises(ValueError, match=r"App/Monitor: schedule is \d+ seconds: expected whole minutes, from one"):
        ReplicationMonitor(stack, "Monitor", schedule=schedule)

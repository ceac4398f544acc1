"""The monitor on local AWS with IAM enforced: deployed from the construct, it finds what the test breaks."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_sns as sns

from cdk_replicated_secret import ReplicatedSecret, ReplicationMonitor
from cloudformation.__main__ import build
from local.cdk import Cdk
from local.server import ACCOUNT, REGION, LocalAws, clean_environment
from tests.helpers.shell import Shell, steps
from tests.helpers.target import target_of

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("monitor")]
PARIS = "eu-west-3"
NAMES = ("healthy", "denied", "removed", "promoted")


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws(speed=20, auth=True) as started:
        yield started


@pytest.fixture(scope="module")
def functions(aws: LocalAws, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Two stacks: four replicated secrets, and the monitor, which allows no time in progress and verifies."""
    folder: Path = tmp_path_factory.mktemp("assembly")
    command = Cdk(aws.environment, tmp_path_factory.mktemp("cli"))
    command.bootstrap()
    for name in NAMES:
        aws.client("secretsmanager").create_secret(Name=f"app/{name}", SecretString=name)
    # Its name is taken in Paris, and no deployment fails for it.
    aws.client("secretsmanager", PARIS).create_secret(Name="app/collides", SecretString="another")
    app = cdk.App(outdir=str(folder))
    stack, other = (
        cdk.Stack(app, name, env=cdk.Environment(account=ACCOUNT, region=REGION)) for name in ("Secrets", "Monitor")
    )
    for name in NAMES:
        secret = sm.Secret.from_secret_name_v2(stack, f"{name}Secret", f"app/{name}")
        ReplicatedSecret(stack, name.title(), secret=secret, regions=[PARIS])
    monitor = ReplicationMonitor(other, "Replicas", name_prefix="app/", in_progress_minutes=0, verify=True)
    monitor.alarm(sns.Topic(other, "Topic"))
    cdk.CfnOutput(other, "Function", value=monitor.function.function_name)
    cdk.CfnOutput(other, "Group", value=monitor.function.log_group.log_group_name)
    app.synth()
    command.run("deploy", "--all", "--app", str(folder), "--require-approval", "never")
    (described,) = aws.client("cloudformation").describe_stacks(StackName="Monitor")["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def check(aws: LocalAws, functions: dict[str, str]) -> dict[str, int]:
    """Run the function as the schedule does, and return what it counted."""
    response = aws.client("lambda").invoke(FunctionName=functions["Function"])
    payload = response["Payload"].read()
    assert "FunctionError" not in response, payload
    return dict(json.loads(payload))


def lines(aws: LocalAws, functions: dict[str, str]) -> list[dict[str, Any]]:
    """What the function has logged, as JSON."""
    events = aws.client("logs").filter_log_events(logGroupName=functions["Group"])["events"]
    texts = [line for event in events for line in event["message"].splitlines()]
    return [json.loads(text) for text in texts if text.startswith("{")]


@pytest.fixture(scope="module")
def healthy(aws: LocalAws, functions: dict[str, str]) -> dict[str, int]:
    """What the monitor counts after the deployment."""
    return check(aws, functions)


@pytest.fixture(scope="module")
def broken(aws: LocalAws, functions: dict[str, str], healthy: dict[str, int]) -> dict[str, int]:
    """What it counts after a replica was removed, one promoted, one failed, and one secret's reading was denied."""
    secrets, there = aws.client("secretsmanager"), aws.client("secretsmanager", PARIS)
    arns = {name: secrets.describe_secret(SecretId=f"app/{name}")["ARN"] for name in NAMES}
    secrets.create_secret(Name="app/collides", SecretString="value", AddReplicaRegions=[{"Region": PARIS}])
    secrets.remove_regions_from_replication(SecretId=arns["removed"], RemoveReplicaRegions=[PARIS])
    there.stop_replication_to_replica(SecretId=arns["promoted"].replace(REGION, PARIS))
    deny = {"Effect": "Deny", "Principal": "*", "Action": "secretsmanager:DescribeSecret", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [deny]})
    secrets.put_resource_policy(SecretId=arns["denied"], ResourcePolicy=policy)
    time.sleep(6)  # Twenty times as fast as AWS: a removed replica is gone.
    return check(aws, functions)


def test_after_the_deployment_every_replica_is_in_sync(healthy: dict[str, int]) -> None:
    """With no more than its role's permissions."""
    assert healthy == {
        "SecretsChecked": 4,
        "ReplicasInSync": 4,
        "ReplicasFailed": 0,
        "ReplicasInProgress": 0,
        "ReplicasMissing": 0,
        "ReplicasPromoted": 0,
        "CheckFailed": 0,
    }


def test_each_problem_is_counted_and_logged(aws: LocalAws, functions: dict[str, str], broken: dict[str, int]) -> None:
    assert broken == {
        "SecretsChecked": 4,
        "ReplicasInSync": 1,
        "ReplicasFailed": 1,
        "ReplicasInProgress": 0,
        "ReplicasMissing": 1,
        "ReplicasPromoted": 1,
        "CheckFailed": 1,
    }
    problems = [line for line in lines(aws, functions) if line.get("level") == "WARNING"]
    told = {(line["secret"].split(":")[-1][4:-7], line["region"]): line for line in problems}
    assert {
        ("collides", PARIS): "ReplicasFailed",
        ("removed", PARIS): "ReplicasMissing",
        ("promoted", PARIS): "ReplicasPromoted",
        ("denied", ""): "CheckFailed",
    }.items() <= {place: line["kind"] for place, line in told.items()}.items()
    assert told["removed", PARIS]["owner"].startswith("Secrets Removed")
    assert "already exists in region" in told["collides", PARIS]["message"]
    assert all(line["advice"] for line in problems)
    metrics = [line for line in lines(aws, functions) if "_aws" in line]
    assert metrics[-1]["service"] == functions["Function"]
    assert metrics[-1]["ReplicasFailed"] == [1.0]


@pytest.mark.usefixtures("broken")
def test_the_command_shows_the_same(aws: LocalAws) -> None:
    """As a user types it, with all permissions."""
    command = Path(sys.executable).parent / "replicated-secret"
    environment = clean_environment() | aws.environment
    run = partial(subprocess.run, env=environment, text=True, capture_output=True, check=False)
    shown = run([command, "status", "--prefix", "app/", "--problems", "--verify"])
    rows = [line.split()[:3] for line in shown.stdout.partition("\n\n")[0].splitlines()[1:]]
    assert rows == [["app/collides", PARIS, "Failed"], ["app/promoted", PARIS, "not"]], shown.stdout + shown.stderr
    assert "To fix this, delete that secret" in shown.stdout
    assert shown.returncode == 1
    told = json.loads(run([command, "status", "--json"]).stdout)
    assert {(line["secret"], line["kind"]) for line in told} == {
        ("app/collides", "ReplicasFailed"),
        ("app/denied", "ReplicasInSync"),
        ("app/healthy", "ReplicasInSync"),
        ("app/promoted", "ReplicasPromoted"),
        ("app/removed", "ReplicasChanging"),
    }


@pytest.fixture
def slow() -> Iterator[LocalAws]:
    """Replication takes minutes."""
    with LocalAws(speed=0.01, auth=True) as started:
        yield started


def test_the_template_deploys_as_the_page_says(slow: LocalAws, tmp_path: Path) -> None:
    """And again with other parameters, of which one allows no time in progress."""
    slow.client("secretsmanager").create_secret(
        Name="app/slow",
        SecretString="value",
        AddReplicaRegions=[{"Region": PARIS}],
        Tags=[{"Key": "team", "Value": "orders"}],
    )
    build(tmp_path)
    shell = Shell(target_of(slow), tmp_path)
    commands = [command for _, command in steps("guide/monitoring.md", "In plain CloudFormation")]
    (deploy,) = (command for command in commands if " deploy " in command)
    counted = []
    others = """ScheduleMinutes=15 InProgressMinutes=0 NamePrefix=app/ 'Tags={"team": "orders"}'"""
    for command in (*commands, f"{deploy} {others}", commands[-1]):
        shell.run(command)
        if command == commands[-1]:
            counted.append(json.loads((tmp_path / "metrics.json").read_text()))
    assert [(numbers["SecretsChecked"], numbers["ReplicasInProgress"]) for numbers in counted] == [(1, 0), (1, 1)]
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:operations"
    alarms = shell.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert [(a["AlarmActions"], a["OKActions"], a["Period"]) for a in alarms] == [([topic], [topic], 900)] * 6
    (rule,) = shell.client("events").list_rules()["Rules"]
    assert rule["ScheduleExpression"] == "rate(15 minutes)"
    shell.delete("replication-monitor")


def test_the_alarms_are_on_these_metrics_and_the_schedule_calls_the_function(
    aws: LocalAws, functions: dict[str, str]
) -> None:
    made = aws.client("cloudwatch").describe_alarms()["MetricAlarms"]
    assert {alarm["MetricName"] for alarm in made} == {
        "SecretsChecked",
        "ReplicasFailed",
        "ReplicasInProgress",
        "ReplicasMissing",
        "ReplicasPromoted",
        "CheckFailed",
    }
    assert {alarm["Dimensions"][0]["Value"] for alarm in made} == {functions["Function"]}
    events = aws.client("events")
    (rule,) = events.list_rules()["Rules"]
    assert rule["ScheduleExpression"] == "rate(1 hour)"
    (target,) = events.list_targets_by_rule(Rule=rule["Name"])["Targets"]
    assert target["Arn"].endswith(f":function:{functions['Function']}")


def test_nothing_was_written_by_the_monitor(aws: LocalAws, functions: dict[str, str]) -> None:
    """Its role may not."""
    role = aws.client("lambda").get_function(FunctionName=functions["Function"])["Configuration"]["Role"]
    iam = aws.client("iam")
    simulated = iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=[
            "secretsmanager:ListSecrets",
            "secretsmanager:DescribeSecret",
            "secretsmanager:GetSecretValue",
            "secretsmanager:TagResource",
            "secretsmanager:ReplicateSecretToRegions",
        ],
        ResourceArns=[f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:app/x-AbCdEf"],
    )["EvaluationResults"]
    assert [result["EvalDecision"] for result in simulated] == ["allowed", "allowed", *["implicitDeny"] * 3]

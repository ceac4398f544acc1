"""End to end: the real CDK CLI, CloudFormation, the Lambda and Secrets Manager of local AWS."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import WaiterError

import app
from local.cdk import Cdk, CdkError
from local.server import ACCOUNT, REGION
from tests.helpers.target import Target, target

STACK = app.STACK
OF_APP_DATABASE = "ReplicatedSecret-app-database"
ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("e2e")]


@pytest.fixture(scope="module")
def aws(pytestconfig: pytest.Config) -> Iterator[Target]:
    with target(pytestconfig) as started:
        yield started


@pytest.fixture(scope="module")
def cdk(aws: Target, tmp_path_factory: pytest.TempPathFactory) -> Cdk:
    return aws.cdk(tmp_path_factory.mktemp("assembly"))


def describe(aws: Target, secret_id: str, region: str = "") -> dict[str, Any] | None:
    client = aws.client("secretsmanager", region)
    try:
        return dict(client.describe_secret(SecretId=secret_id))
    except client.exceptions.ResourceNotFoundException:
        return None


def outputs(aws: Target) -> dict[str, str]:
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=aws.stack_name(STACK))["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def statuses(aws: Target) -> dict[str, str]:
    return {entry["Region"]: entry["Status"] for entry in json.loads(outputs(aws)["SecretReplicationStatus"])}


def lambda_logs(aws: Target, groups: list[str]) -> str:
    logs = aws.client("logs")
    lines = []
    for group in groups:
        events = logs.filter_log_events(logGroupName=group)["events"]
        lines += [event["message"] for event in events]
    return "\n".join(lines)


def log_groups(aws: Target) -> list[str]:
    """The stack's."""
    resources = aws.client("cloudformation").list_stack_resources(StackName=aws.stack_name(STACK))
    listed = resources["StackResourceSummaries"]
    return [each["PhysicalResourceId"] for each in listed if each["ResourceType"] == "AWS::Logs::LogGroup"]


@pytest.mark.live
def test_create_update_destroy(aws: Target, cdk: Cdk) -> None:
    first, second, third = aws.replicas
    stack, context = aws.stack_name(STACK), aws.context(STACK)
    deployed = cdk.deploy(stack, context)
    words = "".join(word.capitalize() for word in first.split("-"))
    assert f"SecretStatus{words} = InSync" in deployed
    assert statuses(aws) == {first: "InSync", second: "InSync"}
    arn = outputs(aws)["SecretArn"]
    kept = describe(aws, arn.replace(aws.region, first), first)
    value = aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
    assert len(value) == 32

    cdk.deploy(stack, {**context, "replicaRegions": f"Region={first} Region={third}"})
    assert statuses(aws) == {third: "InSync", first: "InSync"}
    assert describe(aws, arn.replace(aws.region, second), second) is None
    after = describe(aws, arn.replace(aws.region, first), first)
    assert kept
    assert after
    assert after["CreatedDate"] == kept["CreatedDate"]

    groups = log_groups(aws)
    cdk.destroy(stack, context)
    for region in (aws.region, *aws.replicas):
        assert describe(aws, arn.replace(aws.region, region), region) is None

    log = lambda_logs(aws, groups)
    assert '"action":"ADD"' in log, "this is the log"
    assert "cfn-response" not in log, "no ResponseURL"
    assert value not in log


def test_another_secret_leaves_the_replicas_of_the_first_one_alone(aws: Target, cdk: Cdk) -> None:
    """As a new user types it: without naming a stack, for one secret, another, none, and with a misspelt key."""
    secrets = aws.client("secretsmanager")
    arns = [str(secrets.create_secret(Name=name, SecretString=name)["ARN"]) for name in ("app/one", "app-one")]
    created = []
    for secret_id in ("app/one", arns[1]):
        cdk.run("deploy", "--require-approval", "never", context={"secretId": secret_id, "replicaRegions": "eu-west-3"})
        created.append((describe(aws, "app/one", "eu-west-3") or {})["CreatedDate"])
    cdk.run("deploy", "--require-approval", "never", context={"replicaRegions": "eu-west-3"})
    with pytest.raises(CdkError, match=r"context secretName is 'app/two': unknown key; did you mean secretId\?"):
        cdk.run("deploy", "--require-approval", "never", context={"secretName": "app/two"})
    created.append((describe(aws, "app/one", "eu-west-3") or {})["CreatedDate"])
    assert created == [created[0]] * 3
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    mine = {stack["StackName"] for stack in stacks if stack["StackName"].startswith(STACK)}
    assert mine == {STACK, "ReplicatedSecret-app-one", app.name_of_stack("app-one", REGION, ACCOUNT)}
    # An ARN and the name in it give the same stack.
    for context in ({"secretId": "app-one"}, {"secretId": arns[0]}, {}):
        cdk.run("destroy", "--force", context=context)
    assert [describe(aws, arn.replace(REGION, "eu-west-3"), "eu-west-3") for arn in arns] == [None, None]


@pytest.mark.live
def test_a_create_that_fails_rolls_back_with_the_reason_and_leaves_nothing(aws: Target, cdk: Cdk) -> None:
    first, second, _ = aws.replicas
    name, stack_name = aws.secret_name("app/database"), aws.stack_name(OF_APP_DATABASE)
    context = {**aws.context(OF_APP_DATABASE), "secretId": name}
    arn = aws.client("secretsmanager").create_secret(Name=name, SecretString="primary")["ARN"]
    foreign = aws.client("secretsmanager", first).create_secret(Name=name, SecretString="foreign")
    with pytest.raises(CdkError) as error:
        cdk.deploy(stack_name, context)
    reason = f"{first}: Replication failed: Secret name {name} already exists in region {first}."
    assert reason in str(error.value), "the user's terminal says it"
    (stack,) = aws.client("cloudformation").describe_stacks(StackName=stack_name)["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    events = aws.client("cloudformation").describe_stack_events(StackName=stack_name)["StackEvents"]
    assert any(
        reason in event.get("ResourceStatusReason", "")
        for event in events
        if event["ResourceType"] == "Custom::ReplicatedSecret" and event["ResourceStatus"] == "CREATE_FAILED"
    )
    primary = describe(aws, arn)
    assert primary
    assert "ReplicationStatus" not in primary
    assert {tag["Key"] for tag in primary.get("Tags", [])} == set(aws.tags)
    assert describe(aws, arn.replace(aws.region, second), second) is None
    value = aws.client("secretsmanager", first).get_secret_value(SecretId=foreign["ARN"])["SecretString"]
    assert value == "foreign"
    cdk.destroy(stack_name, context)


def test_a_wrong_context_value_stops_the_synth_with_a_sentence(cdk: Cdk) -> None:
    with pytest.raises(CdkError) as error:
        cdk.deploy(STACK, {"replicaRemovalPolicy": "Keep"})
    assert "context replicaRemovalPolicy is 'Keep': expected one of Delete, Retain, Promote" in str(error.value)
    assert "Traceback" not in str(error.value)


def demo(*options: str) -> list[str]:
    """The lines that a demo prints which is as it says."""
    played = subprocess.run(
        [sys.executable, "-m", "local.demo", *options], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    return [line.strip() for line in played.stdout.splitlines()]


def test_the_demo_shows_each_region_until_a_dropped_one_is_gone() -> None:
    lines = "\n".join(demo())
    shown = ("us-east-1 InSync", "us-east-1 being removed", "us-east-1 gone", "UPDATE_COMPLETE", "All checks passed")
    assert re.search(".*".join(shown), lines, re.DOTALL), lines


def test_the_failing_demo_rolls_back_with_the_reason_beside_a_native_stack_that_is_complete() -> None:
    lines = demo("--fail")
    taken = "Replication failed: Secret name app/database already exists in region us-east-1."
    (reason,) = (line for line in lines if line.startswith("NotStabilized: "))
    assert reason.startswith(f"NotStabilized: us-east-1: {taken} To fix this, delete that secret")
    assert reason.endswith("restore-secret --region us-east-1 --secret-id app/database).")
    assert f"us-east-1 Failed: {taken}" in lines, "what DescribeSecret says below the native stack"
    (ours,) = (line for line in lines if line.startswith("ReplicatedSecret "))
    (native,) = (line for line in lines if line.startswith("native ReplicaRegions "))
    assert "ROLLBACK_COMPLETE" in ours
    assert re.search("CREATE_COMPLETE .*us-east-1 Failed", native)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_leaves_no_process_behind(number: signal.Signals) -> None:
    # What a shell starts in the background ignores SIGINT, and hands that down.
    inherited = signal.signal(number, signal.default_int_handler)
    try:
        process = subprocess.Popen(
            [sys.executable, "-u", "-m", "local.demo"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
    finally:
        signal.signal(number, inherited)
    with process:
        try:
            assert process.stdout
            port = re.search(r"127\.0\.0\.1:(\d+)", process.stdout.readline())
            assert port
            time.sleep(1)
            process.send_signal(number)
            assert process.wait(20) == 130
        finally:
            process.kill()
    assert not [line for line in _processes() if port[1] in line]


def _processes() -> list[str]:
    """The command lines of what runs now."""
    return [
        path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if os.access(path, os.R_OK)
    ]


_TEMPLATE = """
Resources:
  Database:
    Type: AWS::SecretsManager::Secret
    Properties:
      Name: app/native
      GenerateSecretString: {SecretStringTemplate: '{"user": "app"}', GenerateStringKey: password}
      ReplicaRegions: [REGIONS]
Outputs:
  Ref: {Value: !Ref Database}
"""


def deploy_native(aws: Target, regions: str, operation: str = "create") -> None:
    cloudformation = aws.client("cloudformation")
    getattr(cloudformation, f"{operation}_stack")(
        StackName="Native", TemplateBody=_TEMPLATE.replace("REGIONS", regions)
    )
    cloudformation.get_waiter(f"stack_{operation}_complete").wait(StackName="Native", WaiterConfig={"Delay": 1})


def test_the_native_secret_replicates_and_is_not_deleted_while_a_foreign_replica_exists(aws: Target) -> None:
    deploy_native(aws, "{Region: eu-west-3}, {Region: us-east-1}")
    cloudformation = aws.client("cloudformation")
    (stack,) = cloudformation.describe_stacks(StackName="Native")["Stacks"]
    arn = stack["Outputs"][0]["OutputValue"]
    assert arn.startswith(f"arn:aws:secretsmanager:{REGION}:000000000000:secret:app/native-")
    value = aws.client("secretsmanager", "eu-west-3").get_secret_value(SecretId="app/native")["SecretString"]
    assert json.loads(value)["user"] == "app"

    deploy_native(aws, "{Region: eu-west-3}", "update")
    described = describe(aws, arn)
    assert described
    assert [entry["Region"] for entry in described["ReplicationStatus"]] == ["eu-west-3"]

    secrets = aws.client("secretsmanager")
    secrets.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": "sa-east-1"}])
    cloudformation.delete_stack(StackName="Native")
    with pytest.raises(WaiterError, match="DELETE_FAILED"):
        cloudformation.get_waiter("stack_delete_complete").wait(StackName="Native", WaiterConfig={"Delay": 1})
    events = cloudformation.describe_stack_events(StackName="Native")["StackEvents"]
    reasons = [event.get("ResourceStatusReason", "") for event in events]
    assert any("that still has replica regions [sa-east-1]" in reason for reason in reasons)
    secrets.remove_regions_from_replication(SecretId=arn, RemoveReplicaRegions=["sa-east-1"])
    cloudformation.delete_stack(StackName="Native")
    cloudformation.get_waiter("stack_delete_complete").wait(StackName="Native", WaiterConfig={"Delay": 1})
    assert describe(aws, arn) is None

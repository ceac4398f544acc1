"""``LOCAL=1``: the same probes on local AWS, by a user with the permissions of docs/guide/live.md and no others."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

import live.__main__ as command
from live.account import Connect
from live.cleanup import Cleanup
from live.clients import connector
from live.local import local_aws, policy
from live.probe import PROBES
from live.run import run
from local.secrets_manager import Dialect
from local.secrets_manager import dialect as d
from local.server import REGION
from tests.helpers.account import REPLICAS, Cloud

# Those that need another service than Secrets Manager, or its whole responses.
ROWS = (
    "U5",
    "U8",
    "U10",
    "U15",
    "U16",
    "U17",
    "U18",
    "F4",
    "F6",
    "F16",
    "F20",
    "F21",
    "F27",
    "F30",
    "F31",
    "F32",
    "F34",
)
SERVICES = {"resourcegroupstaggingapi": "tag"}
# What AWS asks for on behalf of other calls: with tags, with keys, of CloudFormation and of RDS.
DEPENDENT = {
    "cloudformation:TagResource",
    "iam:TagRole",
    "kms:Decrypt",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:TagResource",
    "rds:AddTagsToResource",
    "secretsmanager:GetRandomPassword",
}
# What the end-to-end tests call beyond the probes.
ACCEPTANCE = {
    "cloudwatch:DescribeAlarms",
    "cloudformation:DescribeStackEvents",
    "cloudformation:GetTemplateSummary",
    "cloudformation:ListStackResources",
    "iam:PassRole",
    "lambda:InvokeFunction",
    "logs:DeleteLogGroup",
    "logs:FilterLogEvents",
    "logs:ListTagsForResource",
    "s3:GetObject",
    "s3:PutObject",
    "ssm:GetParameter",
}


@pytest.mark.e2e
@pytest.mark.xdist_group("live")
def test_it_runs_on_local_aws_with_iam_enforced_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    left: list[str] = []

    @contextlib.contextmanager
    def inspected(**more: bool) -> Iterator[tuple[Connect, dict[str, str]]]:
        with local_aws(**more) as started:
            yield started
            left.extend(what_is_there(started[1]["AWS_ENDPOINT_URL"]))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "local_aws", inspected)
    monkeypatch.setattr(sys, "argv", ["live", "--local", "--only", ",".join(ROWS)])
    assert command.main() == 0
    assert left == []
    output = capsys.readouterr().out
    assert "This is local AWS, which proves nothing of AWS." in output
    assert "The handler is tested under exactly this dialect." in output
    written = json.loads((tmp_path / "build" / "live" / "report.json").read_text())
    assert {row["row"]: (row["state"], row["value"]) for row in written["rows"]} == {
        row: ("settled", default(row)) for row in ROWS
    }
    calls = [call for row in written["rows"] for call in row["calls"]]
    # MiniStack's refusals have none.
    assert [call for call in calls if not call["request_id"] and "AccessDenied" not in call.get("error", "")] == []


def what_is_there(endpoint: str) -> list[str]:
    """As root sees it; keys that are scheduled for deletion do not count."""
    connect, found = connector(endpoint, {"AccessKeyId": "test", "SecretAccessKey": "test"}), []
    for region in (REGION, *REPLICAS):
        secrets = connect("secretsmanager", region, None).list_secrets(IncludePlannedDeletion=True)["SecretList"]
        stacks = connect("cloudformation", region, None).describe_stacks()["Stacks"]
        clusters = connect("rds", region, None).describe_db_clusters()["DBClusters"]
        kms = connect("kms", region, None)
        keys = [kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"] for key in kms.list_keys()["Keys"]]
        found += [secret["Name"] for secret in secrets]
        found += [stack["StackName"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"]
        found += [cluster["DBClusterIdentifier"] for cluster in clusters]
        found += [key["KeyId"] for key in keys if key["KeyState"] != "PendingDeletion"]
        found += [group["logGroupName"] for group in connect("logs", region, None).describe_log_groups()["logGroups"]]
    return found + [role["RoleName"] for role in connect("iam", REGION, None).list_roles()["Roles"]]


def default(row: str) -> str | None:
    values = {
        "U5": Dialect().bad_region,
        "U8": Dialect().service_managed,
        "U10": Dialect().key_denied,
        "U15": Dialect().system_tags,
        "U16": Dialect().removed_replica,
        "U17": Dialect().imported,
        "U18": Dialect().decrypt_context,
    }
    return values[row].value if row in values else None


def test_the_policy_allows_each_call_and_nothing_that_is_not_called() -> None:
    allowed = {
        action
        for statement in json.loads(policy())["Statement"]
        for action in [statement["Action"]] * isinstance(statement["Action"], str) or statement["Action"]
        if statement["Effect"] == "Allow"
    }
    called = set()
    for dialect in (Dialect(), Dialect(after_stop=d.AfterStop.IN_SYNC)):
        cloud = Cloud(dialect)
        account = cloud.account()
        calls = [call for result in run(account, PROBES) for call in result.calls]
        cleanup = Cleanup(account, account.regions)
        cleanup.run()
        called |= {(call.service, call.operation) for call in [*calls, *cleanup.calls]}
    actions = {action_of(service, operation) for service, operation in called}
    assert actions - allowed == set()
    assert allowed - actions == DEPENDENT | ACCEPTANCE


def action_of(service: str, operation: str) -> str:
    client = boto3.client(service, region_name="us-west-2")
    return f"{SERVICES.get(service, service)}:{client.meta.method_to_api_mapping[operation]}"

"""docs/guide/failover.md: the commands of each section run as they stand, and its table is what there is after each."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cloudformation.__main__ import build
from local.server import ACCOUNT, LocalAws
from tests.helpers.shell import ROOT, Shell, steps
from tests.helpers.target import target_of

PAGE = "guide/failover.md"
OREGON, PARIS, VIRGINIA = "us-west-2", "eu-west-3", "us-east-1"
TAG = f"cdk-replicated-secret:{PARIS}"
# What changes nothing has no row in the tables, nor has what only waits.
READS = re.compile(r"aws (\w+ (wait|describe-\S+|get-\S+|package)|s3) ")
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("failover")]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("failover")
    build(folder)
    ((_, template), *_) = steps(PAGE, "The example")
    (folder / "orders.yaml").write_text(template)
    with LocalAws(speed=20, auth=True) as aws:
        made = Shell(target_of(aws), folder)
        made.run(f"aws s3 mb s3://{made.bucket}")
        made.provider(f"'SecretArns=arn:aws:secretsmanager:*:{ACCOUNT}:secret:*'", f"ReplicaRegions={PARIS},{VIRGINIA}")
        yield made


class Life:
    """One section of the page, with a secret and a stack of its own."""

    def __init__(self, shell: Shell, section: str, number: int) -> None:
        self.shell, self.section = shell, section
        self.suffix = "-drill" if "drill" in section else f"-{number}"
        self.secret, self.stack = f"app/orders{self.suffix}", f"orders{self.suffix}"
        self.cloudformation = shell.client("cloudformation")
        self.template = (shell.folder / "orders.yaml").read_text()

    def run(self) -> list[str]:
        """Run the commands; what they printed. After each that changes something, the table must be right."""
        rows, printed, before = iter(table(self.section)), [], ""
        for kind, text in steps(PAGE, self.section):
            if kind == "file":
                continue
            if before and not READS.match(text):
                self.check(rows, before)
            command = self.renamed(text)
            if waits := re.match(r"aws cloudformation wait (\S+) --stack-name \S+$", command):
                self.wait(waits[1].replace("-", "_"))  # Then the AWS CLI need not look twice.
            printed.append(self.shell.run(command))
            before = before if READS.match(text) else command
        if before:
            self.check(rows, before)
        assert list(rows) == []
        return printed

    def renamed(self, text: str) -> str:
        if self.suffix == "-drill":
            return text
        return re.sub(
            r"app/orders\b", self.secret, re.sub(r"--stack-name orders\b", f"--stack-name {self.stack}", text)
        )

    def check(self, rows: Iterator[list[str]], command: str) -> None:
        expected = next(rows)
        for _ in range(40):  # A replica that was removed stays for some seconds.
            state = self.state()
            if state == expected:
                return
            time.sleep(0.25)
        assert state == expected, f"after {command}"

    def state(self) -> list[str]:
        """What the columns of a table say."""
        primary, there = self.describe(OREGON), self.describe(PARIS)
        listed = [entry["Status"] for entry in primary.get("ReplicationStatus", []) if entry["Region"] == PARIS]
        tags = [tag["Value"].split()[0] for tag in primary.get("Tags", []) if tag["Key"] == TAG]
        kinds = {"": "a standalone secret", OREGON: "a replica", PARIS: "the primary"}
        has = kinds[there.get("PrimaryRegion", "")] if there else "nothing"
        if has == "the primary":
            tags = []
        return [*(listed or ["none"]), *(tags or ["none"]), has, self.value(PARIS), self.value(OREGON), self.status()]

    def describe(self, region: str) -> dict[str, Any]:
        try:
            return dict(self.shell.client("secretsmanager", region).describe_secret(SecretId=self.secret))
        except ClientError:
            return {}

    def value(self, region: str) -> str:
        client = self.shell.client("secretsmanager", region)
        try:
            return str(client.get_secret_value(SecretId=self.secret)["SecretString"])
        except ClientError:
            return "nothing"

    def status(self) -> str:
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        found = [stack["StackStatus"] for stack in stacks if stack["StackName"] == self.stack]
        return next((status for status in found if status != "DELETE_COMPLETE"), "none")

    # What happened before a section begins. The delay of boto3's waiters can be set, that of the AWS CLI's cannot.

    def example(self) -> None:
        self.shell.client("secretsmanager").create_secret(Name=self.secret, SecretString="first")
        self.deploy("create_stack", "stack_create_complete")
        assert self.state() == ["InSync", "created", "a replica", "first", "first", "CREATE_COMPLETE"]

    def deploy(self, call: str, waiter: str, regions: str = PARIS) -> None:
        self.begin(call, regions)
        self.wait(waiter)

    def begin(self, call: str, regions: str = PARIS) -> None:
        parameters = {"SecretId": self.secret, "ReplicaRegions": regions}
        getattr(self.cloudformation, call)(
            StackName=self.stack, TemplateBody=self.template, Parameters=given(parameters)
        )

    def wait(self, waiter: str, stack: str = "") -> None:
        config = {"Delay": 1, "MaxAttempts": 200}
        self.cloudformation.get_waiter(waiter).wait(StackName=stack or self.stack, WaiterConfig=config)

    def reach(self, status: str) -> None:
        for _ in range(200):
            if self.status() == status:
                return
            time.sleep(1)
        raise AssertionError(f"{self.stack} is {self.status()}, not {status}")

    def promoted(self) -> None:
        """Failed over, and the stack does not know it."""
        self.example()
        there = self.shell.client("secretsmanager", PARIS)
        there.stop_replication_to_replica(SecretId=self.secret)
        there.put_secret_value(SecretId=self.secret, SecretString="second")

    def failed_over(self) -> None:
        self.promoted()
        self.deploy("update_stack", "stack_update_complete", regions="")
        assert self.state() == ["none", "none", "a standalone secret", "second", "first", "UPDATE_COMPLETE"]

    def rolled_back(self) -> None:
        self.promoted()
        self.begin("update_stack", f"{PARIS},{VIRGINIA}")
        self.reach("UPDATE_ROLLBACK_FAILED")
        assert "was promoted to a standalone secret" in self.reasons()

    def reasons(self) -> str:
        events = self.cloudformation.describe_stack_events(StackName=self.stack)["StackEvents"]
        return " ".join(event.get("ResourceStatusReason", "") for event in events)

    def denied(self) -> None:
        self.example()
        policy = """{"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Resource": "*",
            "Action": "secretsmanager:RemoveRegionsFromReplication"}]}"""
        self.shell.client("secretsmanager").put_resource_policy(SecretId=self.secret, ResourcePolicy=policy)
        self.cloudformation.delete_stack(StackName=self.stack)
        self.reach("DELETE_FAILED")

    def without_provider(self) -> None:
        """Of a provider of its own, whose ServiceToken the template has written out."""
        packaged = (self.shell.folder / f"packaged-{OREGON}.yaml").read_text().partition("\nOutputs:")[0]
        provider = f"provider{self.suffix}"
        parameters = {"SecretArns": f"arn:aws:secretsmanager:*:{ACCOUNT}:secret:*", "ReplicaRegions": PARIS}
        self.cloudformation.create_stack(
            StackName=provider, TemplateBody=packaged, Capabilities=["CAPABILITY_IAM"], Parameters=given(parameters)
        )
        self.wait("stack_create_complete", provider)
        resources = self.cloudformation.describe_stack_resources(StackName=provider)["StackResources"]
        (name,) = [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::Lambda::Function"]
        token = f"arn:aws:lambda:{OREGON}:{ACCOUNT}:function:{name}"
        self.template = self.template.replace("!ImportValue ReplicatedSecretServiceToken", token)
        self.example()
        self.cloudformation.delete_stack(StackName=provider)
        self.wait("stack_delete_complete", provider)
        self.cloudformation.delete_stack(StackName=self.stack)
        self.reach("DELETE_FAILED")

    def stale(self) -> None:
        """The stack was recreated, and its predecessor went without the resource."""
        self.example()
        owner = "created us-west-2 7c9e6679-7425-40de-944b-e07fc1f90ae7 Replication gone"
        self.shell.client("secretsmanager").tag_resource(SecretId=self.secret, Tags=[{"Key": TAG, "Value": owner}])
        self.cloudformation.delete_stack(StackName=self.stack)
        self.wait("stack_delete_complete")
        assert self.state() == ["InSync", "created", "a replica", "first", "first", "none"]
        self.begin("create_stack")
        self.reach("ROLLBACK_COMPLETE")
        assert "belongs to Replication of stack gone" in self.reasons()

    def nothing(self) -> None:
        """The section begins by itself."""


LIVES: dict[str, Callable[[Life], None]] = {
    "The example": Life.nothing,
    "Readers keep reading": Life.example,
    "Fail over: make the replica writable": Life.example,
    "Fail back, and discard what was written": Life.failed_over,
    "Fail back, and keep what was written": Life.failed_over,
    "Do not fail back: the promoted secret becomes the primary": Life.failed_over,
    "Stuck in DELETE_FAILED": Life.denied,
    "Stuck because the provider was deleted first": Life.without_provider,
    "Stuck in UPDATE_ROLLBACK_FAILED": Life.rolled_back,
    "Stuck on a stale owner": Life.stale,
    "A drill that harms nothing": Life.nothing,
}


def given(parameters: dict[str, str]) -> list[dict[str, str]]:
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]


def table(section: str) -> list[list[str]]:
    """The rows of a section's table, without the number."""
    text = (ROOT / "docs" / PAGE).read_text().partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [[cell.strip() for cell in row.split("|")[2:-1]] for row in re.findall(r"^\| \d+ \|.*$", text, re.MULTILINE)]


@pytest.fixture(scope="module")
def lives(shell: Shell) -> Iterator[dict[str, Future[list[str]]]]:
    """All at the same time: the AWS CLI polls a stack only every 30 s."""

    def live(section: str, number: int) -> list[str]:
        life = Life(shell, section, number)
        LIVES[section](life)
        return life.run()

    with ThreadPoolExecutor(len(LIVES)) as threads:
        yield {section: threads.submit(live, section, number) for number, section in enumerate(LIVES)}


def test_every_section_is_run() -> None:
    assert re.findall(r"^## (.*)$", (ROOT / "docs" / PAGE).read_text(), re.MULTILINE) == list(LIVES)


@pytest.mark.parametrize("section", LIVES)
def test_the_section_runs_as_it_stands(lives: dict[str, Future[list[str]]], section: str) -> None:
    lives[section].result()


def test_a_current_replica_has_the_primarys_version_ids(lives: dict[str, Future[list[str]]]) -> None:
    there, here, _ = lives["Readers keep reading"].result()
    assert there == here
    assert "AWSCURRENT" in here


def test_the_reason_of_a_failed_delete_says_what_is_denied(lives: dict[str, Future[list[str]]]) -> None:
    assert "RemoveRegionsFromReplication" in lives["Stuck in DELETE_FAILED"].result()[0]


@pytest.mark.usefixtures("lives")
def test_deleting_the_stack_after_a_failover_leaves_the_promoted_secret(shell: Shell) -> None:
    life = Life(shell, "", len(LIVES))
    life.promoted()
    life.cloudformation.delete_stack(StackName=life.stack)
    life.wait("stack_delete_complete")
    assert life.state() == ["none", "none", "a standalone secret", "second", "first", "none"]

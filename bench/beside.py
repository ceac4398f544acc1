"""Compared with the alternatives: the same secret replicated by four apps, on one local AWS, with the CDK CLI."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local.cdk import Cdk, CdkError
from local.server import LocalAws
from tools.stamp import code_lines

from .report import Section, table

REGIONS = ("eu-west-3", "us-east-1")
_TAKEN = "us-east-1"
_APPS = Path(__file__).parent / "beside_apps"
_LOOK_EVERY = 0.1
# What does not end by then hangs: CloudFormation itself would wait for an hour.
_ENDS_WITHIN = 180.0
_SETTLES_WITHIN = 30.0
_NONE = "-"
_COLUMNS = ("way", "CREATE_COMPLETE, s", "all InSync, s", "at CREATE_COMPLETE", "if the name is taken")
_SIZES = ("way", "lines", "resources", "template, bytes", "functions' code, bytes")
_ABOUT = f"""\
Four CDK apps in `bench/beside_apps/` each replicate a secret from us-west-2 to {" and ".join(REGIONS)}, on one local \
AWS at AWS's own speed. The secret exists beforehand, except for the native property, which replicates only secrets \
that its own stack makes.

- Lines: those of the app and its handlers, without blank lines, comments and docstrings. The handlers for the \
Provider framework are the least that works. They do not handle an update that drops a Region, a replica that the \
stack did not make, or a removal that takes a minute.
- Bytes: those of the template as the CDK writes it, and of the zips with the functions' code in the bootstrap bucket, \
each once. What Lambda's runtimes contain, such as the SDK, is not counted.
- Seconds: counted by the stack's events from the start of the operation, in one run each. Local AWS does not have \
the delays of IAM and Lambda. DescribeSecret is called every {_LOOK_EVERY:g} s; the table shows its first response \
after CREATE_COMPLETE.
- If the name is taken: a second deployment, with another secret of that name in {_TAKEN}. AWS then accepts the call, \
and the replication fails afterwards.
- `AwsCustomResource` uses the runtime's SDK (`install_latest_aws_sdk=False`); by default it installs the latest one. \
That the native property does not wait is how local AWS models AWS (F12); it is not a measurement of AWS.

Two of the ways report CREATE_COMPLETE before the replicas are InSync, and even if one of them is Failed: the plot \
shows that in another color. How soon a replica is InSync depends on AWS and is the same for all."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way to replicate.

    Args:
        name: in the table.
        app: the CDK app's name.
        makes_secret: whether the stack makes the secret, because it cannot replicate one that exists.
        handlers: what else its user writes.
    """

    name: str
    app: str
    makes_secret: bool = False
    handlers: Sequence[str] = ()


WAYS = (
    Way("`ReplicatedSecret`", "ours"),
    Way("CDK's `AwsCustomResource`", "aws_custom_resource"),
    Way("CDK's Provider framework, own handlers", "provider_framework", handlers=("handlers/index.py",)),
    Way("native `ReplicaRegions`", "native", makes_secret=True),
)


class _TooLongError(Exception):
    """A deployment does not end."""


@dataclass(frozen=True, slots=True)
class _Deployment:
    """What was seen of a deployment.

    Args:
        status: the stack's, in the end.
        reason: of the first resource that failed.
        seconds: from the start of the stack's operation to its end.
        at_end: each replica's status in the first read after the stack's end.
        in_sync: seconds from the same start until every replica was InSync, if they ever were.
        settled: each replica's status once none was InProgress.
        resources: in the template.
        template: its bytes.
        assets: the bytes of the zips with its functions' code.
    """

    status: str
    reason: str
    seconds: float
    at_end: dict[str, str]
    in_sync: float | None
    settled: dict[str, str]
    resources: int
    template: int
    assets: int

    @property
    def completes(self) -> bool:
        return self.status == "CREATE_COMPLETE"

    @property
    def is_true(self) -> bool:
        """Whether every replica was InSync when the stack said that it is complete."""
        return self.completes and _all_in_sync(self.at_end)


def measure() -> Section:
    """Deploy each way twice: normally, and with a name that is taken in one Region."""
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        aws = stack.enter_context(LocalAws(speed=1))
        Cdk(aws.environment, scratch / "bootstrap").bootstrap()
        measured = [(way, _deploy(aws, scratch, way), _deploy(aws, scratch, way, taken=True)) for way in WAYS]
    return Section(
        "beside",
        "Compared with the alternatives",
        _ABOUT,
        _COLUMNS,
        [_row(*each) for each in measured],
        {},
        "seconds",
        series={
            "CREATE_COMPLETE": {_plain(way): good.seconds if good.is_true else None for way, good, _ in measured},
            "CREATE_COMPLETE, and it is not true": {
                _plain(way): None if good.is_true else good.seconds for way, good, _ in measured
            },
            "every replica is InSync": {_plain(way): good.in_sync for way, good, _ in measured},
        },
        more="\n".join(table(_SIZES, [_sizes(way, good) for way, good, _ in measured])),
    )


def _plain(way: Way) -> str:
    return way.name.replace("`", "")


def _row(way: Way, good: _Deployment, bad: _Deployment) -> tuple[str, ...]:
    return (
        way.name,
        f"{good.seconds:.1f}" if good.completes else _NONE,
        f"{good.in_sync:.1f}" if good.in_sync is not None else _NONE,
        _statuses(good.at_end) if good.completes else _failure(good),
        _outcome(bad),
    )


def _sizes(way: Way, good: _Deployment) -> tuple[str, ...]:
    return (
        way.name,
        str(sum(len(code_lines(_APPS / file)) for file in (f"{way.app}.py", *way.handlers))),
        str(good.resources),
        f"{good.template:,}",
        f"{good.assets:,}",
    )


def _statuses(replicas: dict[str, str]) -> str:
    if _all_in_sync(replicas):
        return "all InSync"
    return "**not yet**: " + ", ".join(f"{region} {replicas.get(region, 'absent')}" for region in REGIONS)


def _outcome(bad: _Deployment) -> str:
    if not bad.completes:
        return _failure(bad)
    failed = [region for region, status in bad.settled.items() if status == "Failed"]
    return f"**{bad.status}**, and {' and '.join(failed) or 'nothing'} is Failed"


def _failure(deployment: _Deployment) -> str:
    """The stack's status and the first sentence of the reason."""
    first = deployment.reason.partition(". ")[0]
    return f"{deployment.status}: {first}".replace("|", "\\|")


def _deploy(aws: LocalAws, scratch: Path, way: Way, *, taken: bool = False) -> _Deployment:
    """Deploy it once, in a separate stack."""
    stack = way.app.replace("_", "-") + ("-taken" if taken else "")
    secret = f"app/{stack}"
    if not way.makes_secret:
        aws.client("secretsmanager").create_secret(Name=secret, SecretString="value")
    if taken:
        aws.client("secretsmanager", _TAKEN).create_secret(Name=secret, SecretString="another")
    assembly = scratch / stack
    with _watched(aws, secret) as looks:
        printed = _cdk_deploy(Cdk(aws.environment, assembly), way, stack, secret)
        _wait_until_settled(looks)
    return _deployment(aws, stack, assembly, looks, printed)


def _cdk_deploy(cdk: Cdk, way: Way, stack: str, secret: str) -> str:
    """Run ``cdk deploy`` to its end, but not forever. Returns why it failed, if it did."""
    deadline = time.monotonic() + _ENDS_WITHIN

    def give_up_late() -> None:
        if time.monotonic() > deadline:
            raise _TooLongError(f"no end within {_ENDS_WITHIN:g} s")

    app = f".venv/bin/python bench/beside_apps/{way.app}.py"
    try:
        cdk.run(
            "deploy",
            stack,
            "--app",
            app,
            "--require-approval",
            "never",
            context={"stack": stack, "secret": secret},
            meanwhile=give_up_late,
        )
    except (CdkError, _TooLongError) as error:
        return str(error)
    return ""


# When, and each replica's status.
_Look = tuple[float, dict[str, str]]


@contextlib.contextmanager
def _watched(aws: LocalAws, secret: str) -> Iterator[list[_Look]]:
    """Reads the replicas' statuses repeatedly until the block ends."""
    looks: list[_Look] = []
    client, done = aws.client("secretsmanager"), threading.Event()

    def watch() -> None:
        while not done.wait(_LOOK_EVERY):
            looks.append((time.time(), _replicas(client, secret)))

    with ThreadPoolExecutor(1) as threads:
        watching = threads.submit(watch)
        try:
            yield looks
        finally:
            done.set()
        watching.result()


def _replicas(client: Any, secret: str) -> dict[str, str]:
    try:
        described = client.describe_secret(SecretId=secret)
    except client.exceptions.ResourceNotFoundException:
        return {}
    return {entry["Region"]: entry["Status"] for entry in described.get("ReplicationStatus", [])}


def _wait_until_settled(looks: Sequence[_Look]) -> None:
    """Wait until a read that begins after this call finds no replica InProgress."""
    started = time.time()
    while time.time() < started + _SETTLES_WITHIN:
        time.sleep(_LOOK_EVERY)
        if looks and looks[-1][0] > started and "InProgress" not in looks[-1][1].values():
            return


def _deployment(aws: LocalAws, stack: str, assembly: Path, looks: Sequence[_Look], printed: str) -> _Deployment:
    events = _events(aws, stack, printed)
    own = [event for event in events if event["ResourceType"] == "AWS::CloudFormation::Stack"]
    start = next(event for event in own if event["ResourceStatus"] == "CREATE_IN_PROGRESS")["Timestamp"].timestamp()
    end = own[-1]["Timestamp"].timestamp()
    template = assembly / f"{stack}.template.json"
    resources = json.loads(template.read_text())["Resources"]
    return _Deployment(
        status=own[-1]["ResourceStatus"],
        reason=_reason(events, printed),
        seconds=end - start,
        at_end=next((replicas for at, replicas in looks if at >= end), {}),
        in_sync=next((at - start for at, replicas in looks if _all_in_sync(replicas)), None),
        settled=looks[-1][1],
        resources=sum(resource["Type"] != "AWS::CDK::Metadata" for resource in resources.values()),
        template=template.stat().st_size,
        assets=_zipped(aws, resources),
    )


def _events(aws: LocalAws, stack: str, printed: str) -> list[dict[str, Any]]:
    """The stack's events, the oldest first. They arrive newest first; those of one moment have to stay in order."""
    try:
        events = aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError as error:
        raise CdkError(printed) from error
    events.reverse()
    return sorted(events, key=lambda event: event["Timestamp"])


def _reason(events: Sequence[dict[str, Any]], printed: str) -> str:
    """The reason of the first resource that failed; the last line that the CLI printed, if there is none."""
    reasons = [event.get("ResourceStatusReason", "") for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
    reason = next(filter(None, reasons), printed.strip().rpartition("\n")[2])
    # The path of a function's code is particular to local AWS.
    reason = re.sub(r"[^\s(]*/code/", "/var/task/", reason)
    return re.sub(r"\s+", " ", reason).strip()


def _all_in_sync(replicas: dict[str, str]) -> bool:
    return all(replicas.get(region) == "InSync" for region in REGIONS)


def _zipped(aws: LocalAws, resources: dict[str, Any]) -> int:
    """The bytes of the functions' code where the CDK CLI has put it."""
    s3 = aws.client("s3")
    keys = {resource["Properties"]["Code"]["S3Key"] for resource in resources.values() if _is_function(resource)}
    (bucket,) = (each["Name"] for each in s3.list_buckets()["Buckets"] if "-assets-" in each["Name"])
    return sum(int(s3.head_object(Bucket=bucket, Key=key)["ContentLength"]) for key in keys)


def _is_function(resource: dict[str, Any]) -> bool:
    return bool(resource["Type"] == "AWS::Lambda::Function")

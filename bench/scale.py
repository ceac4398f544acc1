"""Scale: many resources in a stack, and many handlers at once."""

from __future__ import annotations

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret
from local.cdk import Cdk
from local.clock import SystemClock
from local.secrets_manager import ApiError, Delays, SecretsManager
from local.server import ACCOUNT, REGION, LocalAws
from local.wire import client
from secret_replication.secrets_manager import CONFIG, Boto3SecretsManager
from secret_replication.service import serve
from secret_replication.wait import SystemClock as HandlersClock
from tests.support import Lines, Numbers, event

from .report import Goal, Section

SIZES = (1, 10, 100, 400)
HANDLERS = 500
# F40: tagging has a limit, and all other writes of an account in a Region have one together.
WRITES_PER_SECOND = 50
_GOAL = 1.3
_PARIS = "eu-west-3"
_ABOUT = f"""Imported secrets, each with a `ReplicatedSecret` to one Region, in one stack on local AWS, which replicates
20 times as fast as AWS; the policies have a right for each. Then {HANDLERS} handlers at once, in one process, create a
replica each against AWS's limits: {WRITES_PER_SECOND} taggings and {WRITES_PER_SECOND} other writes a second."""


def measure() -> Section:
    """Stacks of several sizes on local AWS; then the crowd."""
    with LocalAws(speed=20) as aws, tempfile.TemporaryDirectory() as folder:
        command = Cdk(aws.environment, Path(folder) / "cli")
        command.bootstrap()
        for number in range(max(SIZES)):
            aws.client("secretsmanager").create_secret(Name=f"app/{number:03}", SecretString="value")
        stacks = {size: _deploy(aws, command, Path(folder) / str(size), size) for size in SIZES}
    crowd = _crowd()
    rows = [
        (f"{size}", f"{made.synth:.2f}", f"{made.template:,}", f"{made.policies:,}", f"{made.deploy:.0f}")
        for size, made in stacks.items()
    ]
    return Section(
        "scale", "Scale",
        _ABOUT,
        ("resources", "seconds to synthesize", "bytes of template", "bytes of policies", "seconds to deploy"), rows,
        {f"{size} resources": made.deploy for size, made in stacks.items()}, "seconds to deploy",
        (
            Goal(f"all of {HANDLERS} handlers at once succeed: {crowd.succeeded}", crowd.succeeded == HANDLERS),
            Goal(
                f"within {_GOAL} of the {crowd.least:.0f} s that the limit allows: {crowd.seconds:.1f} s, "
                f"{crowd.seconds / crowd.least:.2f} of it; {crowd.throttled} calls were throttled",
                crowd.seconds <= _GOAL * crowd.least,
            ),
        ),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Made:
    synth: float
    template: int
    policies: int
    deploy: float


def _deploy(aws: LocalAws, command: Cdk, folder: Path, size: int) -> _Made:
    started = time.monotonic()
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, f"Of{size}", env=cdk.Environment(account=ACCOUNT, region=REGION))
    for number in range(size):
        secret = sm.Secret.from_secret_name_v2(stack, f"Secret{number}", f"app/{number:03}")
        ReplicatedSecret(stack, f"Replicated{number}", secret=secret, regions=[_PARIS])
    template = app.synth().get_stack_by_name(stack.stack_name).template
    synth, started = time.monotonic() - started, time.monotonic()
    command.run("deploy", "--all", "--app", str(folder), "--require-approval", "never")
    deploy = time.monotonic() - started
    replicas = aws.client("secretsmanager", _PARIS).get_paginator("list_secrets").paginate()
    assert sum(len(page["SecretList"]) for page in replicas) == size  # noqa: S101 - else another thing is measured
    # The next stack declares the same secrets.
    command.run("destroy", "--all", "--app", str(folder), "--force")
    policies = [
        resource["Properties"]["PolicyDocument"]
        for resource in template["Resources"].values()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
    ]
    return _Made(synth, len(str(template)), len(str(policies)), deploy)


@dataclass(frozen=True, slots=True)
class _Crowd:
    seconds: float
    least: float
    succeeded: int
    throttled: int


class _Bucket:
    """A limit of calls a second, which holds a second's worth."""

    def __init__(self) -> None:
        self._tokens, self._filled = float(WRITES_PER_SECOND), time.monotonic()

    def take(self) -> bool:
        """Whether one more call is within the limit."""
        now = time.monotonic()
        tokens = self._tokens + (now - self._filled) * WRITES_PER_SECOND
        self._tokens, self._filled = min(tokens, WRITES_PER_SECOND), now
        taken = self._tokens >= 1
        self._tokens -= taken
        return taken


class _Limited:
    """The model behind AWS's limits: one for tagging, one that the other writes share."""

    def __init__(self, model: SecretsManager) -> None:
        self._model, self._lock = model, threading.Lock()
        self._buckets = {"TagResource": _Bucket(), "ReplicateSecretToRegions": _Bucket()}
        self.throttled = 0

    def call(self, region: str, operation: str, parameters: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            bucket = self._buckets.get(operation)
            if bucket and not bucket.take():
                self.throttled += 1
                raise ApiError("ThrottlingException", "Rate exceeded")
            return self._model.call(region, operation, parameters)


def _crowd() -> _Crowd:
    model = SecretsManager(SystemClock(), Delays(in_sync=0.0))
    for number in range(HANDLERS):
        model.call(REGION, "CreateSecret", {"Name": f"app/{number:03}", "SecretString": "value"})
    limited = _Limited(model)
    shared: Any = client(limited, REGION, CONFIG)  # type: ignore[arg-type]  # it asks for call alone

    def create(number: int) -> bool:
        request = event(SecretId=f"app/{number:03}", LogicalResourceId=f"Replicated{number}", regions=(_PARIS,))
        return not serve(
            request, aws=Boto3SecretsManager(REGION, lambda _: shared), clock=HandlersClock(), log=Lines(),
            metrics=Numbers(), region=REGION, seconds=900,
        ).reason  # fmt: skip

    started = time.monotonic()
    with ThreadPoolExecutor(HANDLERS) as threads:
        succeeded = sum(threads.map(create, range(HANDLERS)))
    # The buckets were full; tags and replications overlap.
    least = (HANDLERS - WRITES_PER_SECOND) / WRITES_PER_SECOND
    return _Crowd(time.monotonic() - started, least, succeeded, limited.throttled)

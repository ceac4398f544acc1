"""Scale: many resources in a stack, and many handlers at the same time."""

from __future__ import annotations

import json
import random
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest import mock

import aws_cdk as cdk
import botocore.endpoint
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicatedSecret
from local.cdk import Cdk
from local.clock import Clock, VirtualClock
from local.secrets_manager import Delays, SecretsManager
from local.secrets_manager.script import DEFAULT_WRITES_PER_SECOND as LIMIT
from local.server import ACCOUNT, REGION, LocalAws
from local.wire import client
from secret_replication.request import Request
from secret_replication.secrets_manager import CONFIG, Boto3SecretsManager
from secret_replication.service import Service
from tests.helpers.turns import Turns
from tests.helpers.world import Lines, Numbers, event

from .report import Goal, Section

# 180 imported secrets fill the ten managed policies that a role may have by default.
SIZES = (1, 10, 100, 180)
HANDLERS = 500
_GOAL = 1.3
_PARIS = "eu-west-3"
_ABOUT = f"""Imported secrets, each with a `ReplicatedSecret` to one Region, in one stack on local AWS, which replicates
20 times as fast as AWS; the policies name each of them. Then {HANDLERS} handlers create a replica each, all at the
same time, against AWS's limits: {LIMIT:g} taggings and {LIMIT:g} other writes a second. That is in virtual time, since
in real time two cores would be the limit that is measured."""


def measure() -> Section:
    """Stacks of several sizes on local AWS; then the crowd."""
    with LocalAws(speed=20) as aws, tempfile.TemporaryDirectory() as folder:
        command = Cdk(aws.environment, Path(folder) / "cli")
        command.bootstrap()
        stacks = {size: _deploy(aws, command, Path(folder) / str(size), size) for size in SIZES}
    crowd = _crowd()
    rows = [
        (f"{size}", f"{made.synth:.2f}", f"{made.template:,}", f"{made.policies:,}", f"{made.deploy:.0f}")
        for size, made in stacks.items()
    ]
    return Section(
        name="scale",
        title="Scale",
        about=_ABOUT,
        columns=("resources", "seconds to synthesize", "bytes of template", "bytes of policies", "seconds to deploy"),
        rows=rows,
        bars={f"{size} resources": made.deploy for size, made in stacks.items()},
        unit="seconds to deploy",
        goals=(
            Goal(f"all of {HANDLERS} simultaneous handlers succeed: {crowd.succeeded}", crowd.succeeded == HANDLERS),
            Goal(
                f"within {_GOAL} of the {crowd.least:.0f} s that the limit allows: {crowd.seconds:.1f} s, "
                f"{crowd.seconds / crowd.least:.2f} of it; {crowd.throttled} calls were throttled",
                crowd.seconds <= _GOAL * crowd.least,
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Made:
    synth: float
    template: int
    policies: int
    deploy: float


def _deploy(aws: LocalAws, command: Cdk, folder: Path, size: int) -> _Made:
    names = [f"of-{size}/{number:03}" for number in range(size)]
    for name in names:
        aws.client("secretsmanager").create_secret(Name=name, SecretString="value")
    started = time.monotonic()
    app = cdk.App(outdir=str(folder))
    stack = cdk.Stack(app, f"Of{size}", env=cdk.Environment(account=ACCOUNT, region=REGION))
    for number, name in enumerate(names):
        secret = sm.Secret.from_secret_name_v2(stack, f"Secret{number}", name)
        ReplicatedSecret(stack, f"Replicated{number}", secret=secret, regions=[_PARIS])
    made = app.synth().get_stack_by_name(stack.stack_name)
    synth, started = time.monotonic() - started, time.monotonic()
    command.run("deploy", "--all", "--app", str(folder), "--require-approval", "never")
    deploy = time.monotonic() - started
    pages = aws.client("secretsmanager", _PARIS).get_paginator("list_secrets").paginate()
    replicas = {secret["Name"] for page in pages for secret in page["SecretList"]}
    if missing := set(names) - replicas:
        raise RuntimeError(f"the stack is complete without replicas of {sorted(missing)}")
    policies = [
        resource["Properties"]["PolicyDocument"]
        for resource in made.template["Resources"].values()
        if resource["Type"] == "AWS::IAM::ManagedPolicy"
    ]
    compact = sum(len(json.dumps(policy, separators=(",", ":"))) for policy in policies)
    return _Made(synth, Path(made.template_full_path).stat().st_size, compact, deploy)


@dataclass(frozen=True, slots=True)
class _Crowd:
    seconds: float
    least: float
    succeeded: int
    throttled: int


class _Waits(threading.local):
    """Replaces botocore's ``time``, so that its pauses between attempts pass in the handler's own virtual time."""

    sleep: Callable[[float], None]


def _crowd() -> _Crowd:
    clock, waits = VirtualClock(), _Waits()
    model = SecretsManager(clock, Delays(in_sync=0.0))
    for number in range(HANDLERS):
        model.call(REGION, "CreateSecret", {"Name": f"app/{number:03}", "SecretString": "value"})
    shared = client(model, REGION, CONFIG)

    def create(number: int, own: Clock) -> bool:
        waits.sleep = own.sleep
        request = event(SecretId=f"app/{number:03}", LogicalResourceId=f"Replicated{number}", regions=(_PARIS,))
        aws = Boto3SecretsManager(REGION, lambda *_: shared)
        return not Service(aws, own, Lines(), Numbers(), REGION).handle(Request.of(request), 900).reason

    started = clock.time
    random.seed(0)  # botocore waits at random.
    with mock.patch.object(botocore.endpoint, "time", waits):
        succeeded = sum(Turns(clock, random.randrange).take([partial(create, n) for n in range(HANDLERS)]))
    throttled = sum(call.outcome == "ThrottlingException" for call in model.journal)
    # The first second's worth is immediate; tags and replications overlap.
    return _Crowd(clock.time - started, HANDLERS / LIMIT - 1, succeeded, throttled)

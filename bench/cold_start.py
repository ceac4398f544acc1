"""Cold start: a fresh process takes an Update that changes nothing to its answer."""

from __future__ import annotations

import compileall
import contextlib
import json
import os
import py_compile
import statistics
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cloudformation.__main__ import BUNDLE
from local.clock import SystemClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import Endpoint, client

from .report import Goal, Section

RUNS = 15
_REGION = "us-west-2"
_STACK = f"arn:aws:cloudformation:{_REGION}:000000000000:stack/app/1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90"
_GOAL = 1.15
_ABOUT = f"""A fresh process takes an Update that changes nothing to its answer, against an endpoint on loopback; the
median of {RUNS}, in turns. The bundle brings bytecode for Lambda's Python 3.13, and here has it for this run's; boto3
has its own. The floor is a script with nothing but boto3: one client, one DescribeSecret, one PUT.
The handler has Python collect garbage less often than it does by default (`handler/secret_replication/__init__.py`);
the floor and crhelper's example are left as they are."""

_FLOOR = """
import boto3, json, sys, urllib3
event = json.load(sys.stdin)
arn = boto3.client("secretsmanager").describe_secret(SecretId=event["PhysicalResourceId"])["ARN"]
answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
answer |= {"Status": "SUCCESS", "PhysicalResourceId": arn}
urllib3.PoolManager().request("PUT", event["ResponseURL"], body=json.dumps(answer))
"""
_LAMBDA = """
import json, sys
from types import SimpleNamespace
context = SimpleNamespace(
    aws_request_id="invocation", function_name="provider", memory_limit_in_mb=256,
    log_group_name="", log_stream_name="",
    invoked_function_arn="arn:aws:lambda:us-west-2:000000000000:function:provider",
    get_remaining_time_in_millis=lambda: 600_000,
)
"""
_OURS = f"""{_LAMBDA}
from secret_replication.main import handler
handler(json.load(sys.stdin), context)
"""
# As its README has it, with the one call that the floor makes. It speaks https only; here that is http.
_CRHELPER = f"""{_LAMBDA}
import boto3, crhelper.utils, http.client
from crhelper import CfnResource
crhelper.utils.HTTPSConnection = lambda host, context=None: http.client.HTTPConnection(host)
helper = CfnResource()
client = boto3.client("secretsmanager")
@helper.create
@helper.update
def work(event, _):
    return client.describe_secret(SecretId=event["PhysicalResourceId"])["ARN"]
helper(json.load(sys.stdin), context)
"""
# Linux counts the forking process's memory into ru_maxrss; its own peak is in /proc.
_PEAK = """
import os, resource
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
if os.path.exists("/proc/self/status"):
    peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
spent = resource.getrusage(resource.RUSAGE_SELF)
print("measured", spent.ru_utime + spent.ru_stime, peak)
"""
_FLOOR_NAME, _OURS_NAME, _PLAIN, _BARE = (
    "floor: boto3 alone", "this handler", "crhelper's plain example", "this handler, without its bytecode"
)  # fmt: skip
_SCRIPTS = {_FLOOR_NAME: _FLOOR, _OURS_NAME: _OURS, _PLAIN: _CRHELPER, _BARE: _OURS}


class _Endpoint(Endpoint):
    def put(self, path: str, body: bytes) -> tuple[int, bytes]:
        assert path  # noqa: S101
        assert json.loads(body)["Status"] == "SUCCESS", body  # noqa: S101 - else another thing is measured
        return 200, b""


def measure() -> Section:
    """In turns, so that what else the machine does strikes all of them."""
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in _SCRIPTS}
    with _Endpoint(SecretsManager(SystemClock(), Delays(in_sync=0.0))) as endpoint, _bundles() as (compiled, bare):
        event = _prepare(endpoint, compiled)
        for _ in range(RUNS):
            for name, script in _SCRIPTS.items():
                bundle = bare if name in (_BARE, _PLAIN) else compiled
                taken[name].append(_run(script, event, endpoint.url, bundle))
    middle = {name: tuple(map(statistics.median, zip(*values, strict=True))) for name, values in taken.items()}
    floor, ours, plain = middle[_FLOOR_NAME], middle[_OURS_NAME], middle[_PLAIN]
    rows = [
        (name, f"{cpu:.3f}", f"{cpu / floor[0]:.2f}", f"{memory:.1f}", f"{memory / floor[1]:.2f}")
        for name, (cpu, memory) in middle.items()
    ]
    return Section(
        "cold_start", "Cold start",
        _ABOUT,
        ("what", "CPU seconds", "of the floor's", "peak MiB", "of the floor's"), rows,
        {name: cpu for name, (cpu, _) in middle.items()}, "CPU seconds",
        (
            Goal(f"CPU at most {_GOAL} of the floor's: {ours[0] / floor[0]:.2f}", ours[0] <= _GOAL * floor[0]),
            Goal(f"memory at most {_GOAL} of the floor's: {ours[1] / floor[1]:.2f}", ours[1] <= _GOAL * floor[1]),
            Goal(f"CPU below crhelper's own: {ours[0] / plain[0]:.2f} of it", ours[0] < plain[0]),
        ),
    )  # fmt: skip


def _prepare(endpoint: Endpoint, bundle: Path) -> Mapping[str, Any]:
    """A secret that is replicated as the event declares; the event."""
    secrets = client(endpoint.model, _REGION)
    arn = secrets.create_secret(Name="app/database", SecretString="value")["ARN"]
    properties = {"ServiceToken": "token", "SecretId": arn, "ReplicaRegions": ["eu-west-3"]}
    event = {
        "RequestType": "Create", "RequestId": "request", "StackId": _STACK, "LogicalResourceId": "Replication",
        "ResponseURL": f"{endpoint.url}/answer", "ResourceType": "Custom::ReplicatedSecret",
        "ResourceProperties": properties,
    }  # fmt: skip
    _run(_OURS, event, endpoint.url, bundle)
    return event | {"RequestType": "Update", "PhysicalResourceId": arn, "OldResourceProperties": properties}


@contextlib.contextmanager
def _bundles() -> Iterator[tuple[Path, Path]]:
    """The bundle with bytecode for this Python, in the manner of pack.mjs, and without any."""
    with tempfile.TemporaryDirectory() as scratch:
        compiled, bare = Path(scratch) / "compiled", Path(scratch) / "bare"
        with zipfile.ZipFile(BUNDLE) as archive:
            archive.extractall(compiled)
            archive.extractall(bare, [name for name in archive.namelist() if not name.endswith(".pyc")])
        compileall.compile_dir(compiled, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH)
        yield compiled, bare


def _run(script: str, event: Mapping[str, Any], url: str, bundle: Path) -> tuple[float, float]:
    """CPU seconds, and MiB at the peak."""
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(bundle), "PYTHONDONTWRITEBYTECODE": "1",
        "AWS_ENDPOINT_URL": url, "AWS_REGION": _REGION, "AWS_DEFAULT_REGION": _REGION,
        "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", script + _PEAK],
        input=json.dumps(event), text=True, capture_output=True, check=True, env=environment, cwd=bundle.parent,
    )  # fmt: skip
    _, cpu, memory = done.stdout.splitlines()[-1].split()
    return float(cpu), float(memory)

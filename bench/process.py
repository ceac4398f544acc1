"""Runs a function once in a fresh process, as Lambda does at a cold start, and measures it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aws_cdk as cdk

from cdk_replicated_secret import ReplicationProvider
from cloudformation.__main__ import BUNDLE
from local.clock import SystemClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import Endpoint, client
from tools.pythons import find_python

# Where a function has one vCPU; with less memory it has that share of one (Lambda's guide, "Configure memory").
MIB_OF_A_VCPU = 1769
_PERIOD = 0.02
_REGION = "us-west-2"
_STACK = f"arn:aws:cloudformation:{_REGION}:000000000000:stack/app/1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90"

BOTO3 = """
import boto3, json, sys, urllib3
event = json.load(sys.stdin)
arn = boto3.client("secretsmanager").describe_secret(SecretId=event["PhysicalResourceId"])["ARN"]
response = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
response |= {"Status": "SUCCESS", "PhysicalResourceId": arn}
urllib3.PoolManager().request("PUT", event["ResponseURL"], body=json.dumps(response))
"""
LAMBDA = """
import json, sys
from types import SimpleNamespace
context = SimpleNamespace(
    aws_request_id="invocation", function_name="provider", memory_limit_in_mb=512,
    log_group_name="", log_stream_name="",
    invoked_function_arn="arn:aws:lambda:us-west-2:000000000000:function:provider",
    get_remaining_time_in_millis=lambda: 600_000,
)
"""
OURS = f"""{LAMBDA}
from secret_replication.main import handler
handler(json.load(sys.stdin), context)
"""
# The example of its README, with the call that BOTO3 makes. crhelper uses https only; the endpoint here is http.
CRHELPER = f"""{LAMBDA}
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
# Linux counts the memory of the forking process into ru_maxrss; the process's own peak is in /proc.
_MEASURE = """
import os, resource, time
ended = time.monotonic()
spent = resource.getrusage(resource.RUSAGE_SELF)
peak = spent.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
if os.path.exists("/proc/self/status"):
    peak = int(open("/proc/self/status").read().partition("VmHWM:")[2].split()[0]) / 1024
print("measured", ended, spent.ru_utime + spent.ru_stime, peak)
"""


class ProcessError(Exception):
    """The process failed, or did not do what is measured."""


@dataclass(frozen=True, slots=True)
class Start:
    """A cold start.

    Args:
        wall: Seconds from the start of the process until the response is out.
        cpu: CPU seconds.
        peak: MiB of memory.
    """

    wall: float
    cpu: float
    peak: float


class ModelEndpoint(Endpoint):
    """The model, and an S3 that takes responses."""

    def put(self, path: str, body: bytes) -> tuple[int, bytes]:
        if json.loads(body)["Status"] != "SUCCESS":
            raise ProcessError(f"{path}: {body.decode()}")
        return 200, b""


@dataclass(frozen=True, slots=True)
class Function:
    """Properties of the construct's function: the version of Python, and MiB of memory."""

    runtime: str
    memory: int


def function() -> Function:
    """Synthesize the construct's function with the default properties."""
    stack = cdk.Stack(cdk.App(), "Default")
    ReplicationProvider.get_or_create(stack)
    resources = cdk.assertions.Template.from_stack(stack).find_resources("AWS::Lambda::Function")
    (properties,) = (resource["Properties"] for resource in resources.values())
    return Function(properties["Runtime"].removeprefix("python"), int(properties["MemorySize"]))


class Processes:
    """Processes that handle the same Update, which changes nothing, against an endpoint on loopback.

    ``bundle`` is the Lambda's bundle as it is: sources. ``compiled`` is the same with bytecode. ``version`` is that of
    Python: the function's runtime if this machine has it, else that of this process.
    """

    def __init__(self, endpoint: Endpoint, scratch: Path) -> None:
        runtime = function().runtime
        found = find_python(runtime)
        self._python = found or Path(sys.executable)
        self.version = runtime if found else f"{sys.version_info.major}.{sys.version_info.minor}"
        self.bundle, self.compiled = scratch / "bundle", scratch / "compiled"
        for folder in (self.bundle, self.compiled):
            with zipfile.ZipFile(BUNDLE) as archive:
                archive.extractall(folder)
        compiler = (self._python, "-m", "compileall", "-q", "--invalidation-mode", "checked-hash")
        subprocess.run([*compiler, self.compiled], check=True)
        arn = client(endpoint.model, _REGION).create_secret(Name="app/database", SecretString="value")["ARN"]
        properties = {"ServiceToken": "token", "SecretId": arn, "ReplicaRegions": ["eu-west-3"]}
        self._event: Mapping[str, Any] = {
            "RequestType": "Create",
            "RequestId": "request",
            "StackId": _STACK,
            "LogicalResourceId": "Replication",
            "PhysicalResourceId": arn,
            "ResponseURL": f"{endpoint.url}/response",
            "ResourceType": "Custom::ReplicatedSecret",
            "ResourceProperties": properties,
        }
        self._environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_REGION": _REGION,
            "AWS_DEFAULT_REGION": _REGION,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        # The first of them leaves the bytecode of boto3 behind for those that are measured.
        self._environment["PYTHONDONTWRITEBYTECODE"] = ""
        self.run(BOTO3, self.bundle)
        self.run(CRHELPER, self.compiled)
        self._environment["PYTHONDONTWRITEBYTECODE"] = "1"
        self.run(OURS, self.bundle)
        self._event = {**self._event, "RequestType": "Update", "OldResourceProperties": properties}

    def run(self, script: str, bundle: Path, share: float = 1.0) -> Start:
        """Run a script once.

        Args:
            script: One of those above.
            bundle: The folder that it imports from. Nothing is compiled into it.
            share: The share of a CPU that the process gets.

        Raises:
            ProcessError: If the script fails.
        """
        path = os.pathsep.join([str(bundle), sysconfig.get_path("purelib")])
        with tempfile.TemporaryFile("w+") as event, tempfile.TemporaryFile("w+") as printed:
            json.dump(self._event, event)
            event.seek(0)
            started = time.monotonic()
            process = subprocess.Popen(
                [self._python, "-c", script + _MEASURE],
                stdin=event,
                stdout=printed,
                stderr=subprocess.STDOUT,
                env=self._environment | {"PYTHONPATH": path},
                cwd=bundle.parent,
            )
            try:
                limit(process, share)
            finally:
                process.kill()
            printed.seek(0)
            output = printed.read()
        if process.returncode:
            raise ProcessError(output)
        _, ended, cpu, peak = output.splitlines()[-1].split()
        return Start(float(ended) - started, float(cpu), float(peak))


@contextlib.contextmanager
def processes() -> Iterator[Processes]:
    """Start the endpoint, and unpack the bundle."""
    with (
        ModelEndpoint(SecretsManager(SystemClock(), Delays(in_sync=0.0))) as endpoint,
        tempfile.TemporaryDirectory() as scratch,
    ):
        yield Processes(endpoint, Path(scratch))


def limit(process: subprocess.Popen[bytes], share: float) -> None:
    """Wait for the end of a process, and until then keep it to a share of a CPU, as the kernel's CPU quota does.

    In each period of 20 ms it runs until it has used its share and is stopped for the rest. A cgroup would need root.
    """
    started, periods, quota = time.monotonic(), 0, 0.0
    while share < 1 and process.poll() is None:
        periods += 1
        end = started + periods * _PERIOD
        # As in the kernel, an excess is paid back and what is left is lost.
        quota = min(quota, _cpu_seconds(process.pid)) + share * _PERIOD
        process.send_signal(signal.SIGCONT)
        while (left := min(quota - _cpu_seconds(process.pid), end - time.monotonic())) > 0:
            time.sleep(left)
        if (rest := end - time.monotonic()) > 0:
            process.send_signal(signal.SIGSTOP)
            time.sleep(rest)
    process.wait()


def _cpu_seconds(pid: int) -> float:
    """What the threads of a process have used. Linux counts it in nanoseconds; no other count is as exact."""
    spent = 0
    for thread in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        # A thread may end before it is read.
        with contextlib.suppress(OSError):
            spent += int(thread.read_text().split()[0])
    return spent / 1e9

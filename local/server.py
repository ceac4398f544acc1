"""Starts and stops local AWS: one process, one port on loopback, nothing left behind."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

HOST = "127.0.0.1"
REGION = "us-west-2"
ACCOUNT = "000000000000"
# MiniStack's root. Without credentials, clients cannot sign.
_CREDENTIAL = "test"
_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 10.0


class LocalAwsError(Exception):
    """Local AWS did not start; the message holds the end of its log."""


class LocalAws:
    """Local AWS in a separate process, for as long as the ``with`` block lasts.

    Args:
        speed: how many times faster than AWS replication is; 1 takes AWS's own seconds.
        port: where to listen on loopback; 0 for any free port.
        auth: whether IAM policies are enforced. The clients here are root's; a Lambda has its role's permissions.
        behind: the port of a proxy, through which Lambdas reach this; 0 for none.
    """

    def __init__(self, speed: float = 1.0, port: int = 0, *, auth: bool = False, behind: int = 0) -> None:
        self._speed, self._auth, self._behind = speed, auth, behind
        self.port = port or free_port()
        self._scratch = Path(tempfile.mkdtemp(prefix="local-aws-"))
        self._log = self._scratch / "log"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def endpoint(self) -> str:
        """The URL of every service."""
        return endpoint(self.port)

    @property
    def pid(self) -> int:
        """The ID of its process, which leads a process group that includes the Lambdas."""
        return self._process.pid if self._process else 0

    @property
    def environment(self) -> dict[str, str]:
        """The variables that point cdk, aws and boto3 at it and at nothing else."""
        return environment(self.port)

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client for it, whatever this process's own environment says."""
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.endpoint,
            aws_access_key_id=_CREDENTIAL,
            aws_secret_access_key=_CREDENTIAL,
        )

    def wait(self) -> None:
        """Wait until it ends, or Ctrl-C."""
        if self._process:
            self._process.wait()

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "local", "--port", str(self.port), "--speed", str(self._speed), "--until-eof"]
        command += ["--behind", str(self._behind), *["--auth"] * self._auth]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd=Path(__file__).parent.parent,
                env=dict(os.environ) | {"TMPDIR": str(self._scratch)},
            )
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process and the Lambda processes that it started."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOPS_WITHIN)
        finally:
            # The whole session: whatever it started and did not end.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            if process.stdin:
                process.stdin.close()
            shutil.rmtree(self._scratch, ignore_errors=True)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _STARTS_WITHIN
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                urllib.request.urlopen(f"{self.endpoint}/_ministack/health", timeout=2).close()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
            else:
                return
        raise LocalAwsError(f"local AWS did not start on port {self.port}:\n{self._log.read_text()[-2000:]}")


def free_port() -> int:
    """A port on loopback on which no process listens now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def endpoint(port: int) -> str:
    """The URL of every service."""
    return f"http://{HOST}:{port}"


def environment(port: int) -> dict[str, str]:
    """The variables that point cdk, aws and boto3 at local AWS on this port."""
    return {
        "AWS_ENDPOINT_URL": endpoint(port),
        "AWS_ACCESS_KEY_ID": _CREDENTIAL,
        "AWS_SECRET_ACCESS_KEY": _CREDENTIAL,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        # Otherwise jsii warns on every run that Node 20 is old.
        "JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION": "20",
    }


def is_listening(port: int) -> bool:
    """Whether a process listens on a port on loopback."""
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def clean_environment() -> dict[str, str]:
    """This process's environment, without the variables that would point an AWS client elsewhere."""
    return {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}

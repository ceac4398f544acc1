"""``make demo``: a replicated secret from its first deployment to its removal, on local AWS, with the real CDK CLI."""

from __future__ import annotations

import argparse
import json
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

from botocore.exceptions import ClientError
from rich.console import Console

from .cdk import Cdk, CdkError
from .server import REGION, LocalAws, LocalAwsError

STACK = "ReplicatedSecret"
# A removal takes AWS 40 to 90 s. The demo shows it, but faster.
SPEED = 6.0
_KEPT, _DROPPED, _ADDED = "eu-west-3", "us-east-1", "ap-southeast-2"
_Statuses = dict[str, str]
_COMMANDS = f"""
npx cdk deploy --require-approval never    # a new secret
aws secretsmanager create-secret --name app/database --secret-string test
npx cdk deploy --require-approval never -c secretId=app/database    # an existing one, in its own stack
aws secretsmanager list-secrets --region {_KEPT}"""


class DemoError(Exception):
    """Something is not as the demo says."""


class Demo:
    """The steps, each of which checks what it shows.

    Args:
        aws: local AWS, started.
        scratch: a folder for cloud assemblies.
        console: where the steps are shown.
    """

    def __init__(self, aws: LocalAws, scratch: Path, console: Console) -> None:
        self._cdk = Cdk(aws.environment, scratch)
        self._console = console
        self._clients: dict[tuple[str, str], Any] = {}
        self._aws = aws
        self._secret_arn = ""

    def run(self) -> None:
        """All steps.

        Raises:
            DemoError: If a step does not have the result that it shows.
        """
        self._step("cdk bootstrap", self._cdk.bootstrap)
        self._deploy()
        self._read()
        self._change()
        self._destroy()

    def _deploy(self) -> None:
        self._step(
            f"cdk deploy: a secret in {REGION}, replicated to {_KEPT} and {_DROPPED}",
            lambda: self._cdk.deploy(STACK, meanwhile=_Watch(self._statuses, self._console)),
        )
        outputs = self._outputs()
        for key, value in outputs.items():
            self._console.print(f"  {key} = {value}", markup=False)
        self._secret_arn = outputs["SecretArn"]
        reported = {entry["Region"]: entry["Status"] for entry in json.loads(outputs["SecretReplicationStatus"])}
        _check("the outputs", reported, {_KEPT: "InSync", _DROPPED: "InSync"})

    def _read(self) -> None:
        self._step(f"aws secretsmanager get-secret-value --region {_KEPT}")
        values = {region: self._value(region) for region in (REGION, _KEPT)}
        for region, value in values.items():
            self._console.print(f"  {region}: {value}  (made for this demo)", markup=False)
        if not values[REGION]:
            raise DemoError(f"the secret in {REGION} has no value")
        _check(f"the value in {_KEPT}", values[_KEPT], values[REGION])

    def _change(self) -> None:
        before = self._describe(_KEPT)
        context = {"replicaRegions": json.dumps([_KEPT, _ADDED])}
        self._step(
            f"cdk deploy: {_DROPPED} dropped, {_ADDED} added",
            lambda: self._cdk.deploy(STACK, context, _Watch(self._statuses, self._console)),
        )
        _check("the replicas", self._statuses(), {_KEPT: "InSync", _ADDED: "InSync"})
        _check(f"the secret in {_DROPPED}", self._describe(_DROPPED), None)
        after = self._describe(_KEPT)
        _check(f"the replica in {_KEPT}", after and after["CreatedDate"], before and before["CreatedDate"])
        self._console.print(f"  {_DROPPED} removed, {_ADDED} added, {_KEPT} untouched")

    def _destroy(self) -> None:
        self._step("cdk destroy", lambda: self._cdk.destroy(STACK, meanwhile=_Watch(self._statuses, self._console)))
        for region in (REGION, _KEPT, _DROPPED, _ADDED):
            _check(f"the secret in {region}", self._describe(region), None)
        self._console.print("  every replica and the primary removed")

    def _step(self, title: str, work: Callable[[], object] = lambda: None) -> None:
        self._console.print(f"\n[bold]{title}[/bold]")
        with self._console.status(title):
            started = time.monotonic()
            work()
        if (seconds := time.monotonic() - started) > 1:
            self._console.print(f"  done in {seconds:.0f} s")

    def _client(self, service: str, region: str = REGION) -> Any:
        if (service, region) not in self._clients:
            self._clients[service, region] = self._aws.client(service, region)
        return self._clients[service, region]

    def _outputs(self) -> dict[str, str]:
        stack = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def _statuses(self) -> _Statuses:
        """What DescribeSecret says about the demo's replicas; empty while there is no secret."""
        described = self._describe(REGION) or {}
        return {entry["Region"]: entry["Status"] for entry in described.get("ReplicationStatus", [])}

    def _describe(self, region: str) -> dict[str, Any] | None:
        """The demo's secret in a Region. It is the only one of its account, so no name is needed."""
        client = self._client("secretsmanager", region)
        try:
            listed = client.list_secrets()["SecretList"]
            return dict(client.describe_secret(SecretId=listed[0]["ARN"])) if listed else None
        except ClientError as error:
            if error.response["Error"]["Code"] == "ResourceNotFoundException":
                return None
            raise

    def _value(self, region: str) -> str:
        name = self._secret_arn.rpartition(":")[2][:-7]
        return str(self._client("secretsmanager", region).get_secret_value(SecretId=name)["SecretString"])


class _Watch:
    """A line for every change of the replicas' statuses while a command runs."""

    def __init__(self, look: Callable[[], _Statuses], console: Console) -> None:
        self._look, self._console = look, console
        self._started, self._last = time.monotonic(), look()

    def __call__(self) -> None:
        statuses = self._look()
        if statuses == self._last:
            return
        self._last = statuses
        seconds = time.monotonic() - self._started
        told = ", ".join(f"{region} {status}" for region, status in sorted(statuses.items()))
        self._console.print(f"  {seconds:4.1f} s  {told or 'no replicas listed'}")


def _check(what: str, actual: object, expected: object) -> None:
    if actual != expected:
        raise DemoError(f"{what}: expected {expected}, found {actual}")


def main() -> int:
    """Run the demo. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--keep", action="store_true", help="leave local AWS running, and print how to use it")
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True, emoji=False)
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        with tempfile.TemporaryDirectory() as scratch, LocalAws(SPEED) as aws:
            console.print(f"Local AWS on {aws.endpoint}, replicating {SPEED:g} times as fast as AWS")
            Demo(aws, Path(scratch), console).run()
            console.print(f"\nAll checks passed in {time.monotonic() - started:.0f} s.")
            if arguments.keep:
                _keep(aws, console)
    except (DemoError, CdkError, LocalAwsError) as error:
        console.print(f"\nThe demo failed: {error}", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("\nInterrupted; local AWS is stopped.")
        return 130
    return 0


def _keep(aws: LocalAws, console: Console) -> None:
    console.print("\nLocal AWS is still running; press Ctrl-C to stop it. In another terminal:\n")
    for name, value in aws.environment.items():
        console.print(f"export {name}={shlex.quote(value)}", markup=False)
    console.print(_COMMANDS, markup=False)
    aws.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

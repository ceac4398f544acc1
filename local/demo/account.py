"""What the demo looks at: a secret, its replicas and the stack, as the AWS CLI would show them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from local.server import REGION, LocalAws

# What is looked at, such as a Region, and its state; empty while there is nothing.
States = Mapping[str, str]
_MISSING = {"ResourceNotFoundException", "ValidationError"}


class DemoError(Exception):
    """Something is not as the demo says."""


def check(what: str, actual: object, expected: object) -> None:
    """Compare.

    Raises:
        DemoError: If they differ.
    """
    if actual != expected:
        raise DemoError(f"{what}: expected {expected}, found {actual}")


class Account:
    """The account of local AWS, with one primary at most."""

    def __init__(self, aws: LocalAws) -> None:
        self._aws = aws
        self._clients: dict[tuple[str, str], Any] = {}
        self._arn = ""

    def client(self, service: str, region: str = REGION) -> Any:
        """A boto3 client, made once."""
        if (service, region) not in self._clients:
            self._clients[service, region] = self._aws.client(service, region)
        return self._clients[service, region]

    def primary(self) -> dict[str, Any] | None:
        """What DescribeSecret says of the primary, the only secret of its Region."""
        described = self.secret(REGION) if self._arn else None
        if described is None:
            listed = self.client("secretsmanager").list_secrets()["SecretList"]
            self._arn = listed[0]["ARN"] if listed else self._arn
            described = self.secret(REGION) if listed else None
        return described

    def secret(self, region: str) -> dict[str, Any] | None:
        """What DescribeSecret says in a Region: of the primary, or of its replica, whose ARN differs in the Region."""
        client = self.client("secretsmanager", region)
        return _found(lambda: client.describe_secret(SecretId=self._arn.replace(REGION, region, 1)))

    def replication(self) -> list[dict[str, str]]:
        """The ReplicationStatus of the primary."""
        return list((self.primary() or {}).get("ReplicationStatus", []))

    def statuses(self) -> dict[str, str]:
        """The status of each Region."""
        return {entry["Region"]: entry["Status"] for entry in self.replication()}

    def value(self, region: str, name: str = "") -> str:
        """The secret's value in a Region."""
        secret_id = name or self._arn.rpartition(":")[2][:-7]
        return str(self.client("secretsmanager", region).get_secret_value(SecretId=secret_id)["SecretString"])

    def outputs(self, stack: str) -> dict[str, str]:
        """The outputs of the stack."""
        return {each["OutputKey"]: each["OutputValue"] for each in self._stack(stack)["Outputs"]}

    def stack_status(self, stack: str) -> str:
        """What DescribeStacks says; empty if there is no such stack."""
        return str(self._stack(stack).get("StackStatus", ""))

    def reason(self, stack: str) -> str:
        """Why the creation of the custom resource failed, in the words of the stack's events."""
        events = self.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"] == "CREATE_FAILED"]
        return str(failed[0]["ResourceStatusReason"]) if failed else ""

    def looks(self, stack: str, regions: Sequence[str]) -> Callable[[], States]:
        """Returns a function that looks at the primary, the replicas and the stack.

        Args:
            stack: The stack's name.
            regions: The replicas'.
        """
        last: dict[str, str] = {}

        def look() -> States:
            primary = self.primary()
            listed = {entry["Region"]: entry["Status"] for entry in (primary or {}).get("ReplicationStatus", [])}
            last[f"{REGION} (primary)"] = "exists" if primary else ""
            for region in regions:
                last[region] = listed.get(region) or self._unlisted(region, last.get(region, ""))
            last[f"stack {stack}"] = self.stack_status(stack)
            return dict(last)

        return look

    def _unlisted(self, region: str, before: str) -> str:
        """The state of a Region that ReplicationStatus does not have, which had this state before."""
        if before in ("Failed", "not replicated"):
            return "not replicated"
        return "being removed" if before and self.secret(region) else ""

    def _stack(self, name: str) -> dict[str, Any]:
        client = self.client("cloudformation")
        found = _found(lambda: client.describe_stacks(StackName=name))
        return dict(found["Stacks"][0]) if found else {}


def _found(call: Callable[[], Any]) -> dict[str, Any] | None:
    """What the API responds, or None if there is no such secret or stack."""
    try:
        return dict(call())
    except ClientError as error:
        if error.response["Error"]["Code"] in _MISSING:
            return None
        raise

"""An AWS account: its clients tag whatever they make, and record each call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError

from local.clock import Clock

TAG = "cdk-replicated-secret-live"
PREFIX = "cdk-replicated-secret-live"
_LONGEST_SLEEP = 5.0
Credentials = Mapping[str, str]
# Gives a boto3 client: of a service, in a Region, with a role's credentials or else the caller's own.
Connect = Callable[[str, str, Credentials | None], Any]
# The calls that make something, with the names that they use for a tag's key and value.
_MAKES = {
    "create_secret": ("Key", "Value"),
    "create_stack": ("Key", "Value"),
    "create_role": ("Key", "Value"),
    "create_db_cluster": ("Key", "Value"),
    "create_key": ("TagKey", "TagValue"),
}


class StoppedError(Exception):
    """The run was stopped: nothing more is called."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call, as a report shows it."""

    service: str
    operation: str
    region: str
    request_id: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """The outcome of a call: AWS's response, or its error."""

    response: Mapping[str, Any] = field(default_factory=dict)
    code: str = ""
    message: str = ""

    @property
    def words(self) -> str:
        """The error in AWS's words."""
        return f"{self.code}: {self.message}"


class Account:
    """The account, for one run.

    Args:
        connect: makes the clients.
        clock: tells the time, and waits.
        run: the run's id, which names and tags whatever it makes.
        home: the Region of the primaries.
        replicas: two other Regions.
        third: one more, for the end-to-end tests; empty if there is none.
        is_local: whether it is local AWS, which proves nothing of AWS.
    """

    def __init__(
        self,
        connect: Connect,
        clock: Clock,
        run: str,
        home: str,
        replicas: tuple[str, str],
        third: str = "",
        *,
        is_local: bool = False,
    ) -> None:
        self.is_local = is_local
        self.clock, self.run, self.home, self.replicas, self.third = clock, run, home, replicas, third
        self.stopped = threading.Event()
        # The ARNs of secrets and keys: AWS may not list a new one for minutes.
        self.made: list[str] = []
        self._connect = connect
        self._clients: dict[tuple[str, str], Any] = {}
        self._lock = threading.Lock()

    @property
    def regions(self) -> tuple[str, ...]:
        """The Regions in which the run makes something."""
        return (self.home, *self.replicas, *([self.third] if self.third else []))

    def client(self, service: str, region: str, credentials: Credentials | None = None) -> Any:
        """A boto3 client. There is one for each service and Region; with a role's credentials, a new one each time."""
        with self._lock:
            if credentials:
                return self._connect(service, region, credentials)
            if (service, region) not in self._clients:
                self._clients[service, region] = self._connect(service, region, None)
            return self._clients[service, region]

    def call(
        self,
        calls: list[Call],
        service: str,
        operation: str,
        region: str = "",
        credentials: Credentials | None = None,
        **parameters: Any,
    ) -> Reply:
        """Call AWS, tag what is made, and note the call.

        Args:
            calls: where to note it.
            service: boto3's name of the service.
            operation: boto3's name of the operation.
            region: by default the primaries'.
            credentials: a role's; by default the caller's own.
            **parameters: the operation's.

        Raises:
            StoppedError: If the run was stopped.
        """
        if self.stopped.is_set():
            raise StoppedError
        region = region or self.home
        client = self.client(service, region, credentials)
        try:
            response = getattr(client, operation)(**parameters, **self._tags(operation))
        except ClientError as error:
            said = error.response["Error"]
            reply, metadata = Reply({}, said["Code"], said["Message"]), error.response.get("ResponseMetadata", {})
        else:
            reply, metadata = Reply(response or {}), (response or {}).get("ResponseMetadata", {})
        if not reply.code:
            self._remember(operation, reply.response)
        error_words = reply.words if reply.code else ""
        calls.append(Call(service, operation, region, metadata.get("RequestId", ""), error_words))
        return reply

    def wait(self, seconds: float) -> None:
        """Let time pass.

        Raises:
            StoppedError: If the run is stopped before then.
        """
        while seconds > 0:
            if self.stopped.is_set():
                raise StoppedError
            self.clock.sleep(min(seconds, _LONGEST_SLEEP))
            seconds -= _LONGEST_SLEEP

    def _remember(self, operation: str, response: Mapping[str, Any]) -> None:
        if operation == "create_secret":
            self.made.append(str(response["ARN"]))
        if operation == "create_key":
            self.made.append(str(response["KeyMetadata"]["Arn"]))

    def _tags(self, operation: str) -> dict[str, Any]:
        if operation not in _MAKES:
            return {}
        key, value = _MAKES[operation]
        return {"Tags": [{key: TAG, value: self.run}]}

    @property
    def tag(self) -> Mapping[str, str]:
        """The tag of everything that the run makes."""
        return {TAG: self.run}

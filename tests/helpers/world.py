"""The world of the handler's tests: the model of Secrets Manager, a clock of its own, CloudFormation's events."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from local.clock import Clock, VirtualClock
from local.secrets_manager import ApiError, Delays, Dialect, ResponseLostError, SecretsManager
from local.wire import client
from secret_replication.cloudformation import CustomResource
from secret_replication.model import Description, SecretArn
from secret_replication.request import Request
from secret_replication.response import MAX_BYTES, Response
from secret_replication.secrets_manager import Boto3SecretsManager
from secret_replication.service import Service

PRIMARY = "us-west-2"
STACK = "arn:aws:cloudformation:us-west-2:000000000000:stack/app/1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90"
OTHER_STACK = "arn:aws:cloudformation:us-west-2:000000000000:stack/other/7c9e6679-7425-40de-944b-e07fc1f90ae7"
TAG = "cdk-replicated-secret:"
VALUE = "hunter2"
# What no log may hold.
SECRETS = (VALUE, "token=bearer", "cfn-response/", "cloudformation-custom-resource-response-")
LAMBDA_SECONDS = 900.0
# botocore waits between its own, and no clock of ours makes that faster.
NO_RETRIES = Config(retries={"total_max_attempts": 1})


def event(operation: str = "Create", regions: object = ("eu-west-3",), **changes: Any) -> dict[str, Any]:
    """A request of CloudFormation. Names in ``changes`` that are the event's own go there, others are properties."""
    own = {"StackId", "RequestId", "ResponseURL", "LogicalResourceId", "PhysicalResourceId", "OldResourceProperties"}
    properties = {
        "ServiceToken": "arn:aws:lambda:us-west-2:000000000000:function:provider",
        "SecretId": "app/database",
        "ReplicaRegions": list(regions) if isinstance(regions, tuple) else regions,
    } | {name: value for name, value in changes.items() if name not in own}
    return {
        "RequestType": operation,
        "ResponseURL": "https://cloudformation-custom-resource-response-uswest2.s3.us-west-2.amazonaws.com/response?token=bearer",
        "StackId": STACK,
        "RequestId": "request",
        "ResourceType": "Custom::ReplicatedSecret",
        "LogicalResourceId": "Replication",
        "ResourceProperties": {name: value for name, value in properties.items() if value is not None},
    } | {name: value for name, value in changes.items() if name in own}


class Lines:
    """A log that remembers its lines."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def append_keys(self, **keys: object) -> None:
        assert not any(secret in f"{keys}" for secret in SECRETS)

    def info(self, msg: object, **keys: object) -> None:
        assert not any(secret in f"{msg} {keys}" for secret in SECRETS)
        self.lines.append((str(msg), keys))

    warning = error = info


class Numbers(dict[str, float]):
    """Metrics that remember the last request's."""

    def add_dimensions(self, **dimensions: str) -> None:
        assert set(dimensions) == {"service", "request_type"}

    def add_metric(self, name: str, unit: str, value: float) -> None:
        assert unit in {"Count", "Seconds"}
        self[name] = value


class Crash(BaseException):
    """Lambda was killed."""


@dataclass
class Journal:
    """A port that notes every call, and does what a test says before or after one of them."""

    inner: Boto3SecretsManager
    calls: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda _: None
    after: Callable[[str], None] = lambda _: None

    def describe(self, secret: SecretArn | str) -> Description:
        region = secret.region if isinstance(secret, SecretArn) else PRIMARY
        found: Description = self._noted(f"describe {region}", lambda: self.inner.describe(secret))
        return found

    def replicate(self, primary: SecretArn, replicas: Mapping[str, str | None], *, force: bool) -> None:
        self._noted(f"replicate {_list(replicas)}", lambda: self.inner.replicate(primary, replicas, force=force))

    def remove(self, primary: SecretArn, regions: Collection[str]) -> None:
        self._noted(f"remove {_list(regions)}", lambda: self.inner.remove(primary, regions))

    def promote(self, replica: SecretArn) -> None:
        self._noted(f"promote {replica.region}", lambda: self.inner.promote(replica))

    def tag(self, primary: SecretArn, tags: Mapping[str, str]) -> None:
        self._noted(f"tag {_list(key.removeprefix(TAG) for key in tags)}", lambda: self.inner.tag(primary, tags))

    def untag(self, primary: SecretArn, keys: Collection[str]) -> None:
        self._noted(f"untag {_list(key.removeprefix(TAG) for key in keys)}", lambda: self.inner.untag(primary, keys))

    def key_arn(self, region: str, alias: str) -> str:
        arn: str = self._noted(f"key of {alias} {region}", lambda: self.inner.key_arn(region, alias))
        return arn

    @property
    def writes(self) -> list[str]:
        return [call for call in self.calls if not call.startswith(("describe", "key of"))]

    def _noted(self, call: str, make: Callable[[], Any]) -> Any:
        self.before(call)
        self.calls.append(call)
        response = make()
        self.after(call)
        return response


def _list(names: Any) -> str:
    return " ".join(sorted(names))


class Direct:
    """A client of Secrets Manager without botocore's wire format, for tests with very many calls."""

    def __init__(self, model: SecretsManager, region: str) -> None:
        self._model, self._region = model, region

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = "".join(word.title() for word in name.split("_"))

        def call(**parameters: Any) -> Any:
            try:
                return self._model.call(self._region, operation, parameters)
            except ApiError as error:
                response: Any = {
                    "Error": {"Code": error.code, "Message": error.message},
                    "ResponseMetadata": {"HTTPStatusCode": error.status},
                }
                raise ClientError(response, operation) from error
            except ResponseLostError as error:
                raise ConnectionClosedError(endpoint_url="") from error

        return call


class Keys:
    """A client of KMS in one Region: aliases stand for the keys that the model's script says."""

    def __init__(self, model: SecretsManager) -> None:
        self._model = model

    def describe_key(self, *, KeyId: str) -> dict[str, Any]:  # noqa: N803 - boto3's name
        return {"KeyMetadata": {"Arn": self._model.script.key_behind(KeyId)}}


class World:
    """All Regions of an account, a secret ``app/database`` in us-west-2, and the handler over them.

    Args:
        dialect: AWS's.
        direct: without botocore's wire format, which is most of the time that a call takes.
        lag: how many seconds old a read may be (F25).
        seed: of the random lags.
    """

    def __init__(
        self, dialect: Dialect | None = None, *, direct: bool = False, lag: float = 0.0, seed: int = 0
    ) -> None:
        self.clock = VirtualClock()
        self.model = SecretsManager(self.clock, Delays(), dialect=dialect)
        self.model.script.lag(lag, seed)
        self._direct = direct
        self.log = Lines()
        self.metrics = Numbers()
        self._clients: dict[str, Any] = {}
        self.journal = Journal(Boto3SecretsManager(PRIMARY, self._client))
        self.arn: str = self.create()

    def client(self, region: str = PRIMARY) -> Any:
        """A boto3 client for a Region."""
        if region not in self._clients:
            made = Direct(self.model, region) if self._direct else client(self.model, region, NO_RETRIES)
            self._clients[region] = made
        return self._clients[region]

    def _client(self, service: str, region: str) -> Any:
        return Keys(self.model) if service == "kms" else self.client(region)

    def create(self, name: str = "app/database", region: str = PRIMARY, **parameters: Any) -> str:
        """Make a secret; its ARN."""
        return str(self.client(region).create_secret(Name=name, SecretString=VALUE, **parameters)["ARN"])

    def service(self, journal: Journal | None = None, clock: Clock | None = None) -> Service:
        """The handler's service over this world."""
        return Service(journal or self.journal, clock or self.clock, self.log, self.metrics, PRIMARY)

    def serve(self, event: dict[str, Any], seconds: float = LAMBDA_SECONDS) -> Response:
        """Serve an event as the Lambda does, without the protocol; the response must fit."""
        self.journal.calls.clear()
        self.metrics.clear()
        response = self.service().handle(Request.of(event), seconds)
        assert len(response.body) <= MAX_BYTES
        return response

    def fail_calls(self, call: str | tuple[str, ...], error: Exception, seconds: float = math.inf) -> None:
        """Let calls that begin so fail before they are carried out, for so many seconds."""
        end = self.clock.now() + seconds

        def before(made: str) -> None:
            if made.startswith(call) and self.clock.now() < end:
                raise error

        self.journal.before = before

    def times(self, call: str = "") -> list[float]:
        """A list that gets the clock's reading at each call from now on that begins so."""
        times: list[float] = []
        self.journal.before = lambda made: times.append(self.clock.now()) if made.startswith(call) else None
        return times

    def deliver(self, event: dict[str, Any], clock: Clock | None = None) -> dict[str, Any] | None:
        """Deliver an event as Lambda does, again after a crash, twice at most (P6). The response, if one came.

        ``clock``: for a run that shares the time with others.
        """
        journal, turn = self.journal, clock
        if turn:
            journal = Journal(self.journal.inner, before=lambda _: turn.sleep(0))
        clock = clock or self.clock
        sent: list[bytes] = []
        self.journal.calls.clear()

        def put(_: str, encoded: bytes) -> bool:
            sent.append(encoded)
            return True

        for _ in range(3):
            resource = CustomResource(self.service(journal, clock), put)
            deadline = clock.now() + LAMBDA_SECONDS
            context = SimpleNamespace(get_remaining_time_in_millis=lambda end=deadline: (end - clock.now()) * 1000)
            try:
                resource(event, context)
            except Crash:
                resource._timer.cancel()
                continue
            (response,) = sent
            assert len(response) <= MAX_BYTES
            decoded: dict[str, Any] = json.loads(response)
            return decoded
        assert not sent
        # P3: CloudFormation waits for an hour.
        clock.sleep(3600)
        return None

    def succeed(self, request: dict[str, Any]) -> Response:
        """Serve a request that must succeed."""
        response = self.serve(request)
        assert response.reason == ""
        return response

    def fail(self, request: dict[str, Any], seconds: float = LAMBDA_SECONDS) -> str:
        """Serve a request that must fail; the reason."""
        response = self.serve(request, seconds)
        assert response.reason, "succeeded"
        return response.reason

    def statuses(self) -> dict[str, str]:
        """The primary's list: Region to status."""
        described = self.model.describe(PRIMARY, self.arn)
        return {entry["Region"]: entry["Status"] for entry in described.get("ReplicationStatus", [])}

    def tags(self) -> dict[str, str]:
        """Our tags on the primary: Region to created or adopted, and the logical ID."""
        described = self.model.describe(PRIMARY, self.arn)
        ours = {tag["Key"].removeprefix(TAG): tag["Value"].split() for tag in described["Tags"] if TAG in tag["Key"]}
        return {region: f"{words[0]} by {words[3]}" for region, words in ours.items()}

    def exists(self, region: str) -> bool:
        """Whether there is a secret ``app/database`` in a Region."""
        return self.model.find(region, "app/database") is not None


def status_of(response: Response) -> dict[str, str]:
    """The response's ReplicationStatus: Region to status."""
    return {entry["Region"]: entry["Status"] for entry in json.loads(response.data["ReplicationStatus"])}

"""What the middle needs of the outside: Secrets Manager, a clock, a log and metrics, as Protocols."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .regions import SecretArn

IN_SYNC = "InSync"
FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One entry of ReplicationStatus (F3). ``last_accessed`` is an ISO date, or empty."""

    region: str
    status: str
    kms_key: str = ""
    message: str = ""
    last_accessed: str = ""


@dataclass(frozen=True, slots=True)
class Description:
    """DescribeSecret, as far as replication goes (F4)."""

    arn: SecretArn
    primary_region: str = ""
    deleted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, ReplicaStatus] = field(default_factory=dict)

    @property
    def is_replica(self) -> bool:
        """A replica is what has a PrimaryRegion other than the Region asked (F19)."""
        return self.primary_region not in ("", self.arn.region)


class SecretsManager(Protocol):
    """The six calls. The Region of the ARN decides which endpoint is called.

    Every one of them raises SecretNotFoundError, SecretDeletedError, AccessDeniedError, RefusedError or
    UnavailableError, and nothing else.
    """

    def describe(self, secret_id: str) -> Description:
        """DescribeSecret; a name is looked up in the function's own Region."""

    def replicate(self, primary: SecretArn, replicas: Mapping[str, str | None], *, force: bool) -> None:
        """ReplicateSecretToRegions, all Regions in one call."""

    def remove(self, primary: SecretArn, regions: Collection[str]) -> None:
        """RemoveRegionsFromReplication, all Regions in one call."""

    def promote(self, replica: SecretArn) -> None:
        """StopReplicationToReplica, in the replica's Region."""

    def tag(self, primary: SecretArn, tags: Mapping[str, str]) -> None:
        """TagResource."""

    def untag(self, primary: SecretArn, keys: Collection[str]) -> None:
        """UntagResource."""


class Clock(Protocol):
    """Seconds, and how to let some pass."""

    def now(self) -> float:
        """Monotonic seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Log(Protocol):
    """Structured lines; Powertools' Logger is one."""

    def info(self, msg: object, **keys: Any) -> None:
        """What was done."""

    def warning(self, msg: object, **keys: Any) -> None:
        """What a person should look at."""

    def error(self, msg: object, **keys: Any) -> None:
        """What failed."""


class Metrics(Protocol):
    """Numbers for CloudWatch; Powertools' Metrics is one."""

    def add_metric(self, name: str, unit: str, value: float) -> None:
        """One number; ``unit`` as CloudWatch names them."""

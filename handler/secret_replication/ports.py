"""What the service needs from outside, as Protocols: AWS, a clock, a log and metrics."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

from .model import Description, SecretArn


class SecretsManager(Protocol):
    """The calls of Secrets Manager, and the one of KMS that replicas depend on.

    The Region of the ARN decides which endpoint is called.

    Each raises SecretNotFoundError, SecretDeletedError, AccessDeniedError, RejectedError or UnavailableError, and
    nothing else.
    """

    def describe(self, secret: SecretArn | str) -> Description:
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

    def key_arn(self, region: str, alias: str) -> str:
        """kms:DescribeKey: the ARN of the key behind an alias."""


class Clock(Protocol):
    """Seconds, and a way to let some pass."""

    def now(self) -> float:
        """Monotonic seconds."""

    def sleep(self, seconds: float) -> None:
        """Wait."""


class Log(Protocol):
    """Structured lines; Powertools' Logger is one."""

    def append_keys(self, **keys: Any) -> None:
        """Add these keys to every line."""

    def info(self, msg: object, **keys: Any) -> None:
        """Log what was done."""

    def warning(self, msg: object, **keys: Any) -> None:
        """Log what a person should look at."""

    def error(self, msg: object, **keys: Any) -> None:
        """Log what failed."""


class Metrics(Protocol):
    """Numbers for CloudWatch; Powertools' EphemeralMetrics is one."""

    def add_dimensions(self, **dimensions: str) -> None:
        """Add a set of dimensions, beside the default ones."""

    def add_metric(self, name: str, unit: str, value: float) -> None:
        """Add one number; ``unit`` as CloudWatch names them."""

"""The monitor's value types: what it reads of a secret, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from secret_replication.model import ReplicaState, ReplicaStatus, SecretArn


class Kind(Enum):
    """The kind of a finding; the value is the name of the metric that counts it."""

    IN_SYNC = "ReplicasInSync"
    CHANGING = "ReplicasChanging"
    DELETED = "SecretsDeleted"
    FAILED = "ReplicasFailed"
    IN_PROGRESS = "ReplicasInProgress"
    MISSING = "ReplicasMissing"
    PROMOTED = "ReplicasPromoted"
    LEFTOVER = "TagsLeftOver"
    UNCHECKED = "CheckFailed"

    @property
    def is_problem(self) -> bool:
        """Whether a person should act on it."""
        return self not in (Kind.IN_SYNC, Kind.CHANGING, Kind.DELETED)


@dataclass(frozen=True, slots=True)
class Rules:
    """How to judge. By default, only the Regions of suspicious replicas are asked.

    Attributes:
        minutes: how long a replica may be in progress.
        verify: whether to ask the Region of every replica.
    """

    minutes: float = 30
    verify: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ListSecrets (F4)."""

    arn: SecretArn
    primary_region: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Secret:
    """DescribeSecret's response. ``changed``: when it was last changed or created, in epoch seconds."""

    arn: SecretArn
    name: str
    changed: float = 0.0
    primary_region: str = ""
    deleted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, ReplicaStatus] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class InRegion:
    """What a replica's own Region has.

    Attributes:
        state: the kind of secret.
        created: when it was last changed or created, in epoch seconds.
        reason: why the Region could not be asked, or what else is to be said about what it has.
    """

    state: ReplicaState
    created: float = 0.0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One replica, or what could not be checked.

    Attributes:
        kind: what was found.
        secret: the secret's name.
        arn: the primary's ARN; empty if the secrets could not be listed.
        region: the replica's Region; empty if this is about the secret as a whole.
        status: what AWS reports.
        message: why; AWS's message, if there is one.
        owner: the stack and logical IDs that made the replica, or else those that made the secret.
        advice: what to do.
        key: the replica's KMS key.
        last_accessed: an ISO date.
    """

    kind: Kind
    secret: str = ""
    arn: str = ""
    region: str = ""
    status: str = ""
    message: str = ""
    owner: str = ""
    advice: str = ""
    key: str = ""
    last_accessed: str = ""

    @property
    def place(self) -> str:
        """Where it is: the secret and the Region, as far as they are known."""
        return " in ".join(part for part in (self.secret, self.region) if part)

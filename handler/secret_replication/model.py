"""The value types: what is declared, what AWS reports, and the constants that both use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .ownership import Claim, Owner

IN_SYNC = "InSync"
FAILED = "Failed"

# F1: the API's own pattern and length.
REGION_PATTERN = re.compile(r"([a-z]+-)+\d+")
REGION_MAX_LENGTH = 128

_ARN_PARTS = 7


def is_region(text: str) -> bool:
    """Whether the API accepts ``text`` as a Region name."""
    return len(text) <= REGION_MAX_LENGTH and REGION_PATTERN.fullmatch(text) is not None


class RemovalPolicy(Enum):
    """What happens to an owned replica that is no longer declared."""

    DELETE = "Delete"
    RETAIN = "Retain"
    PROMOTE = "Promote"


class ReplicaState(Enum):
    """What the replica's own Region has at the replica's ARN."""

    GONE = "gone"
    REPLICA = "a replica"
    STANDALONE = "a standalone secret"
    UNKNOWN = "unknown: the Region could not be asked"


class Step(Enum):
    """What to do about one Region, in the order in which the kinds are carried out."""

    ASK = "ask its Region what it has"
    ADD = "tag it as created, then replicate"
    ADOPT = "tag it as adopted"
    JOIN = "join its owners"
    LEAVE = "leave its owners"
    REPLICATE = "replicate again"
    REMOVE = "remove it from replication"
    PROMOTE = "stop replication to it"
    UNTAG = "remove the tag"
    WAIT = "wait"
    NOTHING = "nothing"
    FAIL = "fail with the reason"


@dataclass(frozen=True, slots=True)
class SecretArn:
    """``arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX``."""

    partition: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> SecretArn | None:
        """The ARN of a secret, or None if ``text`` is something else, such as a name."""
        parts = text.split(":", _ARN_PARTS - 1)
        if len(parts) != _ARN_PARTS or parts[0] != "arn":
            return None
        _, partition, service, region, account, kind, resource = parts
        if service != "secretsmanager" or kind != "secret" or not resource or not is_region(region):
            return None
        return cls(partition, region, account, resource)

    def in_region(self, region: str) -> SecretArn:
        """The replica's ARN: same name and suffix, other Region (F19)."""
        return SecretArn(self.partition, region, self.account, self.resource)

    def __str__(self) -> str:
        return f"arn:{self.partition}:secretsmanager:{self.region}:{self.account}:secret:{self.resource}"


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
    """DescribeSecret's response, the part about replication (F4)."""

    arn: SecretArn
    primary_region: str = ""
    deleted: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    replicas: Mapping[str, ReplicaStatus] = field(default_factory=dict)

    @property
    def is_replica(self) -> bool:
        """A replica has a PrimaryRegion other than the Region that was asked (F19)."""
        return self.primary_region not in ("", self.arn.region)


@dataclass(frozen=True, slots=True)
class Desired:
    """What a resource declares. A Delete declares no replicas.

    ``secret``: the primary's ARN or name. ``replicas``: Region to KMS key (None: the default key).
    ``force``: overwrite an unrelated secret of the same name.
    """

    owner: Owner
    secret: SecretArn | str = ""
    replicas: Mapping[str, str | None] = field(default_factory=dict)
    force: bool = False
    policy: RemovalPolicy = RemovalPolicy.DELETE


@dataclass(frozen=True, slots=True)
class Observed:
    """What AWS reports, by Region.

    Attributes:
        arn: the primary's.
        replicas: the primary's list.
        claims: its ownership tags.
        owned: the Regions whose tag names this resource.
        with_declared_key: the Regions whose replica has the declared key.
        in_region: what the Regions that were asked have.
    """

    arn: SecretArn
    replicas: Mapping[str, ReplicaStatus] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    owned: frozenset[str] = frozenset()
    with_declared_key: frozenset[str] = frozenset()
    in_region: Mapping[str, ReplicaState] = field(default_factory=dict)

    def describe(self, region: str) -> str:
        """A Region's state in words."""
        if replica := self.replicas.get(region):
            return replica.status
        there = self.in_region.get(region)
        if there is ReplicaState.UNKNOWN:
            return "no response"
        return "being removed" if there is ReplicaState.REPLICA else "absent"

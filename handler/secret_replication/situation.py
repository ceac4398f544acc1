"""The planner's situation: what is desired, what is observed, and what this run has done so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .ownership import Claim, Owner
from .ports import ReplicaStatus
from .properties import RemovalPolicy
from .regions import SecretArn


class Elsewhere(Enum):
    """What the replica's own Region says about the replica's ARN, where it was asked."""

    GONE = "gone"
    REPLICA = "a replica"
    STANDALONE = "a standalone secret"
    UNVERIFIED = "could not be asked"


@dataclass(frozen=True, slots=True)
class Desired:
    """What is to be true. ``replicas``: Region to KMS key (None: the default key); empty for a Delete."""

    owner: Owner
    replicas: Mapping[str, str | None] = field(default_factory=dict)
    force: bool = False
    policy: RemovalPolicy = RemovalPolicy.DELETE


@dataclass(frozen=True, slots=True)
class Observed:
    """What is true: the primary's replicas and claims by Region, and what those Regions said that were asked."""

    arn: SecretArn
    replicas: Mapping[str, ReplicaStatus] = field(default_factory=dict)
    claims: Mapping[str, Claim] = field(default_factory=dict)
    elsewhere: Mapping[str, Elsewhere] = field(default_factory=dict)

    def ours(self, owner: Owner) -> dict[str, Claim]:
        """The claims of one resource."""
        return {region: claim for region, claim in self.claims.items() if claim.owner.same_resource(owner)}

    def state(self, region: str) -> str:
        """A Region's state in words."""
        if replica := self.replicas.get(region):
            return replica.status
        there = self.elsewhere.get(region)
        if there is Elsewhere.UNVERIFIED:
            return "no answer"
        return "being removed" if there is Elsewhere.REPLICA else "absent"


@dataclass(frozen=True, slots=True)
class Tried:
    """What this run has done about one Region.

    ``made``: it replicated there anew, with the declared key. ``retries``: repairs of Failed. ``rekeyed``: it made the
    call that changes the key in place. ``promoted``: it stopped replication to it. ``resting``: too soon to believe in
    what came of the last one, or to try again. ``refused``: AWS did not take the last one.
    """

    made: bool = False
    retries: int = 0
    rekeyed: bool = False
    promoted: bool = False
    resting: bool = False
    refused: bool = False

"""What is replicated where: the values that ReplicatedSecret takes, and their checks at synth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from aws_cdk import Token
from aws_cdk import aws_kms as kms

# The API's own pattern.
_REGION = re.compile(r"([a-z]+-)+\d+")
_ARN_COLONS = 5


class ReplicaRemovalPolicy(Enum):
    """What becomes of a replica that this stack made and no longer declares, or whose resource is deleted."""

    DELETE = "Delete"
    """The replica is removed."""

    RETAIN = "Retain"
    """It stays and goes on replicating, unowned."""

    PROMOTE = "Promote"
    """It becomes a standalone secret of its own."""


@dataclass(frozen=True)
class ReplicaRegion:
    """A Region to replicate to, with the key that encrypts the replica there.

    Args:
        region: the Region's name, as ``eu-west-3``.
        encryption_key: a key in that Region: a KMS key construct, or its ARN, ID or alias. Left out: the account's
            ``alias/aws/secretsmanager`` there.

    Example::

        ReplicaRegion("eu-west-3", encryption_key="alias/app")
    """

    region: str
    encryption_key: kms.IKey | str | None = None

    @property
    def key_id(self) -> str | None:
        """What the API takes as KmsKeyId."""
        key = self.encryption_key
        return key if key is None or isinstance(key, str) else key.key_arn


def replica_regions(regions: Sequence[str | ReplicaRegion], own_region: str) -> list[ReplicaRegion]:
    """The declared Regions, checked as far as they are known at synth.

    Args:
        regions: what the user gave.
        own_region: the primary's Region, or a token.

    Raises:
        TypeError: no list of Regions.
        ValueError: a name that is none, a Region twice, the primary's own Region, a key of another Region.
    """
    if isinstance(regions, str) or not isinstance(regions, Sequence):
        raise TypeError(f'regions is {regions!r}: give a list, as regions=["eu-west-3"]')
    declared = [ReplicaRegion(entry) if isinstance(entry, str) else entry for entry in regions]
    for entry in declared:
        if not isinstance(entry, ReplicaRegion) or not isinstance(entry.region, str):
            raise TypeError(f"regions holds {entry!r}: give Region names, or ReplicaRegion")
    seen: set[str] = set()
    for replica in declared:
        region = replica.region
        if Token.is_unresolved(region):
            continue
        if not _REGION.fullmatch(region):
            raise ValueError(f"regions holds {region!r}, which is no Region: write one like 'eu-west-3'")
        if region in seen:
            raise ValueError(f"regions holds {region} twice: list it once")
        if region == own_region:
            raise ValueError(f"regions holds {region}, the Region of the primary itself: list only other Regions")
        _check_key(replica)
        seen.add(region)
    return declared


def _check_key(replica: ReplicaRegion) -> None:
    """A replica is encrypted in its own Region."""
    key = replica.encryption_key
    if key is None:
        return
    if isinstance(key, str):
        there = key.split(":")[3] if key.startswith("arn:") and key.count(":") >= _ARN_COLONS else replica.region
    else:
        there = key.env.region
    if not Token.is_unresolved(there) and there != replica.region:
        raise ValueError(f"the encryption_key for {replica.region} is in {there}: give a key in {replica.region}")

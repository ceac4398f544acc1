"""What is replicated where: the values that ReplicatedSecret takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from aws_cdk import aws_kms as kms


class ReplicaRemovalPolicy(Enum):
    """What becomes of a replica that this stack made and no longer declares, or whose resource is deleted.

    Example::

        ReplicatedSecret(self, "Database", regions=["eu-west-3"], replica_removal_policy=ReplicaRemovalPolicy.RETAIN)
    """

    DELETE = "Delete"
    """The replica is removed."""

    RETAIN = "Retain"
    """It stays and goes on replicating, unowned."""

    PROMOTE = "Promote"
    """It becomes a standalone secret of its own."""


@dataclass(frozen=True, slots=True)
class ReplicaRegion:
    """A Region to replicate to, with the key that encrypts the replica there.

    Args:
        region: the Region's name, as ``eu-west-3``.
        encryption_key: a key in that Region: a KMS key construct, or its ARN, ID or alias (``alias/app``). A token
            counts as an ARN. Left out: the account's ``alias/aws/secretsmanager`` there.

    Example::

        ReplicaRegion("eu-west-3", encryption_key="alias/app")
    """

    region: str
    # kms.Key is named too, here and elsewhere, because pyright takes no class of CDK for its interface.
    encryption_key: kms.IKey | kms.Key | str | None = field(default=None, kw_only=True)

    @property
    def key_id(self) -> str | None:
        """What the API takes as KmsKeyId."""
        key = self.encryption_key
        return key if key is None or isinstance(key, str) else key.key_arn

"""The values that ReplicatedSecret takes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from aws_cdk import aws_kms as kms


class ReplicaRemovalPolicy(Enum):
    """What happens to a replica that this stack created, once it is no longer declared or its resource is deleted.

    Example::

        ReplicatedSecret(self, "Database", regions=["eu-west-3"], replica_removal_policy=ReplicaRemovalPolicy.RETAIN)
    """

    DELETE = "Delete"
    """The replica is deleted."""

    RETAIN = "Retain"
    """The replica keeps replicating, and no stack manages it."""

    PROMOTE = "Promote"
    """The replica becomes a standalone secret."""


@dataclass(frozen=True, slots=True)
class ReplicaRegion:
    """A Region to replicate to, and the key that encrypts the replica there.

    Args:
        region: The name of the Region, for example ``eu-west-3``.
        encryption_key: A key in that Region: a KMS key construct, or the ARN, ID or alias (``alias/app``) of a key. A
            token is treated as an ARN, unless it is the Ref of a key or an alias. A token that is blank or
            ``AWS::NoValue`` at deployment means the default key. Default: the account's ``alias/aws/secretsmanager`` in
            that Region.

    Example::

        ReplicaRegion("eu-west-3", encryption_key="alias/app")
    """

    region: str
    # kms.Key is named beside kms.IKey, here and elsewhere, because pyright does not accept the CDK's classes where
    # their interfaces are expected.
    encryption_key: kms.IKey | kms.Key | str | None = field(default=None, kw_only=True)

    @property
    def key_id(self) -> str | None:
        """The KmsKeyId to send to the API, or None for the default key."""
        key = self.encryption_key
        return key if key is None or isinstance(key, str) else key.key_arn

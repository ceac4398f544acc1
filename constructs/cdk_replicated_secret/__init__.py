"""Replicate any AWS Secrets Manager secret from CDK, and know that it is InSync."""

from .deployed_provider import IReplicationProvider
from .provider import ReplicationProvider, ReplicationProviderProps
from .regions import ReplicaRegion, ReplicaRemovalPolicy
from .replicated_secret import ReplicatedSecret

__all__ = [
    "IReplicationProvider",
    "ReplicaRegion",
    "ReplicaRemovalPolicy",
    "ReplicatedSecret",
    "ReplicationProvider",
    "ReplicationProviderProps",
]

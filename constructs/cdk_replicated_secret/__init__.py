"""Replicate any AWS Secrets Manager secret from CDK: the deployment succeeds only if every replica is InSync."""

from .monitor import ReplicationMonitor
from .props import ReplicaRegion, ReplicaRemovalPolicy
from .provider import IReplicationProvider, ReplicationProvider
from .replicated_secret import ReplicatedSecret

__all__ = [
    "IReplicationProvider",
    "ReplicaRegion",
    "ReplicaRemovalPolicy",
    "ReplicatedSecret",
    "ReplicationMonitor",
    "ReplicationProvider",
]

"""Replicate any AWS Secrets Manager secret from CDK, and know that it is InSync."""

from .provider import ReplicationProvider
from .regions import ReplicaRegion, ReplicaRemovalPolicy
from .replicated_secret import ReplicatedSecret

__all__ = ["ReplicaRegion", "ReplicaRemovalPolicy", "ReplicatedSecret", "ReplicationProvider"]

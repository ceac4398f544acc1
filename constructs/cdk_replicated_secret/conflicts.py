"""Fails synthesis if a replica is declared twice in an app."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jsii
from aws_cdk import Stack
from aws_cdk import aws_secretsmanager as sm
from constructs import Construct, IValidation

from .primary import cfn_secret, identity

_PEERS = "ReplicatedSecretDeclarations"


@jsii.implements(IValidation)
class ReplicaConflicts:
    """Fails synthesis if something else in the app declares the same replicas.

    A validation, because an error annotation would not make ``app.synth()`` raise in Python, and because the native
    ReplicaRegions of a secret can be extended later.

    Args:
        construct: The construct that declares the replicas.
        secret: The primary.
        regions: The replica Regions.
    """

    def __init__(self, construct: Construct, secret: sm.ISecret, regions: Sequence[str]) -> None:
        self.path, self._secret, self.regions = construct.node.path, secret, regions
        self._peers = _Declarations.of(construct).declared
        self._peers.append(self)

    def validate(self) -> list[str]:
        return [*self._declared_twice(), *self._declared_natively()]

    @cached_property
    def primary(self) -> tuple[str, ...]:
        return identity(self._secret)

    def _declared_twice(self) -> list[str]:
        earlier = self._peers[: self._peers.index(self)]
        return [
            f"{peer.path} already replicates {self._secret.node.path} to {region}: declare each replica once"
            for peer in earlier
            for region in self.regions
            if region in peer.regions and peer.primary == self.primary
        ]

    def _declared_natively(self) -> list[str]:
        owned = cfn_secret(self._secret)
        native: Any = Stack.of(owned).resolve(owned.replica_regions) if owned else None
        entries = native if isinstance(native, list) else []
        return [
            f"{region} is in regions, and also in replica_regions of {self._secret.node.path}: remove it from one"
            for region in self.regions
            if any(region in (entry.get("region"), entry.get("Region")) for entry in entries)
        ]


class _Declarations(Construct):
    """All declarations of an app, so that each can find the others."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.declared: list[ReplicaConflicts] = []

    @classmethod
    def of(cls, construct: Construct) -> _Declarations:
        root: Any = construct.node.root
        found = root.node.try_find_child(_PEERS)
        return found if isinstance(found, cls) else cls(root, _PEERS)

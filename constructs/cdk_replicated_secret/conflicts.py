"""Who else declares a replica: two that do would take it from each other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jsii
from aws_cdk import Stack
from aws_cdk import aws_secretsmanager as sm
from constructs import Construct, IValidation

from .primary import cfn_secret, identity
from .regions import ReplicaRegion


def declare(construct: Construct, secret: sm.ISecret, replicas: Sequence[ReplicaRegion]) -> None:
    """Declare the replicas of a secret, once in the app.

    Raises:
        ValueError: another construct of the app declares one. Where the secret's native ReplicaRegions does, which may
            be added to later, synthesis fails.
    """
    declared: dict[tuple[tuple[str, ...], str], str] = vars(construct.node.root).setdefault("_replicated_secrets", {})
    primary = identity(secret)
    for replica in replicas:
        other = declared.setdefault((primary, replica.region), construct.node.path)
        if other != construct.node.path:
            raise ValueError(
                f"{construct.node.path} replicates {secret.node.path} to {replica.region}, and so does {other}: "
                "declare a replica once"
            )
    owned = cfn_secret(secret)
    if owned:
        construct.node.add_validation(_NativeReplicas(owned, [replica.region for replica in replicas]))


@jsii.implements(IValidation)
class _NativeReplicas:
    """T5: an annotation would not make ``app.synth()`` raise in Python."""

    def __init__(self, secret: sm.CfnSecret, regions: Sequence[str]) -> None:
        self._secret = secret
        self._regions = regions

    def validate(self) -> list[str]:
        native: Any = Stack.of(self._secret).resolve(self._secret.replica_regions)
        entries = native if isinstance(native, list) else []
        return [
            f"regions holds {region}, and so does the ReplicaRegions of {self._secret.node.path}: leave it out there"
            for region in self._regions
            if any(region in (entry.get("region"), entry.get("Region")) for entry in entries)
        ]

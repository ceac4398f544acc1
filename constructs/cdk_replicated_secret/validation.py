"""What ReplicatedSecret rejects at synthesis. Each message names the construct, the value and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import jsii
from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.region_info import RegionInfo
from constructs import Construct, IValidation

from .primary import cfn_secret, identity, primary_key
from .props import ReplicaRegion, ReplicaRemovalPolicy
from .replica import Replica

# The API's own pattern.
_REGION = re.compile(r"([a-z]+-)+\d+")
_ARN_COLONS = 5
# How an element of a list token starts. Only the whole list can be resolved.
_LIST_MARK = "#{Token["
# Seconds: what the function needs to describe the secret and to respond, and Lambda's limit.
_MIN_TIMEOUT, _MAX_TIMEOUT = 30, 900
_PEERS = "ReplicatedSecretDeclarations"


def check_values(
    path: str,
    *,
    secret: Any,
    encryption_key: object,
    force_overwrite: object,
    replica_removal_policy: object,
    service_timeout: object,
    provider: object,
) -> None:
    """Check every argument except the Regions.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If two values exclude each other, or a value cannot work.
    """
    if not isinstance(replica_removal_policy, ReplicaRemovalPolicy):
        raise TypeError(
            f"{path}: replica_removal_policy is {replica_removal_policy!r}: expected a ReplicaRemovalPolicy"
        )
    if not isinstance(force_overwrite, bool):
        raise TypeError(f"{path}: force_overwrite is {force_overwrite!r}: expected True or False")
    if provider is not None and not hasattr(provider, "service_token"):
        raise TypeError(
            f"{path}: provider is {provider!r}: expected a ReplicationProvider, for example from "
            "ReplicationProvider.from_service_token(...)"
        )
    _check_secret(path, secret)
    if encryption_key is not None and not hasattr(encryption_key, "key_arn"):
        raise TypeError(
            f"{path}: encryption_key is {encryption_key!r}: expected a key, for example kms.Key.from_key_arn(...) "
            "(the key of a replica, in ReplicaRegion, can be a string)"
        )
    if secret is not None and encryption_key is not None and primary_key(secret):
        raise ValueError(
            f"{path}: encryption_key is for a new secret, or for an imported one whose key is not known, but the key "
            "of secret is known: omit encryption_key (the key of a replica goes into ReplicaRegion)"
        )
    _check_timeout(path, service_timeout)


def _check_secret(path: str, secret: Any) -> None:
    if secret is None:
        return
    if isinstance(secret, str | sm.CfnSecret) or not hasattr(secret, "secret_arn"):
        raise TypeError(
            f"{path}: secret is {secret!r}: expected a secret; import it, for example with "
            "Secret.from_secret_name_v2(...) or Secret.from_secret_complete_arn(...)"
        )
    wrong = _wrong_with_secret(secret)
    if wrong:
        raise ValueError(f"{path}: {wrong}")


def _wrong_with_secret(secret: sm.ISecret) -> str | None:
    if isinstance(secret, Replica):
        return f"secret is {secret.node.path}, which is a replica: replicate its primary to more Regions"
    if secret.secret_arn.count(":") > _ARN_COLONS + 1:
        return (
            f"secret was imported by name, but the name is an ARN, {secret.secret_arn!r}: "
            "import it with Secret.from_secret_complete_arn(...)"
        )
    return None


def _check_timeout(path: str, service_timeout: object) -> None:
    if service_timeout is None:
        return
    if not isinstance(service_timeout, Duration):
        raise TypeError(
            f"{path}: service_timeout is {service_timeout!r}: expected a Duration, for example Duration.minutes(5)"
        )
    if service_timeout.is_unresolved():
        return
    seconds = service_timeout.to_seconds(integral=False)
    if not _MIN_TIMEOUT <= seconds <= _MAX_TIMEOUT:
        raise ValueError(
            f"{path}: service_timeout is {seconds:g} s: must be between {_MIN_TIMEOUT} s and {_MAX_TIMEOUT} s "
            "(Lambda's limit)"
        )


def is_list_token(regions: object) -> bool:
    """Whether the Regions are known only at deployment, such as those of a CommaDelimitedList parameter."""
    return (
        isinstance(regions, list)
        and all(isinstance(entry, str) for entry in regions)
        # The list is asked, because for its encoded element the answer is no.
        and Token.is_unresolved(regions)
    )


def replica_regions(
    path: str, regions: Sequence[str | ReplicaRegion | sm.ReplicaRegion], primary_region: str
) -> list[ReplicaRegion]:
    """The declared Regions, checked as far as they are known at synthesis.

    Args:
        path: The path of the construct that declares them, for the messages.
        regions: The Regions as the user gave them.
        primary_region: The Region of the primary, or a token.

    Raises:
        TypeError: If this is not a list of Regions, or a key has the wrong type.
        ValueError: If a name is not that of a Region, a Region is listed twice, is the primary's own or in another
            partition, or a key is in another Region.
    """
    if isinstance(regions, str) or not isinstance(regions, Sequence):
        raise TypeError(f'{path}: regions is {regions!r}: expected a list, for example regions=["eu-west-3"]')
    declared = [_replica_region(path, entry) for entry in regions]
    names = [replica.region for replica in declared]
    for replica in declared:
        wrong = _wrong_with_region(replica.region, primary_region)
        if wrong:
            raise ValueError(f"{path}: regions contains {replica.region!r}, {wrong}")
        if names.count(replica.region) > 1:
            raise ValueError(f"{path}: regions contains {replica.region} twice: list it once")
        _check_key(path, replica)
    return declared


def _replica_region(path: str, entry: object) -> ReplicaRegion:
    if isinstance(entry, str):
        return ReplicaRegion(entry)
    if isinstance(entry, sm.ReplicaRegion):
        return ReplicaRegion(entry.region, encryption_key=entry.encryption_key)
    if isinstance(entry, ReplicaRegion) and isinstance(entry.region, str):
        return entry
    raise TypeError(f"{path}: regions contains {entry!r}: expected Region names or ReplicaRegion objects")


def _wrong_with_region(region: str, primary_region: str) -> str | None:
    if region.startswith(_LIST_MARK):
        return "a list that is known only at deployment: pass it alone, as regions=parameter.value_as_list"
    if Token.is_unresolved(region):
        return None
    if not _REGION.fullmatch(region):
        return "which is not a Region name; expected something like 'eu-west-3'"
    if Token.is_unresolved(primary_region):
        return None
    if region == primary_region:
        return "which is the primary's own Region: list only other Regions"
    # Regions newer than this aws-cdk-lib have no known partition.
    partition, own = RegionInfo.get(region).partition, RegionInfo.get(primary_region).partition
    if partition and own and partition != own:
        return (
            f"which is in partition {partition}, but the primary is in {primary_region} of {own}: "
            f"list only Regions of {own}"
        )
    return None


def _check_key(path: str, replica: ReplicaRegion) -> None:
    """A key can encrypt a replica only in the key's own Region."""
    key, region = replica.encryption_key, replica.region
    if key is None:
        return
    if isinstance(key, str):
        key_region = key.split(":")[3] if key.startswith("arn:") and key.count(":") >= _ARN_COLONS else region
    elif hasattr(key, "key_arn"):
        key_region = key.env.region
    else:
        raise TypeError(f"{path}: the encryption_key for {region} is {key!r}: expected a key, or its ARN, ID or alias")
    if not Token.is_unresolved(key_region) and not Token.is_unresolved(region) and key_region != region:
        raise ValueError(f"{path}: the encryption_key for {region} is in {key_region}: use a key in {region}")


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
            f"{region} is also a replica Region of {self._secret.node.path} in {peer.path}: declare a replica once"
            for peer in earlier
            for region in self.regions
            if region in peer.regions and peer.primary == self.primary
        ]

    def _declared_natively(self) -> list[str]:
        owned = cfn_secret(self._secret)
        native: Any = Stack.of(owned).resolve(owned.replica_regions) if owned else None
        entries = native if isinstance(native, list) else []
        return [
            f"{region} is in regions and also in replica_regions of {self._secret.node.path}: remove it from one"
            for region in self.regions
            if any(region in (entry.get("region"), entry.get("Region")) for entry in entries)
        ]


class _Declarations(Construct):
    """The declarations of an app, where each finds its peers."""

    def __init__(self, scope: Construct, id: str) -> None:
        super().__init__(scope, id)
        self.declared: list[ReplicaConflicts] = []

    @classmethod
    def of(cls, construct: Construct) -> _Declarations:
        root: Any = construct.node.root
        found = root.node.try_find_child(_PEERS)
        return found if isinstance(found, cls) else cls(root, _PEERS)

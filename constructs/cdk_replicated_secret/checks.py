"""What ReplicatedSecret refuses at synth. Each message names the construct, the value and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Sequence

from aws_cdk import Duration, Token
from aws_cdk.aws_secretsmanager import CfnSecret
from aws_cdk.region_info import RegionInfo

from .regions import ReplicaRegion, ReplicaRemovalPolicy
from .replica import Replica

# The API's own pattern.
_REGION = re.compile(r"([a-z]+-)+\d+")
_ARN_COLONS = 5
# The element of a list token: only the whole list is one.
_LIST_MARK = "#{Token["
# Seconds: what the function needs to look and to answer, and how long Lambda lets it run.
_SHORTEST_TIMEOUT, _LONGEST_TIMEOUT = 30, 900


def check_values(
    path: str,
    *,
    secret: object,
    encryption_key: object,
    force_overwrite: object,
    replica_removal_policy: object,
    timeout: Duration | None,
    provider: object,
) -> None:
    """All but the Regions.

    Raises:
        TypeError: a value of another kind than is taken.
        ValueError: two values that exclude each other, or a timeout that cannot work.
    """
    if not isinstance(replica_removal_policy, ReplicaRemovalPolicy):
        raise TypeError(f"{path}: replica_removal_policy is {replica_removal_policy!r}: use a ReplicaRemovalPolicy")
    if not isinstance(force_overwrite, bool):
        raise TypeError(f"{path}: force_overwrite is {force_overwrite!r}: use True or False")
    if isinstance(secret, str):
        raise TypeError(f"{path}: secret is {secret!r}: import it, as with Secret.from_secret_name_v2(...)")
    if secret is not None:
        _check_secret(path, secret)
    if encryption_key is not None and not hasattr(encryption_key, "key_arn"):
        raise TypeError(
            f"{path}: encryption_key is {encryption_key!r}: give a key, as Alias.from_alias_name(...) "
            "(a replica's, in ReplicaRegion, may be a string)"
        )
    if provider is not None and not hasattr(provider, "service_token"):
        raise TypeError(
            f"{path}: provider is {provider!r}: give a ReplicationProvider, as "
            "ReplicationProvider.from_service_token(...)"
        )
    if secret is not None and encryption_key is not None:
        raise ValueError(
            f"{path}: encryption_key is for a new secret, and secret is given: "
            "leave one of the two out (a replica's key goes into ReplicaRegion)"
        )
    if timeout is not None:
        _check_timeout(path, timeout)


def _check_secret(path: str, secret: object) -> None:
    if isinstance(secret, CfnSecret) or not hasattr(secret, "secret_arn"):
        raise TypeError(f"{path}: secret is {secret!r}: give a Secret, as Secret.from_secret_complete_arn(...)")
    if isinstance(secret, Replica):
        message = f"{path}: secret is {secret.node.path}, a replica: replicate its primary to more Regions"
        raise ValueError(message)  # noqa: TRY004 - a secret it is
    if secret.secret_arn.count(":") > _ARN_COLONS + 1:
        raise ValueError(
            f"{path}: secret was imported by name, and the name is an ARN, {secret.secret_arn!r}: "
            "import it with Secret.from_secret_complete_arn(...)"
        )


def is_list_token(regions: object) -> bool:
    """Whether the Regions are known at deployment only, as those of a CommaDelimitedList parameter."""
    return (
        isinstance(regions, list)
        and all(isinstance(entry, str) for entry in regions)
        # T5: of the list, because its encoded element says no.
        and Token.is_unresolved(regions)
    )


def replica_regions(path: str, regions: Sequence[str | ReplicaRegion], primary_region: str) -> list[ReplicaRegion]:
    """The declared Regions, checked as far as they are known at synth.

    Args:
        path: the construct that declares them, for the messages.
        regions: what the user gave.
        primary_region: the primary's Region, or a token.

    Raises:
        TypeError: no list of Regions.
        ValueError: a name that is none, a Region twice, the primary's own Region or one of another partition, a key of
            another Region.
    """
    if isinstance(regions, str) or not isinstance(regions, Sequence):
        raise TypeError(f'{path}: regions is {regions!r}: give a list, as regions=["eu-west-3"]')
    declared = [ReplicaRegion(entry) if isinstance(entry, str) else entry for entry in regions]
    for entry in declared:
        if not isinstance(entry, ReplicaRegion) or not isinstance(entry.region, str):
            raise TypeError(f"{path}: regions holds {entry!r}: give Region names, or ReplicaRegion")
    names = [replica.region for replica in declared]
    for replica in declared:
        region = replica.region
        if not Token.is_unresolved(region):
            wrong = _wrong_with(region, primary_region)
            if wrong:
                raise ValueError(f"{path}: regions holds {region!r}, {wrong}")
        if names.count(region) > 1:
            raise ValueError(f"{path}: regions holds {region} twice: list it once")
        _check_key(path, replica)
    return declared


def _wrong_with(region: str, primary_region: str) -> str | None:
    if region.startswith(_LIST_MARK):
        return "a list that is known at deployment only: give it alone, as regions=parameter.value_as_list"
    if not _REGION.fullmatch(region):
        return "which is no Region: write one like 'eu-west-3'"
    if Token.is_unresolved(primary_region):
        return None
    if region == primary_region:
        return "the Region of the primary itself: list only other Regions"
    # A Region that this aws-cdk-lib has not heard of has no partition: new ones appear.
    partition, own = RegionInfo.get(region).partition, RegionInfo.get(primary_region).partition
    if partition and own and partition != own:
        return f"of partition {partition}, and the primary is in {primary_region} of {own}: list only Regions of {own}"
    return None


def _check_key(path: str, replica: ReplicaRegion) -> None:
    """A replica is encrypted in its own Region."""
    key, region = replica.encryption_key, replica.region
    if key is None:
        return
    if isinstance(key, str):
        there = key.split(":")[3] if key.startswith("arn:") and key.count(":") >= _ARN_COLONS else region
    elif hasattr(key, "key_arn"):
        there = key.env.region
    else:
        raise TypeError(f"{path}: the encryption_key for {region} is {key!r}: give a key, or its ARN, ID or alias")
    if not Token.is_unresolved(there) and not Token.is_unresolved(region) and there != region:
        raise ValueError(f"{path}: the encryption_key for {region} is in {there}: give a key in {region}")


def _check_timeout(path: str, timeout: Duration) -> None:
    if not isinstance(timeout, Duration):
        raise TypeError(f"{path}: timeout is {timeout!r}: give a Duration, as Duration.minutes(5)")
    if timeout.is_unresolved():
        return
    seconds = timeout.to_seconds(integral=False)
    if not _SHORTEST_TIMEOUT <= seconds <= _LONGEST_TIMEOUT:
        raise ValueError(
            f"{path}: timeout is {seconds:g} s: give {_SHORTEST_TIMEOUT} s, which the function needs to look and to "
            f"answer, to {_LONGEST_TIMEOUT} s, which Lambda lets it run"
        )

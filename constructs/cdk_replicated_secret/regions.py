"""The Regions of a ReplicatedSecret and their keys, checked as far as they are known at synthesis."""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence
from typing import Any

from aws_cdk import Annotations, Aws, CfnParameter, Stack, Token
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from .forms import (
    NOT_RESOLVED,
    as_text,
    cases,
    differ,
    dynamic_reference,
    is_known,
    is_secure,
    may_be_removed,
    parameter_elsewhere,
)
from .keys import ALIAS, DEFAULT_KEY
from .places import check_app
from .props import ReplicaRegion

# The API's own pattern.
_REGION = re.compile(r"([a-z]+-)+\d+")
_KEY = re.compile(
    "(?i:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})|mrk-[0-9a-f]{32}|alias/[A-Za-z0-9/_-]+"
    "|arn:[^:]+:kms:[^:]+:[^:]+:(key|alias)/.+"
)
# How an element of a list token starts. Only the whole list can be resolved.
_LIST_MARK = "#{Token["


def is_list_token(regions: object) -> bool:
    """Whether the Regions are known only at deployment, such as those of a CommaDelimitedList parameter."""
    return (
        isinstance(regions, list)
        and all(isinstance(entry, str) for entry in regions)
        # Ask about the whole list: its encoded element alone does not count as a token.
        and Token.is_unresolved(regions)
    )


def check_list_token(construct: Construct, regions: Any) -> None:
    """Check Regions that are known only at deployment.

    Raises:
        ValueError: If the list is AWS::NoValue in one case, or a dynamic reference, which cannot be split.
    """
    path, stack = construct.node.path, Stack.of(construct)
    if may_be_removed(stack, regions):
        raise ValueError(
            f"{path}: regions may be AWS::NoValue, which removes a required property: write [] for none, as in "
            'Fn.condition_if("IsReplicated", ["eu-west-3"], [])'
        )
    found = dynamic_reference(stack, regions)
    if found:
        raise ValueError(
            f"{path}: regions is split from the dynamic reference {found}, which CloudFormation resolves only "
            "after splitting the text: use ssm.StringListParameter.value_for_typed_list_parameter(...)"
        )


def replica_regions(
    construct: Construct, regions: Sequence[str | ReplicaRegion | sm.ReplicaRegion], primary_region: str
) -> list[ReplicaRegion]:
    """The declared Regions, checked as far as they are known at synthesis. Blank names are omitted.

    Args:
        construct: The construct that declares them.
        regions: The Regions as the user gave them.
        primary_region: The Region of the primary, or a token.

    Raises:
        TypeError: If this is not a list of Regions, or a key has the wrong type.
        ValueError: If a name is not that of a Region, a Region is listed twice, is the primary's own or in another
            partition, or a key is in another Region.
    """
    path, stack = construct.node.path, Stack.of(construct)
    if isinstance(regions, str | bytes) or not isinstance(regions, Sequence):
        raise TypeError(
            f'{path}: regions is {regions!r}: expected a list, for example regions=["eu-west-3"]'
            f"{_instead_of_list(regions)}"
        )
    declared = [_replica_region(path, entry) for entry in regions]
    declared = [replica for replica in declared if replica.region]
    names = [replica.region for replica in declared]
    for replica in declared:
        wrong = _wrong_with_region(stack, replica.region, primary_region)
        if wrong:
            raise ValueError(f"{path}: regions contains {replica.region!r}, {wrong}")
        if names.count(replica.region) > 1:
            raise ValueError(f"{path}: regions contains {replica.region} twice: list it once")
        _check_key(construct, replica)
        _warn_of_unknown_region(construct, replica.region)
    return declared


def _instead_of_list(value: object) -> str:
    if isinstance(value, CfnParameter):
        return "; write its .value_as_list"
    return '; split text with Fn.split(",", ...)' if isinstance(value, str) and Token.is_unresolved(value) else ""


def _replica_region(path: str, entry: object) -> ReplicaRegion:
    if isinstance(entry, ReplicaRegion | sm.ReplicaRegion):
        region, key = as_text(entry.region), as_text(entry.encryption_key)
    else:
        region, key = as_text(entry), None
    if isinstance(region, str):
        return ReplicaRegion(region, encryption_key=key)
    instead = "; write its .value_as_string" if isinstance(region, CfnParameter) else ""
    raise TypeError(f"{path}: regions contains {entry!r}: expected Region names or ReplicaRegion objects{instead}")


def _wrong_with_region(stack: Stack, region: str, primary_region: str) -> str | None:
    if region.startswith(_LIST_MARK):
        return "a list that is known only at deployment: pass it alone, as regions=parameter.value_as_list"
    if is_secure(stack, region):
        return NOT_RESOLVED
    if region == primary_region or (region == Aws.REGION and stack.region == primary_region):
        return "which is the primary's own Region: list only other Regions"
    if not is_known(region):
        return None
    if not _REGION.fullmatch(region):
        return _not_a_region(region)
    if not is_known(primary_region):
        return None
    # Regions newer than this aws-cdk-lib have no known partition.
    partition, own = RegionInfo.get(region).partition, RegionInfo.get(primary_region).partition
    if partition and own and partition != own:
        return (
            f"which is in partition {partition}, but the primary is in {primary_region} of {own}: "
            f"list only Regions of {own}"
        )
    return None


def _not_a_region(name: str) -> str:
    if _REGION.fullmatch(name.strip()):
        return f"which has spaces around it: write {name.strip()!r}"
    return "which is not a Region name; expected something like 'eu-west-3'"


def _warn_of_unknown_region(construct: Construct, region: str) -> None:
    """A warning, not an error: a Region can be newer than this aws-cdk-lib."""
    if not is_known(region) or RegionInfo.get(region).partition:
        return
    nearest = difflib.get_close_matches(region, [known.name for known in RegionInfo.regions])
    # If there are several, prefer the one that differs only by swapped letters.
    name = max(nearest, key=lambda name: sorted(name) == sorted(region), default=None)
    meant = f": did you mean {name!r}?" if name else ""
    Annotations.of(construct).add_warning_v2(
        f"cdk-replicated-secret:unknownRegion:{region}",
        f"regions contains {region!r}, which this version of aws-cdk-lib does not know{meant}",
    )


def _check_key(construct: Construct, replica: ReplicaRegion) -> None:
    """A key can encrypt a replica only in the key's own Region."""
    path, stack = construct.node.path, Stack.of(construct)
    key, region = replica.encryption_key, replica.region
    if key is None:
        return
    if not isinstance(key, str) and not hasattr(key, "key_arn"):
        raise TypeError(
            f"{path}: the encryption_key for {region} is {key!r}: expected a key, or its ARN, ID or alias"
            f"{_instead_of_replica_key(key)}"
        )
    if not isinstance(key, str):
        check_app(construct, f"the encryption_key for {region}", key)
    wrong = _wrong_with_key_text(stack, region, key) if isinstance(key, str) else _wrong_with_key(stack, region, key)
    if wrong:
        raise ValueError(f"{path}: the encryption_key for {region} is {wrong}")


def _instead_of_replica_key(value: object) -> str:
    if isinstance(value, CfnParameter):
        return "; write its .value_as_string"
    return "; write resource.attr_arn" if isinstance(value, kms.CfnKey) else ""


def _wrong_with_key(stack: Stack, region: str, key: Any) -> str | None:
    if differ(key.env.region, region):
        alias = getattr(key, "alias_name", None)
        name = stack.resolve(alias) if alias else None
        instead = f"; write the alias of {region} as text, encryption_key={name!r}" if isinstance(name, str) else ""
        return f"in {key.env.region}: use a key in {region}{instead}"
    return None


def _wrong_with_key_text(stack: Stack, region: str, key: str) -> str | None:
    if is_secure(stack, key):
        return f"{key}, {NOT_RESOLVED}"
    if wrong := parameter_elsewhere(stack, key):
        return wrong
    for case in cases(stack, key):
        if case.startswith(ALIAS) and case != DEFAULT_KEY:
            return f"the alias {case!r} in one case of an Fn::If, which a policy cannot name: write the key's ARN"
    if not key or not is_known(key):
        return None
    if not _KEY.fullmatch(key):
        return (
            f"{key!r}, which is not the ARN, ID or alias of a key: an alias starts with 'alias/', such as 'alias/app'"
        )
    key_region = key.split(":")[3] if key.startswith("arn:") else region
    return f"in {key_region}: use a key in {region}" if differ(key_region, region) else None

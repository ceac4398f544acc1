"""The resource's properties, read strictly: a wrong one is named, with its value and what is allowed."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from typing import Any

from .errors import InvalidPropertyError, UnknownPropertyError
from .model import Desired, RemovalPolicy, SecretArn, is_region
from .ownership import Owner

PROPERTIES = ("SecretId", "ReplicaRegions", "ForceOverwriteReplicaSecret", "ReplicaRemovalPolicy")
# CloudFormation passes its own two along with ours.
_CLOUDFORMATION_PROPERTIES = ("ServiceToken", "ServiceTimeout")
REPLICA_KEYS = ("Region", "KmsKeyId")
SECRET_ID_MAX_LENGTH = 2048  # F1
KMS_KEY_ID_MAX_LENGTH = 2048  # F1
_NOT_A_REGION = "this is not a Region name; expected something like eu-west-3"
_SECONDS = re.compile("[0-9]{1,9}")


def read(properties: object, owner: Owner, region: str) -> Desired:
    """What a Create or an Update declares.

    Args:
        properties: ResourceProperties as they arrive, every scalar a string (P2).
        owner: the resource.
        region: the Region where a primary given by name lives.

    Raises:
        InvalidPropertyError: If a property is missing, or has a value that is not allowed.
        UnknownPropertyError: If there is no such property.
    """
    if not isinstance(properties, Mapping):
        raise InvalidPropertyError("ResourceProperties", properties, f"give {' and '.join(PROPERTIES[:2])}")
    unknown = sorted(set(properties) - set(PROPERTIES) - set(_CLOUDFORMATION_PROPERTIES))
    if unknown:
        raise UnknownPropertyError(unknown[0], PROPERTIES)
    secret = _secret(properties.get("SecretId"))
    return Desired(
        owner,
        secret,
        _replicas(properties.get("ReplicaRegions"), secret.region if isinstance(secret, SecretArn) else region),
        _boolean("ForceOverwriteReplicaSecret", properties.get("ForceOverwriteReplicaSecret", False)),
        _policy(properties.get("ReplicaRemovalPolicy", RemovalPolicy.DELETE.value)),
    )


def read_to_delete(properties: object, owner: Owner) -> Desired:
    """What a Delete needs. Never raises: if a Create was rejected for its properties, its Delete has the same ones.

    Such a resource owns nothing, so a policy that cannot be read means to leave the replicas alone. Without a usable
    SecretId, ``secret`` is empty.
    """
    known: Mapping[str, Any] = properties if isinstance(properties, Mapping) else {}
    secret: SecretArn | str = ""
    policy = RemovalPolicy.RETAIN
    with contextlib.suppress(InvalidPropertyError):
        secret = _secret(known.get("SecretId"))
    with contextlib.suppress(InvalidPropertyError):
        policy = _policy(known.get("ReplicaRemovalPolicy", RemovalPolicy.DELETE.value))
    return Desired(owner, secret, policy=policy)


def _secret(value: object) -> SecretArn | str:
    allowed = "give the ARN or the name of the primary secret"
    if not isinstance(value, str) or not 1 <= len(value) <= SECRET_ID_MAX_LENGTH:
        raise InvalidPropertyError("SecretId", value, f"{allowed}, 1 to {SECRET_ID_MAX_LENGTH} characters")
    if not value.startswith("arn:"):
        return value
    arn = SecretArn.parse(value)
    if arn is None:
        raise InvalidPropertyError("SecretId", value, f"this is not the ARN of a secret; {allowed}")
    _, colon, rest = arn.resource.partition(":")
    if colon:
        raise InvalidPropertyError("SecretId", value, f"omit ':{rest}', which refers to a part of its value; {allowed}")
    return arn


def regions_in(properties: object) -> set[str]:
    """The Regions that properties name. Never raises, whatever the properties are."""
    listed = properties.get("ReplicaRegions") if isinstance(properties, Mapping) else None
    entries = listed if isinstance(listed, list) else []
    regions = [entry.get("Region") if isinstance(entry, Mapping) else entry for entry in entries]
    return {region for region in regions if isinstance(region, str)}


def _replicas(value: object, primary_region: str) -> dict[str, str | None]:
    if not isinstance(value, list):
        raise InvalidPropertyError(
            "ReplicaRegions", value, 'give a list such as ["eu-west-3"] or [{"Region": "eu-west-3"}]; [] means none'
        )
    replicas: dict[str, str | None] = {}
    for index, entry in enumerate(value):
        if entry == "":
            continue  # What a blank CommaDelimitedList parameter becomes.
        prop = f"ReplicaRegions[{index}]"
        region, key = _replica(prop, entry)
        if region in replicas:
            raise InvalidPropertyError(f"{prop}.Region", region, "this Region is listed twice; list it once")
        if region == primary_region:
            raise InvalidPropertyError(
                f"{prop}.Region", region, "this is the primary's own Region; list only other Regions"
            )
        replicas[region] = key
    return replicas


def _replica(prop: str, entry: object) -> tuple[str, str | None]:
    if isinstance(entry, str):
        entry = {"Region": entry}
    if not isinstance(entry, Mapping):
        raise InvalidPropertyError(prop, entry, 'give a Region, or {"Region": ..., "KmsKeyId": ...}')
    unknown = sorted(set(entry) - set(REPLICA_KEYS))
    if unknown:
        raise UnknownPropertyError(f"{prop}.{unknown[0]}", REPLICA_KEYS)
    region, key = entry.get("Region"), entry.get("KmsKeyId")
    if region is None:
        # What !If with AWS::NoValue inside the entry leaves of it.
        raise InvalidPropertyError(
            prop, entry, "it has no Region. To omit it conditionally, put !If around the whole entry"
        )
    if not isinstance(region, str) or not is_region(region):
        arn = SecretArn.parse(str(region))
        expected = f"this is an ARN; give its Region, {arn.region}" if arn else _NOT_A_REGION
        raise InvalidPropertyError(f"{prop}.Region", region, expected)
    if key is not None and (not isinstance(key, str) or len(key) > KMS_KEY_ID_MAX_LENGTH):
        raise InvalidPropertyError(f"{prop}.KmsKeyId", key, "give the ARN, ID or alias of a key in that Region")
    return region, key or None


def _boolean(prop: str, value: object) -> bool:
    """A Boolean, which may arrive as a string (P2)."""
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if isinstance(value, bool):
        return value
    raise InvalidPropertyError(prop, value, "use true or false")


def _policy(value: object) -> RemovalPolicy:
    try:
        return RemovalPolicy(value)
    except ValueError:
        allowed = ", ".join(policy.value for policy in RemovalPolicy)
        raise InvalidPropertyError("ReplicaRemovalPolicy", value, f"use one of {allowed}") from None


def service_timeout(properties: object) -> int | None:
    """Seconds. CloudFormation checks ServiceTimeout itself (P2), so a value that is not a number is ignored."""
    value = properties.get("ServiceTimeout") if isinstance(properties, Mapping) else None
    return int(value) if isinstance(value, int | str) and _SECONDS.fullmatch(str(value)) else None

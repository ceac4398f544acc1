"""KMS keys as Secrets Manager names them, and when two names are the same key."""

from __future__ import annotations

from enum import Enum

# F10: what a replica uses when no key is given.
DEFAULT_KEY = "alias/aws/secretsmanager"


class SameKey(Enum):
    """Whether two names stand for one key. An alias against a key cannot be known without KMS."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


def normalise(key: str | None) -> str:
    """No key, an empty key and the default alias are one key; an ARN is reduced to its resource."""
    if not key:
        return DEFAULT_KEY
    resource = key.split(":", 5)[-1] if key.startswith("arn:") else key
    return resource.removeprefix("key/")


def same_key(declared: str | None, actual: str | None) -> SameKey:
    """Compare a declared key with the one that the API reports (F21)."""
    wanted, found = normalise(declared), normalise(actual)
    if wanted == found:
        return SameKey.YES
    # F10: the default key is reported by its alias, so a key that was asked for is not what is there.
    if found == DEFAULT_KEY:
        return SameKey.NO
    wanted_is_alias, found_is_alias = wanted.startswith("alias/"), found.startswith("alias/")
    if wanted_is_alias != found_is_alias:
        return SameKey.UNKNOWN
    # Two aliases can point at one key, but the default alias only ever at its own.
    return SameKey.UNKNOWN if wanted_is_alias and wanted != DEFAULT_KEY else SameKey.NO

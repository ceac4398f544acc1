"""KMS keys as Secrets Manager names them, and when two names are the same key."""

from __future__ import annotations

import hashlib
from enum import Enum

# F10: what a replica uses when no key is given.
DEFAULT_KEY = "alias/aws/secretsmanager"
_FINGERPRINT_LENGTH = 8


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
    if wanted == found and not _in_different_places(declared, actual):
        return SameKey.YES
    # F10, F19: the default key is reported by its alias, so it is no other key's name and no other name is its.
    if DEFAULT_KEY in (wanted, found):
        return SameKey.NO
    # F21: an alias is reported only where one was given, and then it is that one.
    return SameKey.UNKNOWN if wanted.startswith("alias/") != found.startswith("alias/") else SameKey.NO


def fingerprint(key: str | None) -> str:
    """A key's name in a few characters, for a tag: ``default``, or the beginning of its SHA-256."""
    if normalise(key) == DEFAULT_KEY:
        return "default"
    return hashlib.sha256(str(key).encode(errors="backslashreplace")).hexdigest()[:_FINGERPRINT_LENGTH]


def _in_different_places(declared: str | None, actual: str | None) -> bool:
    """Two ARNs name two keys where their Region or account differ."""
    arns = [key for key in (declared, actual) if key and key.startswith("arn:")]
    return len({arn.rpartition(":")[0] for arn in arns}) > 1

"""KMS keys as Secrets Manager names them, and when two names mean one key."""

from __future__ import annotations

from collections.abc import Callable

# F10: what a replica uses if no key is given.
DEFAULT_KEY = "alias/aws/secretsmanager"


def normalise(key: str | None) -> str:
    """No key, an empty key and the default alias are one key; an ARN is reduced to its resource."""
    if not key:
        return DEFAULT_KEY
    resource = key.split(":", 5)[-1] if key.startswith("arn:") else key
    return resource.removeprefix("key/")


def same_key(declared: str | None, current: str | None, key_arn: Callable[[str], str]) -> bool:
    """Whether a declared key is the one that the API reports for a replica (F21).

    Args:
        declared: ARN, ID or alias; None or empty is the default key.
        current: the key that Secrets Manager reports.
        key_arn: asks KMS for the ARN of the key behind an alias; called if an alias meets a key's ID or ARN.
    """
    if (declared or DEFAULT_KEY) == (current or DEFAULT_KEY):
        return True
    names = (normalise(declared), normalise(current))
    # F10, F19: the default key is reported by its alias, so no other name means it.
    aliases = [name.startswith("alias/") for name in names]
    if DEFAULT_KEY not in names and any(aliases) and not all(aliases):
        declared, current = (
            key_arn(key) if key and alias else key for key, alias in zip((declared, current), aliases, strict=True)
        )
    return normalise(declared) == normalise(current) and not _in_different_places(declared, current)


def _in_different_places(declared: str | None, current: str | None) -> bool:
    """Two ARNs name two keys if their Region or account differ."""
    arns = [key for key in (declared, current) if key and key.startswith("arn:")]
    return len({arn.rpartition(":")[0] for arn in arns}) > 1

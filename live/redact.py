"""Removes what a report must not contain: the account's ID, and the names of what is in it."""

from __future__ import annotations

import re

_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]*):(?P<region>[a-z0-9-]*):[^:\s]*:[^\s\"',;)\]]+")
_ACCOUNT = re.compile(r"\b\d{12}\b")


def redact(text: str) -> str:
    """The text without account IDs and ARNs."""
    return _ACCOUNT.sub("<account>", _ARN.sub(_short, text))


def _short(arn: re.Match[str]) -> str:
    where = f" in {arn['region']}" if arn["region"] else ""
    return f"<{arn['service']} ARN{where}>"

"""Regions and ARNs: the smallest words that everything else is written in."""

from __future__ import annotations

import re
from dataclasses import dataclass

# F1: the API's own pattern and length.
REGION_PATTERN = re.compile(r"([a-z]+-)+\d+")
REGION_MAX_LENGTH = 128

_ARN_PARTS = 7


def is_region(text: str) -> bool:
    """Whether ``text`` is what the API takes for a Region name."""
    return len(text) <= REGION_MAX_LENGTH and REGION_PATTERN.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class SecretArn:
    """``arn:PARTITION:secretsmanager:REGION:ACCOUNT:secret:NAME-SUFFIX``."""

    partition: str
    region: str
    account: str
    resource: str

    @classmethod
    def parse(cls, text: str) -> SecretArn | None:
        """The ARN of a secret, or None where ``text`` is not one (a name, say)."""
        parts = text.split(":", _ARN_PARTS - 1)
        if len(parts) != _ARN_PARTS or parts[0] != "arn":
            return None
        _, partition, service, region, account, kind, resource = parts
        if service != "secretsmanager" or kind != "secret" or not resource or not is_region(region):
            return None
        return cls(partition, region, account, resource)

    def in_region(self, region: str) -> SecretArn:
        """The replica's ARN: same name and suffix, other Region (F19)."""
        return SecretArn(self.partition, region, self.account, self.resource)

    def __str__(self) -> str:
        return f"arn:{self.partition}:secretsmanager:{self.region}:{self.account}:secret:{self.resource}"

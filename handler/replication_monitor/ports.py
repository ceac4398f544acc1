"""What the scan needs of AWS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from secret_replication.model import SecretArn

from .model import Entry, Secret


class Secrets(Protocol):
    """Two calls. Each raises a ReplicationError and nothing else. Several threads call ``read`` concurrently."""

    def pages(self, name_prefix: str, tag_key: str) -> Iterator[Sequence[Entry]]:
        """ListSecrets in the monitor's Region, page by page. Both filters are prefixes; empty means all.

        ``tag_key`` is a help only: secrets without it may be listed.
        """

    def read(self, arn: SecretArn) -> Secret:
        """DescribeSecret in the Region of the ARN."""

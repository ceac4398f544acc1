"""ListSecrets and DescribeSecret by boto3; errors as the custom resource's function has them."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import boto3
from botocore.config import Config

from secret_replication.errors import RejectedError
from secret_replication.model import SecretArn
from secret_replication.secrets_manager import CONFIG, Boto3SecretsManager, status_of

from .model import Entry, Secret
from .scan import THREADS

# More attempts than the custom resource's function has: here no later round tries again, so throttling is waited out.
_CONFIG = CONFIG.merge(
    Config(
        max_pool_connections=THREADS,
        parameter_validation=False,
        retries={"mode": "standard", "total_max_attempts": 4},
        # boto3 assembles its own for each call, which takes a tenth of the CPU.
        user_agent="Boto3",
    )
)
_SIZE = 100
# A filter accepts only these characters, and a leading exclamation mark negates it. Tag keys may contain others.
_FILTERED = re.compile(r"[a-zA-Z0-9 :_@/+=.-]*")


class Boto3Secrets(Boto3SecretsManager):
    """``ports.Secrets`` over boto3.

    Args:
        region: the monitor's.
        client: makes a client of a service for a Region. Default: boto3's.
    """

    def __init__(self, region: str, client: Callable[[str, str], Any] | None = None) -> None:
        super().__init__(region, _OncePerRegion(client or _client))

    def pages(self, name_prefix: str, tag_key: str) -> Iterator[Sequence[Entry]]:
        """ListSecrets."""
        wanted = {"name": name_prefix, "tag-key": tag_key if _FILTERED.fullmatch(tag_key) else ""}
        parameters: dict[str, Any] = {
            "MaxResults": _SIZE,
            "Filters": [{"Key": key, "Values": [value]} for key, value in wanted.items() if value],
        }
        while True:
            page = self._call(
                "secretsmanager", self._region, "list_secrets", "all secrets", has="SecretList", **parameters
            )
            yield [_entry(entry) for entry in page["SecretList"]]
            if "NextToken" not in page:
                return
            parameters["NextToken"] = page["NextToken"]

    def read(self, arn: SecretArn) -> Secret:
        """DescribeSecret."""
        response = self._call("secretsmanager", arn.region, "describe_secret", str(arn), has="ARN", SecretId=str(arn))
        return Secret(
            _arn(response["ARN"]),
            response.get("Name", ""),
            max(map(_seconds, (response.get("LastChangedDate"), response.get("CreatedDate")))),
            response.get("PrimaryRegion", ""),
            "DeletedDate" in response,
            _tags(response),
            {entry["Region"]: status_of(entry) for entry in response.get("ReplicationStatus", [])},
        )


class _OncePerRegion:
    """Makes each client once, under a lock: boto3 cannot make clients in several threads at the same time."""

    def __init__(self, make: Callable[[str, str], Any]) -> None:
        self._make, self._lock = make, threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def __call__(self, service: str, region: str) -> Any:
        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make(service, region)
            return self._clients[service, region]


def _client(service: str, region: str) -> Any:
    return boto3.client(service, region_name=region, config=_CONFIG)


def _entry(entry: Mapping[str, Any]) -> Entry:
    return Entry(_arn(entry["ARN"]), entry.get("PrimaryRegion", ""), _tags(entry))


def _arn(text: str) -> SecretArn:
    arn = SecretArn.parse(text)
    if arn is None:
        raise RejectedError(f"{text} is not a secret's ARN")
    return arn


def _tags(response: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag.get("Value", "") for tag in response.get("Tags", [])}


def _seconds(date: datetime | None) -> float:
    return date.timestamp() if date else 0.0

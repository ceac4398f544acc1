"""The model's state: secrets in Regions, and how they change by themselves with time."""

from __future__ import annotations

import re
import secrets as randomness
import string
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any

SUFFIX_LENGTH = 6
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
NEVER = float("inf")

Parameters = Mapping[str, Any]
Response = dict[str, Any]


class ApiError(Exception):
    """An error as the API returns it: code, message, HTTP status."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds that AWS takes: until a replica is InSync (F22), and until a removed one is gone (F18)."""

    in_sync: float = 3.0
    gone: float = 60.0

    def scaled(self, factor: float) -> Delays:
        """The same, ``factor`` times as long."""
        return Delays(self.in_sync * factor, self.gone * factor)


@dataclass(slots=True)
class Version:
    """One version of a value."""

    created: float
    stages: set[str]
    string: str | None = None
    binary: str | None = None


@dataclass(slots=True)
class Content:
    """What replicas share with their primary: everything but the key (F20)."""

    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    policy: str | None = None
    rotation: dict[str, Any] = field(default_factory=dict)
    changed: float = 0.0


@dataclass(slots=True)
class Entry:
    """One entry of a primary's ReplicationStatus.

    Until ``settles`` it is InProgress, then ``outcome``. Its replica appears at ``starts``, unless it is to fail.
    """

    region: str
    key: str
    starts: float
    settles: float
    outcome: str = "InSync"
    message: str = "Replication succeeded"  # F11

    def status(self, now: float) -> tuple[str, str]:
        """Status and StatusMessage."""
        return ("InProgress", "") if now < self.settles else (self.outcome, self.message)  # F10: no message


@dataclass(slots=True)
class Secret:
    """A secret in a Region: a primary, a standalone one, or a replica (``primary_region`` set)."""

    arn: str
    name: str
    region: str
    created: float
    content: Content
    key: str | None = None
    primary_region: str | None = None
    entries: dict[str, Entry] = field(default_factory=dict)
    deleted: float | None = None
    accessed: float | None = None
    goes: float = NEVER

    @property
    def is_replica(self) -> bool:
        """Whether its primary is in another Region."""
        return self.primary_region is not None

    @property
    def is_going(self) -> bool:
        """Whether its removal is under way."""
        return self.goes != NEVER

    @property
    def owning_service(self) -> str | None:
        """The service that manages it, as its name says: ``rds!...``."""
        service, managed, _ = self.name.partition("!")
        return service if managed else None

    def arn_in(self, region: str) -> str:
        """The same name and suffix in another Region (F19)."""
        head, _, tail = self.arn.partition(f":{self.region}:")
        return f"{head}:{region}:{tail}"


class Store:
    """The secrets of an account in all Regions, by Region and name."""

    def __init__(self) -> None:
        self._secrets: dict[tuple[str, str], Secret] = {}
        # ARNs of replicas that were removed.
        self.removed: set[str] = set()

    def copy(self) -> Store:
        """A copy, which later changes do not affect. In it, a replica still shares its primary's content."""
        twin, contents = Store(), {}
        for place, secret in self._secrets.items():
            content = secret.content
            if id(content) not in contents:
                contents[id(content)] = replace(content, tags=dict(content.tags), versions=dict(content.versions))
            entries = {region: replace(entry) for region, entry in secret.entries.items()}
            twin._secrets[place] = replace(secret, content=contents[id(content)], entries=entries)
        twin.removed = set(self.removed)
        return twin

    def advance(self, now: float) -> None:
        """Carry out everything that is due by now: first removals and deletions, then replicas appear."""
        for place, secret in list(self._secrets.items()):
            if secret.goes <= now or (secret.deleted is not None and secret.deleted <= now):
                del self._secrets[place]
                self.removed |= {secret.arn} if secret.is_replica else set()
        for primary in list(self._secrets.values()):
            for entry in primary.entries.values():
                if entry.starts <= now and entry.outcome != "Failed" and self.at(entry.region, primary.name) is None:
                    self.put_replica(primary, entry)

    def put_replica(self, primary: Secret, entry: Entry) -> None:
        """Create an entry's replica, in place of what is there."""
        self.put(
            Secret(
                primary.arn_in(entry.region),
                primary.name,
                entry.region,
                entry.starts,
                primary.content,
                key=entry.key,
                primary_region=primary.region,
            )
        )
        # Only once: whatever happens to the replica afterwards does not come from the entry.
        entry.starts = NEVER

    def put(self, secret: Secret) -> None:
        """Store a secret, in place of what is there."""
        self._secrets[secret.region, secret.name] = secret

    def drop(self, secret: Secret) -> None:
        """Forget a secret."""
        del self._secrets[secret.region, secret.name]

    def at(self, region: str, name: str) -> Secret | None:
        """A secret by Region and name."""
        return self._secrets.get((region, name))

    def find(self, region: str, secret_id: str) -> Secret | None:
        """A secret by name, ARN or ARN without suffix. An ARN whose name ends like a suffix is a complete one."""
        if not secret_id.startswith("arn:"):
            return self.at(region, secret_id)
        of_arn = -SUFFIX_LENGTH - 1 if _SUFFIX.search(secret_id) is None else None
        return next((secret for secret in self.within(region) if secret_id in (secret.arn, secret.arn[:of_arn])), None)

    def within(self, region: str) -> Iterator[Secret]:
        """The secrets of a Region, by name."""
        yield from [secret for (where, _), secret in sorted(self._secrets.items()) if where == region]

    def replica_of(self, primary: Secret, region: str) -> Secret | None:
        """The primary's replica in a Region; not another secret of that name."""
        found = self.at(region, primary.name)
        return found if found and found.is_replica and found.arn == primary.arn_in(region) else None


def detach(replica: Secret) -> None:
    """Detach a replica's content from its primary's: from now on it keeps what it has."""
    replica.content = deepcopy(replica.content)


def new_suffix() -> str:
    """The suffix that Secrets Manager appends to a name."""
    return "".join(randomness.choice(string.ascii_letters + string.digits) for _ in range(SUFFIX_LENGTH))

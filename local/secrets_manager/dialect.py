"""What is not known about AWS's replication (U1 to U18): a switch for each, so that tests can try every value.

The first value of each is the default: what AWS's documentation suggests, or what is most often seen.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any

from allpairspy import AllPairs


class SameKeyAgain(Enum):
    """U1. ReplicateSecretToRegions to a Region that is InSync with the same key."""

    NO_OP = "no-op"
    INVALID_PARAMETER = "InvalidParameterException"
    INVALID_REQUEST = "InvalidRequestException"
    IN_PROGRESS = "in progress again"


class OtherKey(Enum):
    """U2. The same with another key."""

    CHANGES = "the key changes"
    IGNORED = "silently ignored"
    ERROR = "InvalidParameterException"


class FailedAgain(Enum):
    """U3. ReplicateSecretToRegions to a Region that is Failed."""

    RETRIED = "retried"
    ERROR = "an error until it is removed"


class RemoveAbsent(Enum):
    """U4. RemoveRegionsFromReplication of a Region that is not replicated."""

    IGNORED = "ignored"
    ERROR = "InvalidParameterException"


class BadRegion(Enum):
    """U5. An unknown, disabled or cross-partition Region."""

    ERROR = "InvalidParameterException"
    FAILED = "Failed"


class DeletedThere(Enum):
    """U6. A secret of that name is scheduled for deletion in the replica's Region."""

    FAILED = "Failed, with and without force"
    FORCE_TAKES_IT = "force takes it"


class NoValue(Enum):
    """U7. A secret without a value."""

    IN_SYNC = "InSync"
    IN_PROGRESS = "stays InProgress"
    FAILED = "Failed"


class ServiceManaged(Enum):
    """U8. A secret that a service manages, as RDS does."""

    ALLOWED = "allowed"
    ERROR = "InvalidRequestException"


class AfterStop(Enum):
    """U9. The primary's entry after StopReplicationToReplica."""

    GONE = "gone"
    FAILED = "stays as Failed"
    IN_SYNC = "stays InSync"


class KeyDenied(Enum):
    """U10. Missing permissions for a KMS key."""

    FAILED = "Failed"
    ERROR = "AccessDeniedException"


class RemoveFailed(Enum):
    """U11. RemoveRegionsFromReplication of a Failed entry. Any other behavior would delete an unrelated secret."""

    ENTRY_ONLY = "the entry goes, the secret that is in the way stays"


class WhileRemoving(Enum):
    """U12. ReplicateSecretToRegions while the removal of the same Region is under way."""

    FAILED = "Failed"
    WAITS = "waits for the removal"


class Order(Enum):
    """U13. The order of ReplicationStatus."""

    REQUEST = "as asked for"
    ANY = "any"


class PromotedRemoved(Enum):
    """U14. RemoveRegionsFromReplication of a Region that is still listed, and whose replica was promoted."""

    STAYS = "the promoted secret stays"
    DELETED = "the promoted secret is deleted"


class SystemTags(Enum):
    """U15. The primary's system tags, such as ``aws:cloudformation:stack-id``, on its replicas."""

    COPIED = "copied"
    NOT_COPIED = "not copied"


class RemovedReplica(Enum):
    """U16. DescribeSecret of a removed replica by its full ARN."""

    NOT_FOUND = "ResourceNotFoundException"
    ACCESS_DENIED = "AccessDeniedException"


class Imported(Enum):
    """U17. A secret that a stack imports with a template that declares neither its replicas nor its other tags."""

    STAY = "both stay"
    REMOVED = "removed"


class DecryptContext(Enum):
    """U18. The SecretARN in the encryption context when a replication decrypts the primary's value."""

    PRIMARY = "the primary's"
    REPLICA = "the replica's"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Dialect:
    """One value for each unknown."""

    same_key_again: SameKeyAgain = SameKeyAgain.NO_OP
    other_key: OtherKey = OtherKey.CHANGES
    failed_again: FailedAgain = FailedAgain.RETRIED
    remove_absent: RemoveAbsent = RemoveAbsent.IGNORED
    bad_region: BadRegion = BadRegion.ERROR
    deleted_there: DeletedThere = DeletedThere.FAILED
    no_value: NoValue = NoValue.IN_SYNC
    service_managed: ServiceManaged = ServiceManaged.ALLOWED
    after_stop: AfterStop = AfterStop.GONE
    key_denied: KeyDenied = KeyDenied.FAILED
    remove_failed: RemoveFailed = RemoveFailed.ENTRY_ONLY
    while_removing: WhileRemoving = WhileRemoving.FAILED
    order: Order = Order.REQUEST
    promoted_removed: PromotedRemoved = PromotedRemoved.STAYS
    system_tags: SystemTags = SystemTags.COPIED
    removed_replica: RemovedReplica = RemovedReplica.NOT_FOUND
    imported: Imported = Imported.STAY
    decrypt_context: DecryptContext = DecryptContext.PRIMARY


# Unknowns that can affect each other: those of the first group are about existing entries; each other one is alone.
TOGETHER = (
    (
        "same_key_again",
        "other_key",
        "failed_again",
        "remove_absent",
        "after_stop",
        "promoted_removed",
        "while_removing",
    ),
    ("failed_again", "bad_region", "key_denied", "no_value"),
    ("failed_again", "deleted_there", "while_removing"),
    ("service_managed",),
    ("imported",),
    ("decrypt_context", "key_denied"),
    ("order", "system_tags", "removed_replica", "after_stop", "while_removing"),
)


def every_dialect() -> Iterator[Dialect]:
    """All combinations of values that can affect each other; the other values have their defaults."""
    seen: set[Dialect] = set()
    for group in TOGETHER:
        for values in itertools.product(*(_values(name) for name in group)):
            dialect = Dialect(**dict(zip(group, values, strict=True)))
            if dialect not in seen:
                seen.add(dialect)
                yield dialect


def plausible_dialects() -> Iterator[Dialect]:
    """Few enough for every test run: each pair of values occurs in one of them. The default comes first."""
    yield Dialect()
    names = [field.name for field in fields(Dialect) if len(_values(field.name)) > 1]
    for values in AllPairs([_values(name) for name in names]):
        yield Dialect(**dict(zip(names, values, strict=True)))


def _values(name: str) -> list[Any]:
    kind: type[Enum] = type(getattr(Dialect(), name))
    return list(kind)

"""AWS's words for a failed replica, and what to do about each (F13)."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cure:
    """What helps. ``retries`` is how often trying again makes sense: 0 for never, None for until the deadline."""

    retries: int | None
    advice: str


_FEW = 3
# With their rests these take 150 s, and a removal 40 to 90 s (F18).
_AS_LONG_AS_A_REMOVAL = 8
_TAKEN = re.compile(r"already exists in region", re.IGNORECASE)
_KNOWN: tuple[tuple[re.Pattern[str], Cure], ...] = (
    (
        re.compile(r"replicated to other region", re.IGNORECASE),
        Cure(0, "the secret there is itself a primary with replicas: remove its replicas, or rename one of the two"),
    ),
    (
        re.compile(r"currently replicated from", re.IGNORECASE),
        Cure(0, "the secret there is a replica of another primary: remove that replica first"),
    ),
    # Also what a removal that is still under way looks like (F18), so it is tried for longer than one takes.
    (
        re.compile(r"with a different arn", re.IGNORECASE),
        Cure(
            _AS_LONG_AS_A_REMOVAL,
            "a replica of an earlier secret of this name is still there: "
            "call StopReplicationToReplica and then DeleteSecret in that Region, and deploy again",
        ),
    ),
)
_NAME_TAKEN = Cure(0, "delete or rename that secret, or set ForceOverwriteReplicaSecret to true to overwrite it")
_NAME_TAKEN_FORCED = Cure(_FEW, "it could not be overwritten: delete or rename that secret")
_KEY = re.compile(r"\bkms\b|\bkey\b", re.IGNORECASE)
_KEY_CURE = Cure(None, "check that the key exists in that Region, is enabled, and lets this role encrypt with it")
# Unknown words: a network error, a key that is still being created, a Region that is being enabled.
_UNKNOWN = Cure(None, "see the status message; it was tried again until the deadline")


def cure(message: str, *, force: bool) -> Cure:
    """What helps a Failed replica with this StatusMessage. ``force``: ForceOverwriteReplicaSecret is set."""
    if _TAKEN.search(message):
        return _NAME_TAKEN_FORCED if force else _NAME_TAKEN
    for pattern, known in _KNOWN:
        if pattern.search(message):
            return known
    return _KEY_CURE if is_about_a_key(message) else _UNKNOWN


def is_about_a_key(message: str) -> bool:
    """Whether AWS's words speak of a KMS key."""
    return _KEY.search(message) is not None

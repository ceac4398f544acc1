"""AWS's words for what failed, and what to do about each (F13), within what CloudFormation shows of a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

# Room for the reason among the ids of an answer (P1).
MAX_REASON_LENGTH = 1000
# Of it, for the Regions: the error's code and a first sentence stand before them.
_ROOM = 900


@dataclass(frozen=True, slots=True)
class Cure:
    """What helps. ``retries`` is how often trying again makes sense: 0 for never, None for until the deadline."""

    retries: int | None
    advice: str


_FEW = 3
# With their rests these take 150 s, and a removal 40 to 90 s (F18).
_AS_LONG_AS_A_REMOVAL = 8
_NAME_TAKEN = Cure(0, "delete or rename that secret, or set ForceOverwriteReplicaSecret to true to overwrite it")
_NAME_TAKEN_FORCED = Cure(_FEW, "it could not be overwritten: delete or rename that secret")
# Names of secrets: they may speak of keys.
_SECRET = re.compile(r"(?<=secret )(?:name )?\S*\w|\barn:[\w-]+:secretsmanager:\S+", re.IGNORECASE)
_TAKEN = re.compile(r"already exists in region", re.IGNORECASE)
_KEY = re.compile(r"\bkms\b|\bkey\b", re.IGNORECASE)
# The first that is found in the message holds.
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
    (
        re.compile(r"invalid replica region|\bregion\b[^.]*\bnot enabled|\bopt.?in\b", re.IGNORECASE),
        Cure(_FEW, "check the name of the Region, and that it is enabled for this account and of the same partition"),
    ),
    (
        _KEY,
        Cure(
            None,
            "check that the key exists in that Region and is enabled, and that its policy and the function's role "
            "allow kms:GenerateDataKey and kms:Encrypt with it, and kms:Decrypt with the primary's",
        ),
    ),
    (
        re.compile(r"LimitExceeded|\btags\b", re.IGNORECASE),
        Cure(None, "a secret has at most 50 tags, of which each replica takes one: remove some of the secret's"),
    ),
    (
        re.compile(r"AccessDenied|not authorized", re.IGNORECASE),
        Cure(
            None,
            "check SecretId (a name that does not exist looks the same), allow that action for this secret, Region and "
            "key in the policy of the function's role (of the provider template: by its parameters), "
            "and do not forbid it in the secret's",
        ),
    ),
)
# Unknown words: a network error, a fault of AWS's own.
_UNKNOWN = Cure(None, "do as AWS's words say, or wait, and deploy again")


def cure(message: str, *, force: bool = False) -> Cure:
    """What helps against this StatusMessage or refusal. ``force``: ForceOverwriteReplicaSecret is set."""
    message = _SECRET.sub("", message)
    if _TAKEN.search(message):
        return _NAME_TAKEN_FORCED if force else _NAME_TAKEN
    return next((known for pattern, known in _KNOWN if pattern.search(message)), _UNKNOWN)


def advised(message: str, words: str = "", *, force: bool = False) -> str:
    """A message and what to do, by ``words``, AWS's own, where the message has more than those."""
    return f"{message.rstrip('. ') or 'Failed'}. To mend it, {cure(words or message, force=force).advice}."


def of_regions(reasons: Mapping[str, str]) -> str:
    """The reasons of several Regions in one, sorted. Where they are too long together, all names come first."""
    whole = "; ".join(f"{region}: {reason}" for region, reason in sorted(reasons.items()))
    if len(whole) <= _ROOM or len(reasons) == 1:
        return whole
    return f"{len(reasons)} Regions failed: {', '.join(sorted(reasons))}. {whole}"


def is_about_a_key(message: str) -> bool:
    """Whether AWS's words speak of a KMS key."""
    return _KEY.search(_SECRET.sub("", message)) is not None

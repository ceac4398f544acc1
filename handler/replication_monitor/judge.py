"""Turns what was read of a secret into a finding for each of its replicas. No I/O, no clock.

There is no store, so nothing is known of earlier runs. A replica in progress, or a tag whose replica is not listed, may
be the work of a running deployment. It becomes a problem when nothing has changed for ``Rules.minutes``: neither the
primary (LastChangedDate, CreatedDate) nor, if its Region was asked, the replica (CreatedDate, F19).
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from secret_replication.advice import advice_for
from secret_replication.errors import AccessDeniedError, DeadlineError, ReplicationError
from secret_replication.model import FAILED, IN_SYNC, ReplicaState, ReplicaStatus
from secret_replication.ownership import TAG_PREFIX, Claim, claims

from .model import Finding, InRegion, Kind, Rules, Secret

_NOT_ASKED = InRegion(ReplicaState.REPLICA)
_SECONDS = 60
_STACK, _LOGICAL_ID = "aws:cloudformation:stack-name", "aws:cloudformation:logical-id"
_FAILOVER = "decide which value to keep, because it may hold the only current one: docs/guide/failover.md says how"
_ALLOW = (
    "allow secretsmanager:DescribeSecret on this secret, and check that its resource policy does not deny it and that "
    "the Region is enabled and reachable"
)
_DECIDE = "decide which primary is to have the replica, and remove the Region from the other one and from its stack"
_SMALLER = "give the function more memory, or deploy a monitor for each prefix of the names"
_CHECK = "check the name of the Region and the credentials, or wait and check again"


def has_replicas(primary_region: str, region: str, tags: Mapping[str, str]) -> bool:
    """Whether a listed secret concerns us: a primary with replicas (F4), or a secret that still has tags of ours.

    Replicas of primaries in other Regions do not: they are judged in those Regions.
    """
    return primary_region == region or (not primary_region and any(key.startswith(TAG_PREFIX) for key in tags))


def to_ask(secret: Secret, rules: Rules) -> list[str]:
    """The Regions to ask: those of suspicious replicas, or all."""
    listed = {r for r, replica in secret.replicas.items() if rules.verify or replica.status != IN_SYNC}
    return sorted(listed | (claims(secret.tags, secret.arn.region).keys() - secret.replicas.keys()))


def judge(secret: Secret, in_region: Mapping[str, InRegion], now: float, rules: Rules) -> list[Finding]:
    """Judge a secret.

    Args:
        secret: the primary.
        in_region: what the Regions that were asked have.
        now: epoch seconds.
        rules: how to judge.

    Returns:
        A finding for each replica that the primary lists or our tags record, by Region; then one for each Region that
        could not be asked; then one for each left-over tag.
    """
    if secret.deleted:
        return [deleted(secret.name, str(secret.arn))]
    if secret.primary_region not in ("", secret.arn.region):
        return []
    owned = claims(secret.tags, secret.arn.region)
    judged, unchecked = [], []
    for region in sorted({*secret.replicas, *owned}):
        there = in_region.get(region, _NOT_ASKED)
        changing = now - max(secret.changed, there.created) < rules.minutes * _SECONDS
        known = Finding(Kind.IN_SYNC, secret.name, str(secret.arn), region, owner=_owner(secret, owned.get(region)))
        if region in secret.replicas:
            judged.append(_listed(known, secret.replicas[region], there, changing=changing))
        elif there.state is not ReplicaState.UNKNOWN:
            judged.append(_recorded(known, there, secret.arn.region, changing=changing))
        if there.state is ReplicaState.UNKNOWN:
            unchecked.append(_unchecked(known, there.reason))
    return [*judged, *unchecked, *_left_over(secret, owned)]


def deleted(name: str, arn: str) -> Finding:
    """A secret that was deleted after it was listed."""
    return Finding(Kind.DELETED, name, arn, status="deleted", message="deleted after it was listed")


def not_read(name: str, arn: str, reason: str) -> Finding:
    """A secret that could not be described."""
    return _unchecked(Finding(Kind.UNCHECKED, name, arn), reason)


def not_listed(error: ReplicationError) -> Finding:
    """Secrets that could not be listed: this page, and all that follow."""
    advice = "allow secretsmanager:ListSecrets" if isinstance(error, AccessDeniedError) else _CHECK
    if isinstance(error, DeadlineError):
        advice = _SMALLER
    message = f"{error}. The remaining secrets were not checked"
    return Finding(Kind.UNCHECKED, status="not listed", message=message, advice=advice)


def _unchecked(known: Finding, reason: str) -> Finding:
    return replace(known, kind=Kind.UNCHECKED, status="not checked", message=reason, advice=_ALLOW)


def _listed(known: Finding, replica: ReplicaStatus, there: InRegion, *, changing: bool) -> Finding:
    """A replica that the primary lists."""
    known = replace(
        known,
        status=replica.status,
        message=replica.message,
        key=replica.kms_key,
        last_accessed=replica.last_accessed,
    )
    if there.state is ReplicaState.STANDALONE:
        return _promoted(known, there)
    if replica.status == FAILED:
        advice = f"{advice_for(replica.message).text}. Then, to replicate it again, {_again(known)}"
        # It does not matter what its Region has: if the name was taken, the replica never existed (F12).
        return replace(known, kind=Kind.FAILED, advice=advice)
    if changing and replica.status != IN_SYNC:
        return replace(known, kind=Kind.CHANGING)
    if there.state is ReplicaState.GONE:
        message = "the primary lists it, but its Region does not have it"
        return _missing(known, there, message, _again(known, remove=True))
    if replica.status == IN_SYNC:
        return known
    # F22: it can stay in progress forever.
    advice = f"check that its KMS key is enabled; if AWS does not finish, {_again(known, remove=True)}"
    return replace(known, kind=Kind.IN_PROGRESS, advice=advice)


def _recorded(known: Finding, there: InRegion, primary_region: str, *, changing: bool) -> Finding:
    """A replica that only our tag records."""
    known = replace(known, status="not listed")
    if there.state is ReplicaState.STANDALONE:
        return _promoted(known, there)
    if there.state is ReplicaState.REPLICA:
        # F18: a removed replica leaves the list immediately and its Region later.
        return replace(known, kind=Kind.CHANGING, message="its Region still has it: it is being removed")
    if changing:
        return replace(known, kind=Kind.CHANGING, message="its tag was written, or the replica was removed, recently")
    message = f"the tag on the primary in {primary_region} records it, but it is gone"
    # Only the list had its key.
    advice = (
        f"{_again(known)} (with ,KmsKeyId=KEY if it had a customer key); or, if you no longer want it, "
        "remove the Region from its stack"
    )
    return _missing(known, there, message, advice)


def _missing(known: Finding, there: InRegion, message: str, advice: str) -> Finding:
    if there.reason:
        message, advice = there.reason, _DECIDE
    return replace(known, kind=Kind.MISSING, message=message, advice=advice)


def _promoted(known: Finding, there: InRegion) -> Finding:
    message = "its Region has it as a standalone secret: it was promoted"
    if there.reason:
        message = f"{message}, and {there.reason}"
    return replace(known, kind=Kind.PROMOTED, message=message, advice=_FAILOVER)


def _left_over(secret: Secret, owned: Mapping[str, Claim]) -> list[Finding]:
    """Tags that came here with a replica, which was then promoted (F20, F23): they name another primary."""
    arn = secret.arn
    keys = [key for key in sorted(secret.tags) if key.startswith(TAG_PREFIX) and key[len(TAG_PREFIX) :] not in owned]
    command = f"aws secretsmanager untag-resource --region {arn.region} --secret-id {shlex.quote(str(arn))} --tag-keys"
    left = Finding(Kind.LEFTOVER, secret.name, str(arn), status="tag left over", owner=_owner(secret, None))
    message = "this secret was a replica and was promoted: its tag names the former primary, and is ignored"
    return [
        replace(left, region=key[len(TAG_PREFIX) :], message=message, advice=f"run {command} {shlex.quote(key)}")
        for key in keys
    ]


def _again(known: Finding, *, remove: bool = False) -> str:
    region = known.arn.split(":")[3]
    secret = f"--region {region} --secret-id {shlex.quote(known.arn)}"
    first = f"aws secretsmanager remove-regions-from-replication {secret} --remove-replica-regions {known.region}"
    key = f",KmsKeyId={known.key}" if known.key else ""
    again = f"aws secretsmanager replicate-secret-to-regions {secret} --add-replica-regions Region={known.region}{key}"
    return f"run {first}, wait a minute, and run {again}" if remove else f"run {again}"


def _owner(secret: Secret, claim: Claim | None) -> str:
    """The replica's owners, or else the resource that made the secret."""
    if claim:
        return " ".join([claim.stack_name or claim.stack, "/".join(claim.owners)]).strip()
    return " ".join(secret.tags[key] for key in (_STACK, _LOGICAL_ID) if key in secret.tags)

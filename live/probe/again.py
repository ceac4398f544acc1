"""ReplicateSecretToRegions to a Region that the secret is, or was, replicated to."""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from live.caller import QUIET
from live.finding import Finding, settled, settled_by, unexpected
from live.lab import Lab
from live.secret import Secret, entry_of, said
from local.secrets_manager.dialect import FailedAgain, Order, OtherKey, SameKeyAgain, WhileRemoving

_TRIES = 4
_REMOVED_AND_IN_SYNC_WITHIN = 300.0


def u1(lab: Lab) -> Finding:
    """Replicate again to a Region that is InSync, with the same key."""
    secret = lab.replicated()
    reply = secret.replicate(lab.first)
    if reply.code:
        errors = {value.value: value for value in (SameKeyAgain.INVALID_PARAMETER, SameKeyAgain.INVALID_REQUEST)}
        return settled_by(errors, reply.code, reply.words)
    entries = lab.trace(lambda: secret.entry(lab.first), lambda entry: entry.get("Status") != "InProgress")
    statuses = [entry.get("Status") for entry in (entry_of(reply, lab.first), *entries)]
    if statuses[-1] != "InSync":
        return unexpected(f"the call was accepted, and then the entry was {said(entries[-1])}")
    if "InProgress" in statuses:
        return settled(SameKeyAgain.IN_PROGRESS, "the entry was InProgress, then InSync")
    return settled(SameKeyAgain.NO_OP, "the call was accepted, and the entry stayed InSync")


def u2(lab: Lab) -> Finding:
    """Replicate again to a Region that is InSync, with another key."""
    key = lab.key(lab.first)
    secret = lab.replicated()
    reply = secret.replicate(lab.first, key=key)
    if reply.code:
        return settled_by({OtherKey.ERROR.value: OtherKey.ERROR}, reply.code, reply.words)
    entry = secret.settled(lab.first)
    used = lab.settle(lambda: secret.describe(lab.first).response.get("KmsKeyId"), bool)
    changed = (entry.get("KmsKeyId") == key, used == key)
    did = f"the entry was {said(entry)}; its key {'changed' if changed[0] else 'stayed'}"
    if entry.get("Status") != "InSync" or changed[0] != changed[1]:
        return unexpected(f"{did}, the replica's own {'changed' if changed[1] else 'stayed'}")
    return settled(OtherKey.CHANGES if changed[0] else OtherKey.IGNORED, did)


def u3(lab: Lab) -> Finding:
    """Replicate again to a Region that is Failed, after the conflicting secret is gone."""
    secret = lab.secret()
    obstacle = lab.secret(lab.first, secret.name)
    secret.replicate(lab.first)
    if secret.settled(lab.first).get("Status") != "Failed":
        return unexpected("the name was taken, and the replication did not fail")
    obstacle.delete(ForceDeleteWithoutRecovery=True)
    lab.settle(lambda: obstacle.exists(lab.first), lambda there: not there)
    # AWS may keep a deleted secret's name for some time.
    for _ in range(_TRIES):
        reply = secret.replicate(lab.first)
        if reply.code == "InvalidParameterException":
            return settled(FailedAgain.ERROR, reply.words)
        if reply.code:
            return unexpected(reply.words)
        entry = secret.settled(lab.first)
        if entry.get("Status") == "InSync":
            return settled(FailedAgain.RETRIED, "the call was accepted, and the entry became InSync")
        lab.wait(QUIET)
    return unexpected(f"the call was accepted, and the entry stayed {said(entry)}")


def u12(lab: Lab) -> Finding:
    """Replicate to a Region whose removal is under way."""
    secret = lab.replicated()
    secret.remove(lab.first)
    reply = secret.replicate(lab.first)
    if reply.code:
        return unexpected(reply.words)
    entry = secret.settled(lab.first, within=_REMOVED_AND_IN_SYNC_WITHIN)
    if entry.get("Status") == "Failed":
        return settled(WhileRemoving.FAILED, said(entry))
    if entry.get("Status") != "InSync":
        return unexpected(f"the call was accepted, and the entry was {said(entry)}")
    if secret.stays(lab.first):
        return settled(WhileRemoving.WAITS, "the entry became InSync, and the replica was there and stayed")
    return unexpected("the entry was InSync, and the replica was removed all the same")


def u13(lab: Lab) -> Finding:
    """Replicate to two Regions, asked for in either order."""
    lists = []
    for asked in ((lab.first, lab.second), (lab.second, lab.first)):
        secret = lab.replicated(*asked)
        listed = lab.settle(partial(_listed, secret), partial(_has_all, asked))
        lists.append((list(asked), listed))
    did = "; ".join(f"asked for {' '.join(asked)}, listed {' '.join(listed)}" for asked, listed in lists)
    if any(len(listed) != len(asked) for asked, listed in lists):
        return unexpected(f"the lists are incomplete: {did}")
    return settled(Order.REQUEST if all(asked == listed for asked, listed in lists) else Order.ANY, did)


def _listed(secret: Secret) -> list[str]:
    return [entry["Region"] for entry in secret.describe().response.get("ReplicationStatus") or []]


def _has_all(asked: Collection[str], listed: Collection[str]) -> bool:
    return set(asked) <= set(listed)

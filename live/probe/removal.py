"""RemoveRegionsFromReplication and StopReplicationToReplica, and what is there afterwards."""

from __future__ import annotations

from live.caller import SETTLES_WITHIN
from live.finding import Finding, SkipError, moot, settled, settled_by, unexpected
from live.lab import Lab
from live.secret import GONE_WITHIN, said
from local.secrets_manager.dialect import AfterStop, PromotedRemoved, RemoveAbsent, RemovedReplica, RemoveFailed


def u4(lab: Lab) -> Finding:
    """Remove a Region that the secret is not replicated to."""
    reply = lab.secret().remove(lab.first)
    if not reply.code:
        return settled(RemoveAbsent.IGNORED, "the call was accepted")
    return settled_by({RemoveAbsent.ERROR.value: RemoveAbsent.ERROR}, reply.code, reply.words)


def u9(lab: Lab) -> Finding:
    """Promote a replica, and describe the primary's list."""
    secret = lab.replicated()
    secret.promote(lab.first)
    entry = secret.settled(lab.first)
    values = {None: AfterStop.GONE, "Failed": AfterStop.FAILED, "InSync": AfterStop.IN_SYNC}
    status = entry.get("Status")
    did = f"the entry was {said(entry)}"
    return settled_by(values, status, did)


def u11(lab: Lab) -> Finding:
    """Remove a Region that Failed because another secret has the name."""
    secret = lab.secret()
    other = lab.secret(lab.first, secret.name)
    secret.replicate(lab.first)
    if secret.settled(lab.first).get("Status") != "Failed":
        return unexpected("the name was taken, and the replication did not fail")
    reply = secret.remove(lab.first)
    if reply.code:
        return unexpected(reply.words)
    entry = lab.settle(lambda: secret.entry(lab.first), lambda entry: not entry)
    if entry:
        return unexpected(f"the call was accepted, and the entry stayed {said(entry)}")
    if not other.stays(lab.first):
        return unexpected("the entry disappeared, and so did the other secret")
    return settled(RemoveFailed.ENTRY_ONLY, "the entry disappeared, and the other secret stayed")


def u14(lab: Lab) -> Finding:
    """Promote a replica, and remove its Region if the primary still lists it."""
    secret = lab.replicated()
    secret.promote(lab.first)
    if not secret.settled(lab.first):
        why = "after StopReplicationToReplica the primary does not list the Region any more (U9)"
        return moot(f"{why}, so no call can tell what removing it would do to the promoted secret")
    reply = secret.remove(lab.first)
    if reply.code:
        return unexpected(reply.words)
    if secret.stays(lab.first):
        return settled(PromotedRemoved.STAYS, "the call was accepted, and the promoted secret stayed")
    return settled(PromotedRemoved.DELETED, "the call was accepted, and the promoted secret was deleted")


def u16(lab: Lab) -> Finding:
    """Describe a removed replica by its full ARN, with a role that may describe this ARN and nothing else."""
    secret = lab.replicated()
    only = {
        "Effect": "Allow",
        "Action": "secretsmanager:DescribeSecret",
        "Resource": secret.arn_in(lab.first),
    }
    role = lab.assume(lab.role(only))
    if code := lab.settle(lambda: secret.describe(lab.first, role).code, lambda code: not code):
        raise SkipError(f"the role cannot describe the replica: {code}")
    secret.remove(lab.first)
    if not secret.gone(lab.first, since=lab.now()):
        return unexpected(f"the replica was still there after {GONE_WITHIN:g} s")
    code = lab.settle(lambda: secret.describe(lab.first, role).code, bool, within=SETTLES_WITHIN)
    values = {value.value: value for value in RemovedReplica}
    return settled_by(values, code, code or "it can still be described")

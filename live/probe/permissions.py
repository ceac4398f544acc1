"""The permissions that each call needs, and what their conditions can test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from live.account import Credentials, Reply
from live.finding import Finding, SkipError, holds
from live.lab import Lab
from live.secret import Secret

_DENIED = "AccessDeniedException"
_TAG = {"Key": "changed", "Value": "yes"}
_Call = Callable[[Credentials], Reply]


def f30(lab: Lab) -> Finding:
    """Make each call with the permission for its action, and with all permissions except that one."""
    secret = lab.secret()
    calls = _calls(secret, lab)
    role = lab.role(_allow(secret, *calls))
    if not _counts(lab, secret, role):
        raise SkipError("the role's policy has not taken effect yet")
    allowed = lab.assume(role)
    wrong = []
    for action, call in calls.items():
        others = [each for each in calls if each != action]
        code = call(lab.assume(role, _allow(secret, *others))).code
        wrong += [f"{action} without its permission: {code or 'accepted'}"] * (code != _DENIED)
        reply = call(allowed)
        wrong += [f"{action} with its permission: {reply.words}"] * bool(reply.code)
        if action == "ReplicateSecretToRegions":
            secret.settled(lab.first)
            secret.settled(lab.second)
    return holds("; ".join(wrong) or f"{', '.join(calls)}: each needs its own action and no other", so=not wrong)


def f31(lab: Lab) -> Finding:
    """A policy can restrict the Regions of a replication, and force."""
    secret = lab.secret()
    role = lab.role(_allow(secret, "DescribeSecret", "ReplicateSecretToRegions"))
    if not _counts(lab, secret, role):
        raise SkipError("the role's policy has not taken effect yet")
    conditions = {
        "ForAllValues:StringEquals": {"secretsmanager:AddReplicaRegions": [lab.first]},
        "BoolIfExists": {"secretsmanager:ForceOverwriteReplicaSecret": "false"},
    }
    limited = lab.assume(role, {**_allow(secret, "ReplicateSecretToRegions"), "Condition": conditions})
    codes = (
        _replicate(secret, lab.second)(limited).code,
        _replicate(secret, lab.first, ForceOverwriteReplicaSecret=True)(limited).code,
        _replicate(secret, lab.first)(limited).code,
    )
    did = f"another Region: {codes[0] or 'accepted'}; with force: {codes[1] or 'accepted'}; as allowed: "
    return holds(did + (codes[2] or "accepted"), so=codes == (_DENIED, _DENIED, ""))


def _calls(secret: Secret, lab: Lab) -> dict[str, _Call]:
    """The handler's calls, in an order in which each is possible."""
    dropped, promoted = [lab.second], secret.arn_in(lab.first)
    stop = "stop_replication_to_replica"
    return {
        "DescribeSecret": lambda own: secret.describe(credentials=own),
        "TagResource": lambda own: secret.call("tag_resource", credentials=own, Tags=[_TAG]),
        "UntagResource": lambda own: secret.call("untag_resource", credentials=own, TagKeys=[_TAG["Key"]]),
        "ReplicateSecretToRegions": _replicate(secret, lab.first, lab.second),
        "RemoveRegionsFromReplication": lambda own: secret.call(
            "remove_regions_from_replication", credentials=own, RemoveReplicaRegions=dropped
        ),
        "StopReplicationToReplica": lambda own: lab.call(
            "secretsmanager", stop, lab.first, credentials=own, SecretId=promoted
        ),
    }


def _replicate(secret: Secret, *regions: str, **more: Any) -> _Call:
    adds = [{"Region": region} for region in regions]
    return lambda own: secret.call("replicate_secret_to_regions", credentials=own, AddReplicaRegions=adds, **more)


def _counts(lab: Lab, secret: Secret, role: str) -> bool:
    """Whether the role can describe the secret. IAM needs some seconds to apply a policy."""
    own = lab.assume(role)
    return not lab.settle(lambda: secret.describe(credentials=own).code, lambda code: not code)


def _allow(secret: Secret, *actions: str) -> Mapping[str, Any]:
    names = [f"secretsmanager:{action}" for action in actions]
    return {"Effect": "Allow", "Action": names, "Resource": secret.arn_in("*")}

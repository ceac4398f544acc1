"""The planner: what is declared and what is observed, to what is to be done. Pure; docs/lifecycle.md is its table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .keys import SameKey, fingerprint, same_key
from .ownership import Claim, Origin
from .ports import FAILED, IN_SYNC, ReplicaStatus
from .properties import RemovalPolicy
from .reasons import advised, cure
from .regions import SecretArn
from .situation import Desired, Elsewhere, Observed, Tried


class Step(Enum):
    """What to do about one Region, in the order in which the kinds are carried out."""

    ADD = "tag it as created, then replicate"
    ADOPT = "tag it as adopted"
    TAKE_OVER = "tag it as ours, keeping created or adopted"
    HAND_BACK = "tag it as the resource's that we took it from"
    LET_GO = "note in the tag that we are gone"
    REPLICATE = "replicate again"
    RECORD = "note its key in the tag"
    REMOVE = "remove it from replication"
    PROMOTE = "stop replication to it"
    UNTAG = "remove the tag"
    WAIT = "wait"
    NOTHING = "nothing"
    FAIL = "fail, saying why"


@dataclass(frozen=True, slots=True)
class Plan:
    """A step for each Region that matters, and for those that fail the reason."""

    steps: Mapping[str, Step]
    reasons: Mapping[str, str] = field(default_factory=dict)

    def regions(self, *steps: Step) -> list[str]:
        """The Regions with one of these steps, sorted."""
        return sorted(region for region, step in self.steps.items() if step in steps)

    @property
    def done(self) -> bool:
        """Nothing is left to do or to wait for."""
        return set(self.steps.values()) <= {Step.NOTHING}


def plan(desired: Desired, observed: Observed, tried: Mapping[str, Tried] | None = None) -> Plan:
    """The next steps.

    A Region is dropped only once everything declared is true: an update that fails has then lost nothing.
    """
    reasons: dict[str, str] = {}
    steps: dict[str, Step] = {}
    for region in desired.replicas:
        step, reason = _declared(region, desired, observed, (tried or {}).get(region, Tried()))
        steps[region] = step
        if reason:
            reasons[region] = reason
    good = {r for r, step in steps.items() if step is Step.REMOVE and observed.replicas[r].status == IN_SYNC}
    if any(step not in (Step.NOTHING, Step.RECORD) for region, step in steps.items() if region not in good):
        # A replica that is InSync goes, to be made anew with its key, only when all others are right.
        steps |= dict.fromkeys(good, Step.WAIT)
    elif not good:
        steps |= _undeclared(desired, observed, tried or {})
    return Plan(steps, reasons)


def _undeclared(desired: Desired, observed: Observed, tried: Mapping[str, Tried]) -> dict[str, Step]:
    steps = {}
    for region, claim in observed.claims.items():
        if region in desired.replicas:
            continue
        if claim.owner.same_resource(desired.owner):
            steps[region] = _dropped(region, claim, desired.policy, observed, tried.get(region, Tried()))
        elif claim.owner.same_stack(desired.owner) and claim.taken_from == desired.owner.logical_id:
            steps[region] = Step.LET_GO
    return steps


def _declared(region: str, desired: Desired, observed: Observed, tried: Tried) -> tuple[Step, str]:
    claim, replica = observed.claims.get(region), observed.replicas.get(region)
    if claim is None:
        return (Step.ADD if replica is None else Step.ADOPT), ""
    if not claim.owner.same_stack(desired.owner):
        return Step.FAIL, _owned_elsewhere(region, claim, observed.arn)
    if not claim.owner.same_resource(desired.owner):
        return Step.TAKE_OVER, ""
    if replica is None:
        return (Step.WAIT if observed.elsewhere.get(region) is Elsewhere.REPLICA else Step.ADD), ""
    if claim.origin is Origin.ADOPTED and not _has_key(desired.replicas[region], claim, replica):
        return Step.FAIL, (
            f"was there before this resource, with the key {replica.kms_key}, and is not re-keyed. "
            f"Declare that KmsKeyId, or remove the replica so that this resource makes its own."
        )
    if replica.status == FAILED:
        return _failed(claim, replica, tried, force=desired.force)
    if replica.status != IN_SYNC:
        return Step.WAIT, ""
    return _in_sync(desired.replicas[region], claim, replica, tried)


def _failed(claim: Claim, replica: ReplicaStatus, tried: Tried, *, force: bool) -> tuple[Step, str]:
    enough = cure(replica.message, force=force).retries
    if enough is not None and not tried.made:
        # What failed before this run gets one try: the obstacle may be gone.
        enough = max(1, enough)
    exhausted = enough is not None and tried.retries >= enough
    may_not_be_removed = tried.refused and claim.origin is Origin.ADOPTED
    if exhausted or may_not_be_removed:
        return Step.FAIL, advised(replica.message, force=force)
    if tried.resting:
        return Step.WAIT, ""
    return (Step.REMOVE if tried.refused else Step.REPLICATE), ""


def _in_sync(key: str | None, claim: Claim, replica: ReplicaStatus, tried: Tried) -> tuple[Step, str]:
    if _has_key(key, claim, replica):
        return (Step.NOTHING if claim.key_given(replica.kms_key) == fingerprint(key) else Step.RECORD), ""
    if tried.made:
        return Step.FAIL, f"has the key {replica.kms_key} although {key} was asked for."
    if tried.rekeyed and tried.resting:
        return Step.WAIT, ""
    return (Step.REMOVE if tried.rekeyed or tried.refused else Step.REPLICATE), ""


def _has_key(key: str | None, claim: Claim, replica: ReplicaStatus) -> bool:
    """Whether a replica has a key. Where its names cannot be compared, the change of the property decides."""
    same = same_key(key, replica.kms_key)
    return same is SameKey.YES or (
        same is SameKey.UNKNOWN and claim.key_given(replica.kms_key) in ("", fingerprint(key))
    )


def _dropped(region: str, claim: Claim, policy: RemovalPolicy, observed: Observed, tried: Tried) -> Step:
    if claim.taken_from:
        return Step.HAND_BACK
    if claim.origin is Origin.ADOPTED or policy is RemovalPolicy.RETAIN:
        return Step.UNTAG
    there = observed.elsewhere.get(region)
    replica = observed.replicas.get(region)
    if replica is None:
        return Step.WAIT if there is Elsewhere.REPLICA else Step.UNTAG
    if policy is RemovalPolicy.PROMOTE and there is Elsewhere.REPLICA:
        # What is there may be an earlier replica on its way out, which is in the way of this one.
        too_early = tried.refused and replica.status != IN_SYNC
        return Step.WAIT if tried.promoted or too_early else Step.PROMOTE
    # Where the Region does not answer, promoting is tried all the same: removing would lose the replica.
    if policy is RemovalPolicy.PROMOTE and there is Elsewhere.UNVERIFIED and not tried.promoted:
        return Step.UNTAG if tried.refused else Step.PROMOTE
    return Step.WAIT if tried.resting else Step.REMOVE


def _owned_elsewhere(region: str, claim: Claim, arn: SecretArn) -> str:
    owner = claim.owner
    who = f"{owner.logical_id} of stack {owner.stack_name or owner.stack}" if owner.logical_id else owner.stack
    return (
        f"belongs to {who}. Remove it there first; if that stack is gone, release it with: "
        f"aws secretsmanager untag-resource --region {arn.region} --secret-id {arn} "
        f"--tag-keys cdk-replicated-secret:{region}"
    )

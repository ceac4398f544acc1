"""The planner: a step for each Region. Pure; its table is docs/reference/lifecycle.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .advice import advice_for, advised, delete_command
from .attempts import Attempt
from .keys import DEFAULT_KEY
from .model import FAILED, IN_SYNC, Desired, Observed, RemovalPolicy, ReplicaState, ReplicaStatus, SecretArn, Step
from .ownership import Claim, Origin, tag_key


class Plan(NamedTuple):
    """A step for each Region that matters, and the reasons of those that fail."""

    steps: Mapping[str, Step]
    reasons: Mapping[str, str]

    def regions(self, *steps: Step) -> list[str]:
        """The Regions with one of these steps, sorted."""
        return sorted(region for region, step in self.steps.items() if step in steps)

    @property
    def done(self) -> bool:
        """Whether nothing is left to do or to wait for."""
        return set(self.steps.values()) <= {Step.NOTHING}

    @property
    def waits(self) -> bool:
        """Whether nothing is to be done now."""
        return set(self.steps.values()) <= {Step.NOTHING, Step.WAIT}


def plan(desired: Desired, observed: Observed, attempts: Mapping[str, Attempt], now: float) -> Plan:
    """The next steps. A Region is dropped only once every declared one is InSync: a failed update has lost nothing.

    Args:
        desired: what is declared.
        observed: what AWS reports.
        attempts: what this run has tried, by Region.
        now: the clock's reading in seconds.
    """
    names = {*desired.replicas, *observed.owned}
    regions = {name: _Region.of(name, observed, attempts.get(name) or Attempt(), now) for name in names}
    outcomes = {name: _declared(regions[name], desired, observed) for name in desired.replicas}
    reasons = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, str)}
    steps = {name: Step.FAIL if isinstance(outcome, str) else outcome for name, outcome in outcomes.items()}
    good = {name for name, step in steps.items() if step is Step.REMOVE and observed.replicas[name].status == IN_SYNC}
    if any(step is not Step.NOTHING for name, step in steps.items() if name not in good):
        # A good replica is removed, to be recreated with the declared key, only when all other Regions are right.
        steps |= dict.fromkeys(good, Step.WAIT)
    elif not good:
        dropped = {name: _dropped(region, desired) for name, region in regions.items() if name not in desired.replicas}
        if set(dropped.values()) != {Step.UNTAG}:
            # Tags are removed last. If that is not permitted, nothing but tags is left then.
            dropped = {name: Step.WAIT if step is Step.UNTAG else step for name, step in dropped.items()}
        steps |= dropped
    return Plan(steps, reasons)


class _Region(NamedTuple):
    """What the step for one Region depends on. ``there``: what the Region has; None if it was not asked."""

    name: str
    claim: Claim | None
    replica: ReplicaStatus | None
    there: ReplicaState | None
    attempt: Attempt
    lagging: bool

    @classmethod
    def of(cls, name: str, observed: Observed, attempt: Attempt, now: float) -> _Region:
        """One Region of what was observed. ``lagging``: the observation may precede the last call."""
        claim, replica = observed.claims.get(name), observed.replicas.get(name)
        return cls(name, claim, replica, observed.in_region.get(name), attempt, now < attempt.not_before)


def _declared(region: _Region, desired: Desired, observed: Observed) -> Step | str:
    """The step for a declared Region, or the reason why it cannot become right."""
    claim = region.claim
    if claim and claim.stack != desired.owner.stack:
        return _owned_elsewhere(region.name, claim, observed.arn)
    if region.there is ReplicaState.STANDALONE:
        return _promoted(observed.arn.in_region(region.name))
    if claim and region.name not in observed.owned:
        return Step.JOIN if claim.joined_by(desired.owner).fits else _too_many(claim.owners)
    if region.replica is None:
        return _absent(region, force=desired.force)
    if claim is None:
        return Step.ADOPT
    return _owned(region, region.replica, claim, desired, has_key=region.name in observed.with_declared_key)


def _absent(region: _Region, *, force: bool) -> Step:
    if region.attempt.rejected is Step.ADD:
        # AWS may have rejected the call for a replica that the list does not show yet.
        return Step.WAIT if region.lagging else Step.ADD
    # There may be a replica on its way out; or a promoted secret, which a forced call would overwrite.
    if region.there is None and (force or region.claim):
        return Step.ASK
    return Step.WAIT if region.there is ReplicaState.REPLICA else Step.ADD


def _owned(region: _Region, replica: ReplicaStatus, claim: Claim, desired: Desired, *, has_key: bool) -> Step | str:
    key, adopted = desired.replicas[region.name], claim.origin is Origin.ADOPTED
    if adopted and not has_key:
        return (
            f"existed before this resource, with key {replica.kms_key}, and its key will not be changed. Set KmsKeyId "
            "to that key, or remove the replica so that this resource makes its own."
        )
    if replica.status == IN_SYNC and has_key:
        return Step.NOTHING
    if region.lagging or replica.status not in (IN_SYNC, FAILED):
        return Step.WAIT
    if replica.status == FAILED:
        return _failed(region, replica.message, adopted=adopted, force=desired.force)
    return _another_key(region, replica.kms_key, key or DEFAULT_KEY)


def _failed(region: _Region, message: str, *, adopted: bool, force: bool) -> Step | str:
    attempt = region.attempt
    if region.there is None:
        return Step.ASK
    retries = advice_for(message, force=force).retries
    if retries is not None and not attempt.replicated:
        # A replica that had already failed before this run is retried once: the cause may be gone.
        retries = max(1, retries)
    exhausted = retries is not None and attempt.repairs >= retries
    rejected = attempt.rejected is Step.REPLICATE
    if exhausted or (rejected and adopted):
        return advised(message, force=force)
    return Step.REMOVE if rejected else Step.REPLICATE


def _another_key(region: _Region, current: str, declared: str) -> Step | str:
    attempt = region.attempt
    if attempt.replicated:
        advice = "Check that KmsKeyId names a key in that Region, and redeploy."
        return f"has key {current} although {declared} was requested. {advice}"
    if region.there is None:
        return Step.ASK
    return Step.REMOVE if attempt.key_changed or attempt.rejected is Step.REPLICATE else Step.REPLICATE


def _dropped(region: _Region, desired: Desired) -> Step:
    claim, replica, there = region.claim, region.replica, region.there
    if claim and len(claim.owners) > 1:
        return Step.LEAVE
    if (claim and claim.origin is Origin.ADOPTED) or desired.policy is RemovalPolicy.RETAIN:
        return Step.UNTAG
    if there is None:
        return Step.ASK
    # A promoted secret is never removed: it may hold the only current value.
    if there is ReplicaState.STANDALONE:
        return Step.UNTAG
    if replica is None:
        return Step.WAIT if there is ReplicaState.REPLICA else Step.UNTAG
    if desired.policy is RemovalPolicy.PROMOTE and there is not ReplicaState.GONE:
        return _to_promote(region, in_sync=replica.status == IN_SYNC)
    return Step.WAIT if region.lagging else Step.REMOVE


def _to_promote(region: _Region, *, in_sync: bool) -> Step:
    rejected = region.attempt.rejected is Step.PROMOTE
    if region.there is ReplicaState.UNKNOWN:
        # Promotion is attempted anyway: a removal would lose the replica.
        return Step.UNTAG if region.attempt.promoted or rejected else Step.PROMOTE
    # The replica in the Region may be an earlier one on its way out, which has to go before this one can be promoted.
    return Step.WAIT if region.attempt.promoted or (rejected and not in_sync) else Step.PROMOTE


def _promoted(replica: SecretArn) -> str:
    return (
        "was promoted to a standalone secret, which may hold newer values than the primary, so it is not overwritten. "
        "To keep it, remove the Region from ReplicaRegions. To replicate to it again, save its value, delete it and "
        f"redeploy: {delete_command(replica.region, str(replica))}"
    )


def _owned_elsewhere(region: str, claim: Claim, arn: SecretArn) -> str:
    stack = claim.stack_name or claim.stack
    who = f"{' and '.join(claim.owners)} of stack {stack}" if claim.owners else stack
    return (
        f"belongs to {who}. Remove it there first; if that stack is gone, release it with: "
        f"aws secretsmanager untag-resource --region {arn.region} --secret-id {arn} --tag-keys {tag_key(region)}"
    )


def _too_many(owners: Sequence[str]) -> str:
    return (
        f"is declared by more resources of this stack than its tag can name: {', '.join(owners)}. "
        "Declare it in one of them only."
    )

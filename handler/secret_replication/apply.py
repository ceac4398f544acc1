"""Apply: a plan's steps as API calls, the tags always before the replicas, all Regions of a kind in one call."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from .advice import advised
from .attempts import Attempt
from .errors import RejectedError, SecretDeletedError, SecretNotFoundError
from .model import FAILED, Desired, Observed, ReplicaState, Step
from .ownership import Claim, Origin, tag_key
from .plan import Plan
from .ports import Log, SecretsManager


class Call(NamedTuple):
    """One API call: a step, and the Regions that share it. ``force`` is ForceOverwriteReplicaSecret."""

    step: Step
    regions: tuple[str, ...]
    force: bool = False


class Applier:
    """Carries out the plans of one run, and records in ``attempts`` what was done."""

    def __init__(self, aws: SecretsManager, desired: Desired, attempts: Mapping[str, Attempt], log: Log) -> None:
        self._aws, self._desired, self._attempts, self._log = aws, desired, attempts, log

    def apply(self, plan: Plan, observed: Observed, now: float) -> None:
        """Make the plan's calls.

        Raises:
            RejectedError: If AWS rejected a call for the second time.
            ReplicationError: If a call failed otherwise.
        """
        self._write_tags(plan, observed)
        rejected: dict[str, RejectedError] = {}
        for call in calls(plan, self._desired, observed):
            try:
                rejected |= self._make(call, observed, now)
            except (SecretNotFoundError, SecretDeletedError) as error:
                # The secret disappeared after it was observed. A replica that is gone cannot be promoted.
                if call.step is Step.PROMOTE:
                    self._attempts[call.regions[0]].note_rejected(call.step, error, now)
                return
        for region, rejection in rejected.items():
            keys = {"action": plan.steps[region].name, "region": region, "secret": str(observed.arn)}
            self._log.warning(f"{region}: {rejection}", **keys)
        final = {
            region: error
            for region, error in rejected.items()
            if self._attempts[region].note_rejected(plan.steps[region], error, now)
        }
        if final:
            raise RejectedError("; ".join(f"{r}: {advised(str(e), e.aws_message)}" for r, e in sorted(final.items())))

    def _write_tags(self, plan: Plan, observed: Observed) -> None:
        claims = new_claims(plan, self._desired, observed)
        if not claims:
            return
        try:
            self._aws.tag(observed.arn, {tag_key(region): claim.value for region, claim in claims.items()})
        except RejectedError as error:
            raise RejectedError(advised(str(error), error.aws_message)) from error
        for region, claim in claims.items():
            self._attempts[region].owners = claim.owners if claim.owned_by(self._desired.owner) else ()

    def _make(self, call: Call, observed: Observed, now: float) -> dict[str, RejectedError]:
        """Make one call, or one for each Region if AWS rejects the call for all. Returns the Regions it rejected."""
        if call.step is Step.REMOVE:
            for region in call.regions:
                # Set before the call: a replica that the call removes is not missing, even if its response is lost.
                self._attempts[region].added = False
        try:
            self._send(call, observed)
        except RejectedError as error:
            if len(call.regions) == 1:
                return {call.regions[0]: error}
            rejected: dict[str, RejectedError] = {}
            for region in call.regions:
                rejected |= self._make(Call(call.step, (region,), call.force), observed, now)
            return rejected
        for region in call.regions:
            self._note(call.step, region, observed, now)
        return {}

    def _send(self, call: Call, observed: Observed) -> None:
        primary = observed.arn
        match call.step:
            case Step.ADD | Step.REPLICATE:
                keys = {region: _key(region, self._desired, observed) for region in call.regions}
                self._aws.replicate(primary, keys, force=call.force)
            case Step.REMOVE:
                self._aws.remove(primary, call.regions)
            case Step.PROMOTE:
                self._aws.promote(primary.in_region(call.regions[0]))
            case Step.UNTAG:
                self._aws.untag(primary, [tag_key(region) for region in call.regions])

    def _note(self, step: Step, region: str, observed: Observed, now: float) -> None:
        attempt = self._attempts[region]
        match step:
            case Step.ADD:
                attempt.note_added(now)
            case Step.REPLICATE if observed.replicas[region].status == FAILED:
                attempt.note_repaired(now)
            case Step.REPLICATE:
                attempt.note_key_changed(now)
            case Step.REMOVE:
                attempt.note_removed(now)
            case Step.PROMOTE:
                attempt.promoted = True
            case Step.UNTAG:
                attempt.owners = ()


def calls(plan: Plan, desired: Desired, observed: Observed) -> Iterator[Call]:
    """The calls about replicas, in the order in which they are made. No step, no call."""
    for step in (Step.ADD, Step.REPLICATE):
        regions = plan.regions(step)
        forced = tuple(region for region in regions if desired.force and _may_be_overwritten(region, observed))
        if forced:
            yield Call(step, forced, force=True)
        if unforced := tuple(region for region in regions if region not in forced):
            yield Call(step, unforced)
    if removed := tuple(plan.regions(Step.REMOVE)):
        yield Call(Step.REMOVE, removed)
    for region in plan.regions(Step.PROMOTE):
        yield Call(Step.PROMOTE, (region,))
    if untagged := tuple(plan.regions(Step.UNTAG)):
        yield Call(Step.UNTAG, untagged)


def _may_be_overwritten(region: str, observed: Observed) -> bool:
    """Only a Region that was asked, and that has nothing at the replica's ARN: neither a replica nor a promoted one."""
    return observed.in_region.get(region) is ReplicaState.GONE


def new_claims(plan: Plan, desired: Desired, observed: Observed) -> dict[str, Claim]:
    """The tags to write, by Region: those that are not yet as the plan wants them."""
    claims = {}
    owner = desired.owner
    for region, step in sorted(plan.steps.items()):
        held = observed.claims.get(region)
        if step is Step.ADD and held is None:
            claims[region] = Claim.by(owner, Origin.CREATED, observed.arn.region)
        elif step is Step.ADD and held and held.origin is Origin.ADOPTED:
            # The replica that was adopted is gone; the one that takes its place is this stack's.
            claims[region] = replace(held, origin=Origin.CREATED)
        elif step is Step.ADOPT:
            claims[region] = Claim.by(owner, Origin.ADOPTED, observed.arn.region)
        elif held and step is Step.JOIN:
            claims[region] = held.joined_by(owner)
        elif held and step is Step.LEAVE:
            claims[region] = held.left_by(owner)
    return claims


def _key(region: str, desired: Desired, observed: Observed) -> str | None:
    """The key to replicate with. An adopted replica is repaired with its current key, which is not ours to change."""
    claim, replica = observed.claims.get(region), observed.replicas.get(region)
    if claim and replica and claim.origin is Origin.ADOPTED:
        return replica.kms_key
    return desired.replicas[region]

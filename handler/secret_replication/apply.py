"""Apply: a plan's steps as calls, the tag always before the replica, all Regions of a kind in one call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace

from .ownership import Claim, Origin, tag_key
from .plan import Plan, Step
from .ports import SecretsManager
from .situation import Desired, Observed

_TAGGED = (Step.ADD, Step.ADOPT, Step.TAKE_OVER, Step.HAND_BACK, Step.LET_GO, Step.REPLICATE, Step.RECORD)


@dataclass(frozen=True, slots=True)
class Call:
    """One call for some Regions. ``step`` is None for the call that writes the tags."""

    step: Step | None
    regions: tuple[str, ...]
    make: Callable[[], None]


def calls(
    aws: SecretsManager, plan: Plan, desired: Desired, observed: Observed, alone: Collection[str] = ()
) -> Iterator[Call]:
    """The plan's calls, in the order in which they are to be made. No step, no call.

    Args:
        aws: Secrets Manager.
        plan: the steps.
        desired: what they lead to.
        observed: what they were planned from.
        alone: Regions that get a call of their own, because a call for several was refused.
    """
    primary = observed.arn
    if claims := _new_claims(plan, desired, observed):
        tags = {tag_key(region): claim.value for region, claim in claims.items()}
        yield Call(None, tuple(claims), lambda: aws.tag(primary, tags))
    for step in (Step.ADD, Step.REPLICATE):
        for regions in _grouped(plan.regions(step), alone):
            keys = {region: _key(region, desired, observed) for region in regions}
            yield Call(step, regions, lambda keys=keys: aws.replicate(primary, keys, force=desired.force))  # type: ignore[misc]
    if removing := tuple(plan.regions(Step.REMOVE)):
        yield Call(Step.REMOVE, removing, lambda: aws.remove(primary, removing))
    for region in plan.regions(Step.PROMOTE):
        yield Call(Step.PROMOTE, (region,), lambda region=region: aws.promote(primary.in_region(region)))  # type: ignore[misc]
    if untagging := tuple(plan.regions(Step.UNTAG)):
        yield Call(Step.UNTAG, untagging, lambda: aws.untag(primary, [tag_key(region) for region in untagging]))


def _grouped(regions: list[str], alone: Collection[str]) -> Iterator[tuple[str, ...]]:
    if together := tuple(region for region in regions if region not in alone):
        yield together
    yield from ((region,) for region in regions if region in alone)


def _key(region: str, desired: Desired, observed: Observed) -> str | None:
    """The key to replicate with. An adopted replica is repaired with the one that it has: it is not ours to re-key."""
    claim, replica = observed.claims.get(region), observed.replicas.get(region)
    if claim and replica and claim.origin is Origin.ADOPTED:
        return replica.kms_key
    return desired.replicas[region]


def _new_claims(plan: Plan, desired: Desired, observed: Observed) -> dict[str, Claim]:
    new = {}
    for region in plan.regions(*_TAGGED):
        held = observed.claims.get(region)
        claim = _new_claim(region, plan.steps[region], held, desired, observed)
        # A replica that went away and is added again is tagged already.
        if held is None or held.value != claim.value:
            new[region] = claim
    return new


def _new_claim(region: str, step: Step, held: Claim | None, desired: Desired, observed: Observed) -> Claim:
    if held is None:
        held = Claim(Origin.ADOPTED, observed.arn.region, desired.owner)
    if step is Step.ADOPT:
        return held.given(desired.replicas[region])
    if step is Step.ADD:
        return replace(held, origin=Origin.CREATED).given(desired.replicas[region])
    if step is Step.TAKE_OVER:
        return replace(held, owner=desired.owner, taken_from=held.owner.logical_id)
    if step is Step.HAND_BACK:
        return replace(held, owner=replace(held.owner, logical_id=held.taken_from), taken_from="")
    if step is Step.LET_GO:
        return replace(held, taken_from="")
    if step is Step.RECORD:
        return held.given(desired.replicas[region])
    if step is Step.REPLICATE:
        return held.being_given(desired.replicas[region], observed.replicas[region].kms_key)
    return held

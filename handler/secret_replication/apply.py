"""Apply: carry out a plan's steps, the tag always before the replica, all Regions of a kind in one call."""

from __future__ import annotations

from .errors import SecretNotFoundError
from .ownership import Claim, Origin, tag_key
from .plan import Desired, Observed, Plan, Step
from .ports import SecretsManager


def apply(aws: SecretsManager, plan: Plan, desired: Desired, observed: Observed) -> None:
    """Make the plan's calls: tag, replicate, remove, promote, untag. No step, no call.

    Raises:
        RefusedError: AWS refused a call; the calls before it were made.
    """
    primary = observed.arn
    tags = {tag_key(region): claim.value for region, claim in _new_claims(plan, desired, observed).items()}
    if tags:
        aws.tag(primary, tags)
    if adding := plan.regions(Step.ADD, Step.REPLICATE):
        aws.replicate(primary, {region: desired.replicas[region] for region in adding}, force=desired.force)
    if removing := plan.regions(Step.REMOVE):
        aws.remove(primary, removing)
    for region in plan.regions(Step.PROMOTE):
        try:
            aws.promote(primary.in_region(region))
        except SecretNotFoundError:
            continue  # It went away meanwhile; the next look at it tells.
    if untagging := plan.regions(Step.UNTAG):
        aws.untag(primary, [tag_key(region) for region in untagging])


def _new_claims(plan: Plan, desired: Desired, observed: Observed) -> dict[str, Claim]:
    new = {}
    for region in plan.regions(Step.ADD, Step.ADOPT, Step.TAKE_OVER):
        held, step = observed.claims.get(region), plan.steps[region]
        if step is Step.ADD:
            origin = Origin.CREATED
        elif held:
            origin = held.origin
        else:
            origin = Origin.ADOPTED
        claim = Claim(origin, observed.arn.region, desired.owner)
        if not (held and held.owner.same_resource(claim.owner) and held.origin is claim.origin):
            new[region] = claim
    return new

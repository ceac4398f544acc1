"""Outcome: why a run has not come to its end, in words that name every Region."""

from __future__ import annotations

from .errors import NotOursError, ReplicaFailedError, ReplicationError
from .plan import Plan, Step
from .ports import FAILED
from .reasons import advised, of_regions
from .situation import Desired, Observed


def failure(steps: Plan, desired: Desired, observed: Observed) -> ReplicationError:
    """What cannot become true, and beside it what has failed though it might yet heal."""
    reasons = _failed(desired, observed) | {region: steps.reasons[region] for region in steps.regions(Step.FAIL)}
    held = [observed.claims[region] for region in steps.regions(Step.FAIL) if region in observed.claims]
    foreign = any(not claim.owner.same_stack(desired.owner) for claim in held)
    return NotOursError(of_regions(reasons)) if foreign else ReplicaFailedError(of_regions(reasons))


def overdue(waited: float, desired: Desired, observed: Observed | None) -> str:
    """What every Region is like at the deadline, after ``waited`` seconds, and what to do about what has failed."""
    began = f"not finished after {waited:.0f} s"
    if observed is None:
        return began
    regions = sorted({*desired.replicas, *observed.ours(desired.owner)})
    states = "; ".join(f"{region} {observed.state(region)}" for region in regions)
    return f"{began}: {states}. {of_regions(_failed(desired, observed))}".rstrip(" .")


def _failed(desired: Desired, observed: Observed) -> dict[str, str]:
    listed = {region: observed.replicas[region] for region in desired.replicas if region in observed.replicas}
    return {
        region: advised(replica.message, force=desired.force)
        for region, replica in listed.items()
        if replica.status == FAILED
    }

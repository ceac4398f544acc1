"""Reconcile: observe, plan, apply, wait, until nothing is left to do or the deadline passes."""

from __future__ import annotations

from collections import defaultdict

from .advice import advised, of_regions
from .apply import Applier
from .attempts import Attempt
from .clock import LAG, Deadline, Persistence
from .errors import (
    AccessDeniedError,
    DeadlineError,
    NotOwnedError,
    ReplicaFailedError,
    ReplicationError,
    SupersededError,
    ThrottledError,
)
from .model import FAILED, IN_SYNC, Desired, Observed, ReplicaState, Step
from .observe import Observer
from .plan import Plan, plan
from .ports import Log, SecretsManager

# If a plan holds nothing but these, the next round would only confirm it.
_FINAL = {Step.NOTHING, Step.UNTAG}


class Reconciler:
    """One run for one resource. ``observed``: the last observation. ``unverified``: Regions that did not respond."""

    def __init__(self, aws: SecretsManager, desired: Desired, deadline: Deadline, log: Log) -> None:
        self._aws, self._desired, self._deadline, self._log = aws, desired, deadline, log
        self._attempts: defaultdict[str, Attempt] = defaultdict(Attempt)
        self._observer = Observer(aws, desired, deadline.clock)
        self._applier = Applier(aws, desired, self._attempts)
        clock = deadline.clock
        self._second_look = Persistence(clock, LAG)
        self._lost_tags = Persistence(clock, LAG)
        self._no_response = Persistence(clock, deadline.grace)
        self._denied = Persistence(clock, deadline.grace)
        self._rest = 0.0
        self.observed: Observed | None = None
        self.unverified: set[str] = set()

    def run(self) -> Observed:
        """Make what is declared true.

        Returns:
            What was observed when nothing was left to do.

        Raises:
            ReplicationError: If it cannot become true, or did not before the deadline.
        """
        while True:
            growth = 1.0
            try:
                if self._round() and self.observed:
                    return self.observed
                self._denied.clear()
                self._observer.forget()
            except ReplicationError as error:
                # botocore has waited already, at random.
                growth = 0.0 if isinstance(error, ThrottledError) else 0.5
                self._raise_if_final(error)
            if self._deadline.passed:
                raise DeadlineError(self._overdue())
            self._deadline.pause(self._rest, growth=growth)

    def _raise_if_final(self, error: ReplicationError) -> None:
        if not error.retryable:
            raise error
        if isinstance(error, AccessDeniedError) and self._denied.holds():
            raise AccessDeniedError(advised(str(error), error.aws_message)) from error
        if self._deadline.passed:
            raise type(error)(f"{error}. {self._overdue()}") from error

    def _round(self) -> bool:
        """One observation and what follows from it. True if nothing is left to do."""
        self._rest = 0.0
        # A name is resolved once: the secret may be deleted and made again under it.
        self.observed = self._observer.observe(self.observed.arn if self.observed else self._desired.secret)
        if not self._check_still_owned(self.observed):
            return False
        steps, self.observed = self._plan(self.observed)
        if not self._regions_respond(self.observed):
            return False
        if steps.waits:
            return steps.done
        if self._needs_second_look(steps, self.observed):
            self._rest = LAG
            return False
        if steps.regions(Step.FAIL):
            raise self._failure(steps, self.observed)
        self._log_plan(steps, self.observed)
        complete = self._applier.apply(steps, self.observed, self._deadline.clock.now())
        return complete and set(steps.steps.values()) <= _FINAL

    def _plan(self, observed: Observed) -> tuple[Plan, Observed]:
        """Plan, and ask the Regions on which the plan depends, until it depends on none."""
        while True:
            steps = plan(self._desired, observed, self._attempts, self._deadline.clock.now())
            if not (unasked := steps.regions(Step.ASK)):
                return steps, observed
            observed = self._observer.ask(observed, unasked)

    def _regions_respond(self, observed: Observed) -> bool:
        """Whether the Regions that were asked responded, or have not for so long that the plan goes on without them."""
        if not observed.in_region:
            return True
        unknown = ReplicaState.UNKNOWN in observed.in_region.values()
        return self._no_response.holds(unknown) or not unknown

    def _check_still_owned(self, observed: Observed) -> bool:
        """Whether what this run tagged and added is still there. Otherwise its own Delete may have come (P4).

        Raises:
            SupersededError: If it has been missing for some seconds: nothing may be added again.
        """
        for region in observed.owned:
            self._attempts[region].owners = observed.claims[region].owners
        lost = [region for region in self._desired.replicas if self._is_lost(region, observed)]
        if not lost:
            self._lost_tags.clear()
            return True
        if not self._lost_tags.holds(lost):
            return False
        # Between the tag and the call, a Delete may have seen nothing to remove: what this run added, it removes.
        added = [r for r in lost if self._attempts[r].added and r in observed.replicas and r not in observed.claims]
        if added:
            for region in added:
                self._log_step(region, Step.REMOVE)
            self._aws.remove(observed.arn, added)
        raise SupersededError(
            f"what this run added to {', '.join(sorted(lost))}, or the tag that records it, has disappeared: this "
            "resource was deleted, or another resource or person changed it, during the deployment"
        )

    def _is_lost(self, region: str, observed: Observed) -> bool:
        attempt, claim = self._attempts[region], observed.claims.get(region)
        if attempt.added and region not in observed.replicas:
            return True
        if not attempt.owners or region in observed.owned:
            return False
        # A new owner that wrote the tag at the same moment has overwritten ours; then this resource joins again.
        return claim is None or claim.stack != self._desired.owner.stack or set(claim.owners) <= set(attempt.owners)

    def _needs_second_look(self, steps: Plan, observed: Observed) -> bool:
        """Whether to observe once more before a replica is taken away, or a failure is reported.

        An observation can lag (F25), and a resource that shares a replica may be running at the same time.
        """
        failing = steps.regions(Step.FAIL)
        settling = [region for region in self._desired.replicas if observed.describe(region) not in (IN_SYNC, FAILED)]
        others = failing and set(settling) - set(failing)
        taking = steps.regions(Step.REMOVE, Step.PROMOTE)
        finding = (failing if others else [], taking)
        return any(finding) and not self._second_look.holds(finding)

    def _failure(self, steps: Plan, observed: Observed) -> ReplicationError:
        """The Regions that cannot become right, and beside them those that have failed but may yet heal."""
        failing = steps.regions(Step.FAIL)
        reasons = self._failed(observed) | {region: steps.reasons[region] for region in failing}
        held = [observed.claims[region] for region in failing if region in observed.claims]
        foreign = any(claim.stack != self._desired.owner.stack for claim in held)
        return (NotOwnedError if foreign else ReplicaFailedError)(of_regions(reasons))

    def _overdue(self) -> str:
        """Every Region's status at the deadline, and what to do about those that have failed."""
        began = f"not finished after {self._deadline.waited:.0f} s"
        if self.observed is None:
            return began
        regions = sorted({*self._desired.replicas, *self.observed.owned})
        states = "; ".join(f"{region} {self.observed.describe(region)}" for region in regions)
        return f"{began}: {states}. {of_regions(self._failed(self.observed))}".rstrip(" .")

    def _failed(self, observed: Observed) -> dict[str, str]:
        listed = {region: observed.replicas[region] for region in self._desired.replicas if region in observed.replicas}
        return {
            region: advised(replica.message, force=self._desired.force)
            for region, replica in listed.items()
            if replica.status == FAILED
        }

    def _log_plan(self, steps: Plan, observed: Observed) -> None:
        for region, step in steps.steps.items():
            if step not in (Step.NOTHING, Step.WAIT):
                self._log_step(region, step)
            if step is Step.UNTAG and observed.in_region.get(region) is ReplicaState.UNKNOWN:
                self.unverified.add(region)
                text = f"{region}: no response from there, could not verify that the replica is gone"
                self._log.warning(text, action=step.name, region=region, secret=str(observed.arn))

    def _log_step(self, region: str, step: Step) -> None:
        secret = str(self.observed.arn) if self.observed else ""
        self._log.info(f"{region}: {step.value}", action=step.name, region=region, secret=secret)

"""Reconcile: observe, plan, apply, wait, until nothing is left to do or the deadline passes."""

from __future__ import annotations

from collections import defaultdict

from .advice import advised, is_about_a_key, of_regions
from .apply import Applier, calls
from .attempts import Attempt
from .clock import ACCESS_GRACE, KEY_GRACE, LAG, Deadline, Persistence
from .errors import (
    AccessDeniedError,
    DeadlineError,
    NotOwnedError,
    ReplicaFailedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
)
from .model import FAILED, Desired, Observed, ReplicaState, Step
from .observe import Observer
from .plan import Plan, plan
from .ports import Log, SecretsManager
from .watch import Watch

_WARNINGS = {
    ReplicaState.UNKNOWN: "the Region did not respond, so the replica may still exist",
    ReplicaState.STANDALONE: "was promoted to a standalone secret, which stays there; delete it if you do not need it",
}


class Reconciler:
    """One run for one resource.

    Attributes:
        first, observed: the first and the last observation; None before it.
        unverified: dropped Regions that could not be asked whether the replica is gone.
        only_tags_left: nothing is left to do but to remove tags.
    """

    def __init__(self, aws: SecretsManager, desired: Desired, deadline: Deadline, log: Log) -> None:
        self._aws, self._desired, self._deadline, self._log = aws, desired, deadline, log
        self._attempts: defaultdict[str, Attempt] = defaultdict(Attempt)
        self._observer = Observer(aws, desired, deadline.clock)
        self._applier = Applier(aws, desired, self._attempts, log)
        clock = deadline.clock
        self._watch = Watch(aws, desired, self._attempts, self._observer, log, clock)
        self._second_look, self._no_response, self._error = (Persistence(clock) for _ in range(3))
        self._rest = 0.0
        self.first: Observed | None = None
        self.observed: Observed | None = None
        self.unverified: set[str] = set()
        self.only_tags_left = False

    def run(self) -> Observed:
        """Make AWS match the declaration.

        Returns:
            What was observed when nothing was left to do.

        Raises:
            ReplicationError: If that is impossible, or took longer than the deadline.
        """
        while True:
            growth = 1.0
            try:
                if self._round() and self.observed:
                    return self.observed
                self._error.clear()
                self._observer.forget()
            except ReplicationError as error:
                # botocore has waited already, at random.
                growth = 0.0 if isinstance(error, ThrottledError) else 0.5
                self._raise_if_final(error)
                secret = str(self.observed.arn if self.observed else self._desired.secret)
                self._log.warning(f"will retry: {error}", action="RETRY", region="", secret=secret)
            if self._deadline.passed:
                raise DeadlineError(self._overdue())
            self._deadline.pause(self._rest, growth=growth)

    def _raise_if_final(self, error: ReplicationError) -> None:
        # The secret may have been made or restored moments ago (F25).
        gone = isinstance(error, (SecretNotFoundError, SecretDeletedError))
        if gone and not self._error.holds(error.code, self._deadline.grace(LAG)):
            self._rest = LAG
            return
        if not error.retryable:
            raise error
        if isinstance(error, AccessDeniedError):
            seconds = KEY_GRACE if is_about_a_key(error.aws_message) else ACCESS_GRACE
            if self._error.holds(error.code, self._deadline.grace(seconds)):
                raise AccessDeniedError(advised(str(error), error.aws_message)) from error
        if self._deadline.passed:
            raise type(error)(f"{error}. {self._overdue()}") from error

    def _round(self) -> bool:
        """One observation and what follows from it. True if nothing is left to do."""
        self._rest = 0.0
        # A name is resolved once: the secret may be deleted and recreated under the same name.
        self.observed = self._observer.observe(self.observed.arn if self.observed else self._desired.secret)
        self.first = self.first or self.observed
        if not self._watch.still_owned(self.observed):
            return False
        steps, self.observed = self._plan(self.observed)
        if not self._regions_respond(self.observed):
            return False
        if steps.waits and self._desired.replicas:
            return steps.done
        if self._may_miss_tags(steps, self.observed) or self._needs_second_look(steps, self.observed):
            self._rest = LAG
            return False
        if steps.waits:
            return steps.done
        if steps.regions(Step.FAIL):
            raise self._failure(steps, self.observed)
        self.only_tags_left = set(steps.steps.values()) <= {Step.NOTHING, Step.UNTAG}
        self._log_plan(steps, self.observed)
        self._applier.apply(steps, self.observed, self._deadline.clock.now())
        if steps.regions(Step.ADOPT, Step.JOIN, Step.LEAVE, Step.UNTAG):
            # Whatever reads next, such as a rollback or another owner's Delete, must not read the old tag.
            self._rest = LAG
        return False

    def _plan(self, observed: Observed) -> tuple[Plan, Observed]:
        """Plan, and ask the Regions on which the plan depends, until it depends on none."""
        while True:
            steps = plan(self._desired, observed, self._attempts, self._deadline.clock.now())
            if not (unasked := steps.regions(Step.ASK)):
                return steps, observed
            observed = self._observer.ask(observed, unasked)

    def _regions_respond(self, observed: Observed) -> bool:
        """Whether the Regions that were asked responded, or have been silent for so long that the run goes on."""
        if not observed.in_region:
            return True
        unknown = ReplicaState.UNKNOWN in observed.in_region.values()
        return self._no_response.holds(unknown, self._deadline.grace(ACCESS_GRACE)) or not unknown

    def _may_miss_tags(self, steps: Plan, observed: Observed) -> bool:
        """Whether the plan depends on a tag that was written or removed shortly before this run began (F25)."""
        added = [region for region in steps.regions(Step.ADD) if region in observed.claims]
        found_nothing = steps.done and not self._desired.replicas
        depends = added or found_nothing or steps.regions(Step.JOIN, Step.LEAVE, Step.UNTAG)
        return bool(depends) and self._deadline.waited < self._deadline.grace(LAG)

    def _needs_second_look(self, steps: Plan, observed: Observed) -> bool:
        """Whether to observe once more before a replica is taken away, a secret overwritten, or a failure reported.

        An observation can lag (F25), and a resource that shares a replica may be running at the same time.
        """
        forced = self._desired.force and [c.regions for c in calls(steps, self._desired, observed) if c.force]
        finding = (steps.regions(Step.FAIL), steps.regions(Step.REMOVE, Step.PROMOTE), forced)
        return any(finding) and not self._second_look.holds(finding, LAG)

    def _failure(self, steps: Plan, observed: Observed) -> ReplicationError:
        """The error for the Regions that cannot become right. It also names those that have failed but may heal."""
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
        return ". ".join(filter(None, (f"{began}: {states}", of_regions(self._failed(self.observed)))))

    def _failed(self, observed: Observed) -> dict[str, str]:
        listed = [observed.replicas[region] for region in self._desired.replicas if region in observed.replicas]
        force = self._desired.force
        return {one.region: advised(one.message, force=force) for one in listed if one.status == FAILED}

    def _log_plan(self, steps: Plan, observed: Observed) -> None:
        secret = str(observed.arn)
        for region, step in steps.steps.items():
            if step not in (Step.NOTHING, Step.WAIT):
                replica = observed.replicas.get(region)
                why = f": {replica.message}" if replica and replica.status == FAILED else ""
                self._log.info(f"{region}: {step.value}{why}", action=step.name, region=region, secret=secret)
            there = observed.in_region.get(region)
            if step is Step.UNTAG and there in _WARNINGS and not self._attempts[region].promoted:
                self.unverified |= {region} if there is ReplicaState.UNKNOWN else set()
                text = f"{region}: {_WARNINGS[there]}"
                self._log.warning(text, action=step.name, region=region, secret=secret)

"""Reconcile: observe, plan, apply, wait, until nothing is left to do or the deadline comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .apply import apply
from .errors import (
    AccessDeniedError,
    DeadlineError,
    NotOursError,
    RefusedError,
    ReplicaFailedError,
    SupersededError,
    UnavailableError,
    joined,
)
from .observe import observe
from .plan import Desired, Elsewhere, Observed, Plan, Step, Tried, plan
from .ports import FAILED, Log, SecretsManager
from .wait import Patience

# IAM is eventually consistent: a right given moments ago may not work for this long.
ACCESS_GRACE = 60.0
# The rest between two repairs of a Failed replica, doubled each time up to the longest.
_FIRST_REST = 2.0
_LONGEST_REST = 30.0


class Reconciler:
    """One run for one resource. ``observed`` is the last look; it tells a failing run's answer what was true."""

    def __init__(
        self, aws: SecretsManager, desired: Desired, patience: Patience, log: Log, known: Callable[[str], None]
    ) -> None:
        self._log = log
        self._known = known
        self._aws = aws
        self._desired = desired
        self._patience = patience
        self._tried: dict[str, Tried] = {}
        self._rest_until: dict[str, float] = {}
        self._claimed: set[str] = set()
        self._added: set[str] = set()
        self._denied_since: float | None = None
        self._refused_before = False
        self._lost_before = False
        self.observed: Observed | None = None

    @property
    def physical_id(self) -> str:
        """The primary's ARN, empty until it was seen."""
        return str(self.observed.arn) if self.observed else ""

    def run(self, secret_id: str) -> Observed:
        """Make ``desired`` true of the secret.

        Returns:
            What was observed when nothing was left to do.

        Raises:
            ReplicationError: it cannot become true, or did not within the time.
        """
        while True:
            try:
                if self._round(secret_id) and self.observed:
                    return self.observed
            except (AccessDeniedError, UnavailableError) as error:
                self._outlast(error)
            else:
                self._denied_since = None
            if self._patience.over:
                raise DeadlineError(self._overdue())
            self._patience.pause()

    def _round(self, secret_id: str) -> bool:
        """One look and what follows from it. True when nothing is left to do."""
        # A name is looked up once: the secret may be deleted and made again under it.
        observed = self.observed = observe(self._aws, self.physical_id or secret_id, self._desired)
        self._known(self.physical_id)
        if self._superseded(observed):
            return False
        now = self._patience.clock.now()
        tried = {
            region: replace(known, resting=now < self._rest_until.get(region, now))
            for region, known in self._tried.items()
        }
        steps = plan(self._desired, observed, tried)
        if steps.done:
            return True
        if steps.regions(Step.FAIL):
            raise self._failure(steps, observed)
        self._tell(steps, observed)
        # Remembered before the calls: a crash between two of them must not make this run forget what it did.
        self._remember(steps, observed)
        try:
            apply(self._aws, steps, self._desired, observed)
        except RefusedError as error:
            self._refused(steps, observed, error)
            return False
        # When all that was left was to untag, the next look would only confirm it.
        return set(steps.steps.values()) <= {Step.NOTHING, Step.UNTAG}

    def _tell(self, steps: Plan, observed: Observed) -> None:
        for region, step in steps.steps.items():
            if step not in (Step.NOTHING, Step.WAIT):
                self._log.info(step.value, action=step.name, region=region, secret=str(observed.arn))
            if step is Step.UNTAG and observed.elsewhere.get(region) is Elsewhere.UNVERIFIED:
                self._log.warning("access denied there: could not verify that the replica is gone", region=region)

    def _remember(self, steps: Plan, observed: Observed) -> None:
        self._claimed |= set(steps.regions(Step.ADD, Step.ADOPT, Step.TAKE_OVER))
        self._claimed |= {r for r, c in observed.claims.items() if c.owner.same_resource(self._desired.owner)}
        self._added |= set(steps.regions(Step.ADD))
        for region in steps.regions(Step.REPLICATE):
            replica, known = observed.replicas[region], self._tried.get(region, Tried())
            if replica.status == FAILED:
                self._tried[region] = replace(known, retries=known.retries + 1)
                rest = min(_LONGEST_REST, _FIRST_REST * 2**known.retries)
                self._rest_until[region] = self._patience.clock.now() + rest
            else:
                self._tried[region] = replace(known, rekeyed_from=replica.kms_key)
        for region in steps.regions(Step.REMOVE):
            self._tried[region] = replace(self._tried.get(region, Tried()), refused=False, removed=True)

    def _refused(self, steps: Plan, observed: Observed, error: RefusedError) -> None:
        """AWS said no. An entry in the way is removed first (U1 to U3); any other no is final when said twice."""
        in_the_way = [region for region in steps.regions(Step.REPLICATE) if region in observed.replicas]
        for region in in_the_way:
            self._tried[region] = replace(self._tried[region], refused=True)
        if not in_the_way:
            if self._refused_before:
                raise error
            self._refused_before = True

    def _superseded(self, observed: Observed) -> bool:
        """A Delete removes the tags, so a Create that still runs sees its own gone: it must not add again (P4).

        A single look may be stale; the second one in a row is believed.
        """
        held = {r for r, c in observed.claims.items() if c.owner.same_resource(self._desired.owner)}
        lost = (self._claimed & set(self._desired.replicas)) - held
        if not lost or not self._lost_before:
            self._lost_before = bool(lost)
            return bool(lost)
        # Between the tag and the call a Delete can have seen nothing to remove: what this run added, it takes back.
        if strays := sorted(r for r in lost & self._added if r in observed.replicas and r not in observed.claims):
            self._aws.remove(observed.arn, strays)
        raise SupersededError(
            f"the tags that record {', '.join(sorted(lost))} as this resource's are gone: "
            "a Delete of it, or another resource, came meanwhile"
        )

    def _failure(self, steps: Plan, observed: Observed) -> NotOursError | ReplicaFailedError:
        foreign = [
            region
            for region in steps.regions(Step.FAIL)
            if (claim := observed.claims.get(region)) and not claim.owner.same_stack(self._desired.owner)
        ]
        failures = joined(f"{region}: {steps.reasons[region]}" for region in steps.regions(Step.FAIL))
        return NotOursError(failures) if foreign else ReplicaFailedError(failures)

    def _outlast(self, error: AccessDeniedError | UnavailableError) -> None:
        """Let pass what heals by itself: a new right for a minute, an outage until the deadline."""
        now = self._patience.clock.now()
        if isinstance(error, AccessDeniedError):
            self._denied_since = now if self._denied_since is None else self._denied_since
            if now - self._denied_since >= ACCESS_GRACE:
                raise error
        if self._patience.over:
            raise error

    def _overdue(self) -> str:
        waited = f"not finished after {self._patience.waited:.0f} s"
        if not self.observed:
            return waited
        return f"{waited}: {joined(self._state(region, self.observed) for region in self._regions(self.observed))}"

    def _regions(self, observed: Observed) -> set[str]:
        ours = {r for r, c in observed.claims.items() if c.owner.same_resource(self._desired.owner)}
        return set(self._desired.replicas) | ours

    def _state(self, region: str, observed: Observed) -> str:
        replica = observed.replicas.get(region)
        if replica:
            return f"{region} {replica.status}{f' ({replica.message})' if replica.message else ''}"
        there = observed.elsewhere.get(region)
        return f"{region} {'still being removed' if there is Elsewhere.REPLICA else 'absent'}"

"""Reconcile: observe, plan, apply, wait, until nothing is left to do or the deadline comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from .apply import Call, calls
from .errors import (
    AccessDeniedError,
    DeadlineError,
    NotOursError,
    RefusedError,
    ReplicaFailedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    SupersededError,
    joined,
)
from .observe import observe
from .plan import Plan, Step, plan
from .ports import FAILED, Log, SecretsManager
from .reasons import is_about_a_key
from .situation import Desired, Elsewhere, Observed, Tried
from .wait import Patience

# IAM is eventually consistent: a right given moments ago may not work for this long.
ACCESS_GRACE = 60.0
# A look can be stale: what it says against us is believed when it still says so after this long.
_STALE = 5.0
# The rest between two repairs of a Failed replica, doubled each time up to the longest.
_FIRST_REST = 2.0
_LONGEST_REST = 30.0


class Reconciler:
    """One run for one resource. What it remembers is what it has done, and it is gone with the run."""

    def __init__(
        self, aws: SecretsManager, desired: Desired, patience: Patience, log: Log, known: Callable[[str], None]
    ) -> None:
        self._aws, self._desired, self._patience, self._log, self._known = aws, desired, patience, log, known
        self._tried: dict[str, Tried] = {}
        self._rest_until: dict[str, float] = {}
        self._claimed: set[str] = set()
        self._added: set[str] = set()
        self._fresh: set[str] = set()
        self._alone: set[str] = set()
        self._refusals: set[tuple[Step | None, tuple[str, ...]]] = set()
        self._since: dict[str, float] = {}
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
                self._since.pop("denied", None)
            except ReplicationError as error:
                if not error.retryable or self._patience.over:
                    raise
                if isinstance(error, AccessDeniedError) and not self._within("denied", ACCESS_GRACE):
                    raise
            if self._patience.over:
                raise DeadlineError(self._overdue())
            self._patience.pause()

    def _round(self, secret_id: str) -> bool:
        """One look and what follows from it. True when nothing is left to do."""
        # A name is looked up once: the secret may be deleted and made again under it.
        observed = observe(self._aws, self.physical_id or secret_id, self._desired, sure=self._fresh)
        self.observed = observed
        self._known(self.physical_id)
        if self._superseded(observed) or self._unverified(observed):
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
        carried_out = self._apply(steps, observed)
        # When all that was left was to take tags away, the next look would only confirm it.
        return carried_out and set(steps.steps.values()) <= {Step.NOTHING, Step.UNTAG, Step.HAND_BACK, Step.LET_GO}

    def _apply(self, steps: Plan, observed: Observed) -> bool:
        """Make the plan's calls. True when all of them were carried out."""
        for call in calls(self._aws, steps, self._desired, observed, self._alone):
            try:
                call.make()
            except (SecretNotFoundError, SecretDeletedError):
                return False  # It went away meanwhile; the next look tells what.
            except RefusedError as error:
                self._refused(call, error)
                return False
            self._remember(call, observed)
        return True

    def _remember(self, call: Call, observed: Observed) -> None:
        """Note what a call has done, once it was carried out."""
        if call.step is None:
            self._claimed |= set(call.regions) & set(self._desired.replicas)
            self._fresh |= {r for r in call.regions if r not in observed.replicas and r not in observed.claims}
        for region in call.regions:
            known = self._tried.get(region, Tried())
            if call.step is Step.ADD:
                self._added.add(region)
                self._tried[region] = replace(known, made=True)
            elif call.step is Step.REMOVE:
                self._added.discard(region)
                self._fresh.discard(region)
                self._tried[region] = replace(known, refused=False)
            elif call.step is Step.REPLICATE and observed.replicas[region].status == FAILED:
                self._tried[region] = replace(known, retries=known.retries + 1)
                rest = min(_LONGEST_REST, _FIRST_REST * 2**known.retries)
                self._rest_until[region] = self._patience.clock.now() + rest
            elif call.step is Step.REPLICATE:
                self._tried[region] = replace(known, rekeyed_from=observed.replicas[region].kms_key)

    def _refused(self, call: Call, error: RefusedError) -> None:
        """AWS said no: to several Regions, then each is asked for alone; to one, twice, then it is final.

        Where an entry is in the way (U1 to U3) it is removed first, unless the no is about a key: the new one's
        fault would take the good replica away.
        """
        if call.step in (Step.ADD, Step.REPLICATE) and len(call.regions) > 1:
            self._alone |= set(call.regions)
        elif call.step is Step.REPLICATE and not is_about_a_key(str(error)):
            (region,) = call.regions
            self._tried[region] = replace(self._tried.get(region, Tried()), refused=True)
        elif (call.step, call.regions) in self._refusals:
            raise error
        self._refusals.add((call.step, call.regions))

    def _superseded(self, observed: Observed) -> bool:
        """A Delete removes the tags, so a Create that still runs sees its own gone: it must not add again (P4)."""
        self._claimed |= set(observed.ours(self._desired.owner)) & set(self._desired.replicas)
        lost = self._claimed - set(observed.ours(self._desired.owner))
        if not lost:
            self._since.pop("lost", None)
            return False
        if self._within("lost", _STALE):
            return True
        # Between the tag and the call a Delete can have seen nothing to remove: what this run added, it takes back.
        if strays := sorted(r for r in lost & self._added if r in observed.replicas and r not in observed.claims):
            self._log.info(Step.REMOVE.value, action=Step.REMOVE.name, region=strays, secret=self.physical_id)
            self._aws.remove(observed.arn, strays)
        raise SupersededError(
            f"the tags that record {', '.join(sorted(lost))} as this resource's are gone: "
            "a Delete of it, or another resource, came meanwhile"
        )

    def _unverified(self, observed: Observed) -> bool:
        """Whether a replica Region does not answer, and may yet: a minute is how long that is hoped for."""
        if Elsewhere.UNVERIFIED in observed.elsewhere.values():
            return self._within("unverified", ACCESS_GRACE)
        self._since.pop("unverified", None)
        return False

    def _within(self, what: str, seconds: float) -> bool:
        """Whether it is less than ``seconds`` ago that this was first so."""
        now = self._patience.clock.now()
        return now - self._since.setdefault(what, now) < seconds

    def _tell(self, steps: Plan, observed: Observed) -> None:
        for region, step in steps.steps.items():
            if step not in (Step.NOTHING, Step.WAIT):
                self._log.info(step.value, action=step.name, region=region, secret=self.physical_id)
            if step is Step.UNTAG and observed.elsewhere.get(region) is Elsewhere.UNVERIFIED:
                self._log.warning("no answer from there: could not verify that the replica is gone", region=region)

    def _failure(self, steps: Plan, observed: Observed) -> ReplicationError:
        failing = steps.regions(Step.FAIL)
        reasons = joined(f"{region}: {steps.reasons[region]}" for region in failing)
        held = [observed.claims[region] for region in failing if region in observed.claims]
        foreign = any(not claim.owner.same_stack(self._desired.owner) for claim in held)
        return NotOursError(reasons) if foreign else ReplicaFailedError(reasons)

    def _overdue(self) -> str:
        waited, observed = f"not finished after {self._patience.waited:.0f} s", self.observed
        if not observed:
            return waited
        regions = set(self._desired.replicas) | set(observed.ours(self._desired.owner))
        return f"{waited}: {joined(f'{region} {observed.state(region)}' for region in regions)}"

"""Reconcile: observe, plan, apply, wait, until nothing is left to do or the deadline comes."""

from __future__ import annotations

from collections.abc import Callable

from .apply import calls
from .errors import (
    AccessDeniedError,
    DeadlineError,
    RefusedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    SupersededError,
    ThrottledError,
)
from .memory import STALE, Memory
from .observe import observe
from .outcome import failure, overdue
from .plan import Plan, Step, plan
from .ports import FAILED, IN_SYNC, Log, SecretsManager
from .reasons import advised
from .situation import Desired, Elsewhere, Observed
from .wait import Patience

# IAM is eventually consistent: a right given moments ago may not work for this long.
ACCESS_GRACE = 60.0
# When nothing but these was to do, the next look would only confirm it.
_ONLY_TAGS = {Step.NOTHING, Step.RECORD, Step.UNTAG, Step.HAND_BACK, Step.LET_GO}


class Reconciler:
    """One run for one resource.

    ``observed`` is its last look. ``unverified``: dropped Regions that could not be asked whether the replica is gone.
    """

    def __init__(
        self, aws: SecretsManager, desired: Desired, patience: Patience, log: Log, known: Callable[[str], None]
    ) -> None:
        self._aws, self._desired, self._patience, self._log, self._known = aws, desired, patience, log, known
        self._memory = Memory(patience.clock)
        self._since: dict[str, float] = {}
        self._rest = 0.0
        self.observed: Observed | None = None
        self.unverified: set[str] = set()

    @property
    def physical_id(self) -> str:
        """The primary's ARN, empty until it was seen."""
        return str(self.observed.arn) if self.observed else ""

    @property
    def _grace(self) -> float:
        """Seconds for what may yet heal: a minute, or half of the time where that is short."""
        return min(ACCESS_GRACE, (self._patience.deadline - self._patience.start) / 2)

    @property
    def waited(self) -> float:
        """Seconds since the run began."""
        return self._patience.waited

    def run(self, secret_id: str) -> Observed:
        """Make ``desired`` true of the secret.

        Returns:
            What was observed when nothing was left to do.

        Raises:
            ReplicationError: it cannot become true, or did not within the time.
        """
        while True:
            growth = 1.0
            try:
                if self._round(secret_id) and self.observed:
                    return self.observed
                self._since.pop("denied", None)
            except ReplicationError as error:
                # botocore has waited already, at random.
                growth = 0.0 if isinstance(error, ThrottledError) else 0.5
                if not error.retryable:
                    raise
                if isinstance(error, AccessDeniedError) and not self._within("denied", self._grace):
                    raise AccessDeniedError(advised(str(error), error.words)) from error
                if self._patience.over:
                    raise type(error)(f"{error}. {overdue(self.waited, self._desired, self.observed)}") from error
            if self._patience.over:
                raise DeadlineError(overdue(self.waited, self._desired, self.observed))
            self._patience.pause(self._rest, growth=growth)

    def _round(self, secret_id: str) -> bool:
        """One look and what follows from it. True when nothing is left to do."""
        self._rest = 0.0
        # A name is looked up once: the secret may be deleted and made again under it.
        observed = observe(self._aws, self.physical_id or secret_id, self._desired, sure=self._memory.fresh)
        first, self.observed = self.observed is None, observed
        if first:
            self._known(self.physical_id)
        if self._superseded(observed) or self._unverified(observed):
            return False
        steps = plan(self._desired, observed, self._memory.tried())
        if steps.done:
            return self._patience.clock.now() >= self._memory.settled_at
        if self._hesitates(steps, observed):
            # One more look decides, and not sooner.
            self._rest = STALE
            return False
        if steps.regions(Step.FAIL):
            raise failure(steps, self._desired, observed)
        self._tell(steps, observed)
        carried_out = self._apply(steps, observed)
        return carried_out and set(steps.steps.values()) <= _ONLY_TAGS

    def _apply(self, steps: Plan, observed: Observed) -> bool:
        """Make the plan's calls. True when all of them were carried out."""
        alone, final, complete = set(self._memory.alone), [], True
        for call in calls(self._aws, steps, self._desired, observed, alone):
            self._memory.begun(call)
            try:
                call.make()
            except (SecretNotFoundError, SecretDeletedError):
                self._memory.missed(call)
                return False  # It went away meanwhile; the next look tells what.
            except RefusedError as error:
                complete = False
                try:
                    self._memory.refused(call, error)
                except RefusedError as refusal:
                    final.append(str(refusal))
                if not alone.issuperset(call.regions):
                    break
            else:
                taken_over = call.step is None and bool(steps.regions(Step.TAKE_OVER))
                self._memory.carried_out(call, observed, taken_over=taken_over)
        if final:
            raise RefusedError("; ".join(final))
        return complete

    def _hesitates(self, steps: Plan, observed: Observed) -> bool:
        """Whether to look once more before something is taken away, or is said to have failed for good.

        A look can be stale, and a resource from which another takes a replica over may work at the same time.
        """
        taking = {step.name: steps.regions(step) for step in (Step.REMOVE, Step.PROMOTE) if steps.regions(step)}
        failing = steps.regions(Step.FAIL)
        others = [r for r in self._desired.replicas if r not in failing and observed.state(r) not in (IN_SYNC, FAILED)]
        if failing and others:
            return self._within(f"failing {failing}", STALE)
        return bool(taking) and self._within(f"taking {taking}", STALE)

    def _superseded(self, observed: Observed) -> bool:
        """A Create whose Delete comes meanwhile (P4) sees what it added, or its tags, gone: it must not add again."""
        ours = set(observed.ours(self._desired.owner))
        self._memory.claimed |= ours
        lost = (self._memory.claimed & set(self._desired.replicas)) - ours
        lost |= self._memory.added - set(observed.replicas)
        if not lost:
            self._since.pop("lost", None)
            return False
        if self._within("lost", STALE):
            return True
        # Between the tag and the call a Delete can have seen nothing to remove: what this run added, it takes back.
        if strays := sorted(
            r for r in lost & self._memory.added if r in observed.replicas and r not in observed.claims
        ):
            for region in strays:
                self._say(region, Step.REMOVE)
            self._aws.remove(observed.arn, strays)
        raise SupersededError(
            f"what this run added to {', '.join(sorted(lost))}, or the tag that records it, is gone: "
            "a Delete of this resource, another resource, or somebody by hand, came meanwhile"
        )

    def _unverified(self, observed: Observed) -> bool:
        """Whether a replica Region does not answer, and may yet: a minute is how long that is hoped for."""
        if Elsewhere.UNVERIFIED in observed.elsewhere.values():
            return self._within("unverified", self._grace)
        self._since.pop("unverified", None)
        return False

    def _within(self, what: str, seconds: float) -> bool:
        """Whether it is less than ``seconds`` ago that this was first so."""
        now = self._patience.clock.now()
        return now - self._since.setdefault(what, now) < seconds

    def _tell(self, steps: Plan, observed: Observed) -> None:
        for region, step in steps.steps.items():
            if step not in (Step.NOTHING, Step.WAIT):
                self._say(region, step)
            if step is Step.UNTAG and observed.elsewhere.get(region) is Elsewhere.UNVERIFIED:
                self.unverified.add(region)
                words = f"{region}: no answer from there, could not verify that the replica is gone"
                self._log.warning(words, action=step.name, region=region, secret=self.physical_id)

    def _say(self, region: str, step: Step) -> None:
        self._log.info(f"{region}: {step.value}", action=step.name, region=region, secret=self.physical_id)

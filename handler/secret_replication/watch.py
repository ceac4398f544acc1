"""Watch: whether what this run tagged and added still exists, or the resource's Delete arrived while it ran (P4)."""

from __future__ import annotations

from collections.abc import Mapping

from .attempts import Attempt
from .clock import LAG, Persistence
from .errors import SupersededError
from .model import Desired, Observed, ReplicaState, Step
from .observe import Observer
from .ports import Clock, Log, SecretsManager


class Watch:
    """Compares each observation with what this run has done."""

    def __init__(
        self,
        aws: SecretsManager,
        desired: Desired,
        attempts: Mapping[str, Attempt],
        observer: Observer,
        log: Log,
        clock: Clock,
    ) -> None:
        self._aws, self._desired, self._attempts, self._observer, self._log = aws, desired, attempts, observer, log
        self._lost = Persistence(clock)

    def still_owned(self, observed: Observed) -> bool:
        """Whether nothing is missing. If something is, observe again: DescribeSecret may lag (F25).

        Raises:
            SupersededError: If it has been missing for some seconds: nothing may be added again.
        """
        for region in observed.owned:
            self._attempts[region].owners = observed.claims[region].owners
        lost = [region for region in self._desired.replicas if self._is_lost(region, observed)]
        if not self._lost.holds(lost, LAG):
            return not lost
        self._remove_added(lost, observed)
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

    def _remove_added(self, lost: list[str], observed: Observed) -> None:
        """A Delete that ran between the tag and the call found nothing to remove, so this run removes what it added.

        A promoted secret in the Region is never removed. The call may have failed because of it, for example.
        """
        added = [r for r in lost if self._attempts[r].added and r in observed.replicas and r not in observed.claims]
        there = self._observer.ask(observed, added).in_region
        added = [region for region in added if there[region] is not ReplicaState.STANDALONE]
        for region in added:
            text = f"{region}: {Step.REMOVE.value}"
            self._log.info(text, action=Step.REMOVE.name, region=region, secret=str(observed.arn))
        if added:
            self._aws.remove(observed.arn, added)

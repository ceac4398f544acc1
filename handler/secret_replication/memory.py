"""What a run remembers: what it has carried out, and what was refused. It is gone with the run."""

from __future__ import annotations

from dataclasses import replace

from .apply import Call
from .errors import RefusedError
from .plan import Step
from .ports import FAILED, Clock
from .reasons import advised, is_about_a_key
from .situation import Observed, Tried

# The rest between two repairs of a Failed replica, doubled each time up to the longest.
_FIRST_REST = 2.0
_LONGEST_REST = 30.0
# A look can be stale: what it says against us is believed when it still says so after this long.
STALE = 5.0
# U1 to U3: how AWS may say that a Region is replicated already.
_IN_THE_WAY = ("InvalidParameterException", "InvalidRequestException")


def _is_in_the_way(error: RefusedError) -> bool:
    """Whether what is there may be why replicating over it is refused (U1 to U3), not the new key or a quota."""
    return error.words.startswith(_IN_THE_WAY) and not is_about_a_key(error.words)


class Memory:
    """Of calls that were carried out, never of those that were only planned: a call can fail.

    ``claimed``: Regions whose tag was ours. ``fresh``: those that this run was the first to tag and has not replicated
    to yet. ``added``: those to which it has. ``alone``: those that get a call of their own, because one for several was
    refused. ``settled_at``: when what was taken over can be believed to stay.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tried: dict[str, Tried] = {}
        self._rest_until: dict[str, float] = {}
        self._refusals: set[tuple[Step | None, tuple[str, ...]]] = set()
        self.claimed: set[str] = set()
        self.fresh: set[str] = set()
        self.added: set[str] = set()
        self.alone: set[str] = set()
        self.settled_at = clock.now()

    def tried(self) -> dict[str, Tried]:
        """What was tried for each Region, as of now."""
        now = self._clock.now()
        return {r: replace(known, resting=now < self._rest_until.get(r, now)) for r, known in self._tried.items()}

    def begun(self, call: Call) -> None:
        """Note a call that is about to be made: what it removes is not lost, even if its answer is."""
        if call.step is Step.REMOVE:
            self.added -= set(call.regions)

    def carried_out(self, call: Call, observed: Observed, *, taken_over: bool = False) -> None:
        """Note a call that succeeded; ``observed`` is what it was planned from.

        ``taken_over``: it took replicas over from another resource, which may be about to remove them.
        """
        if call.step is None:
            self.claimed |= set(call.regions)
            self.fresh |= {r for r in call.regions if r not in observed.replicas and r not in observed.claims}
            self.settled_at = self._clock.now() + STALE if taken_over else self.settled_at
        for region in call.regions:
            known = self._tried.get(region, Tried())
            if call.step is Step.ADD:
                self.added.add(region)
                self.fresh.discard(region)
                self._tried[region] = replace(known, made=True)
                if known.made:
                    self._repaired(region)
            elif call.step is Step.REMOVE:
                self._rest_until[region] = self._clock.now() + STALE
                self._tried[region] = replace(known, refused=False)
            elif call.step is Step.PROMOTE:
                self._tried[region] = replace(known, promoted=True)
            elif call.step is Step.REPLICATE and observed.replicas[region].status == FAILED:
                self._repaired(region)
            elif call.step is Step.REPLICATE:
                self._tried[region] = replace(known, rekeyed=True)
                self._rest_until[region] = self._clock.now() + STALE

    def _repaired(self, region: str) -> None:
        known = self._tried.get(region, Tried())
        self._tried[region] = replace(known, retries=known.retries + 1)
        self._rest_until[region] = self._clock.now() + min(_LONGEST_REST, _FIRST_REST * 2**known.retries)

    def refused(self, call: Call, error: RefusedError) -> None:
        """Note a call to which AWS said no: to several Regions, then each is asked for alone; to one, twice, is final.

        Where an entry is in the way (U1 to U3) it is removed first, unless the no is about a key: the new one's
        fault would take the good replica away.

        Raises:
            RefusedError: it is final.
        """
        if call.step in (Step.ADD, Step.REPLICATE) and len(call.regions) > 1:
            self.alone |= set(call.regions)
        elif call.step is Step.REPLICATE and _is_in_the_way(error):
            self._note_refusal(call)
        elif (call.step, call.regions) in self._refusals:
            named = f"{', '.join(call.regions)}: {error}" if call.step else str(error)
            raise RefusedError(advised(named, error.words)) from error
        elif call.step is Step.PROMOTE:
            self._note_refusal(call)
        self._refusals.add((call.step, call.regions))

    def missed(self, call: Call) -> None:
        """Note a call whose secret was not there: what is gone is not to be promoted again."""
        if call.step is Step.PROMOTE:
            self._note_refusal(call)

    def _note_refusal(self, call: Call) -> None:
        for region in call.regions:
            self._tried[region] = replace(self._tried.get(region, Tried()), refused=True)

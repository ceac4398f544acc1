"""Everything about time: the clock, the deadline, pauses, and how long a finding must persist."""

from __future__ import annotations

import time

from .ports import Clock

# F25: DescribeSecret may lag. Act on an unfavourable result only if it persists for this many seconds.
LAG = 5.0
# A Region's response stays valid for this long, if the calls that follow it are throttled.
FRESH = 30.0
# IAM is eventually consistent: a permission granted moments ago may not work for this long.
ACCESS_GRACE = 60.0
# F33: a change of a key's alias or tags takes up to five minutes to apply.
KEY_GRACE = 330.0
# Retries of a Failed replica are at most this far apart.
_LONGEST_REST = 30.0
# F22: InSync within seconds. Checked more often at first, so that a short wait is not rounded up.
_FIRST_PAUSE = 0.5
# F18: gone after 40 to 90 s. Checking more often would only cost more calls.
_LONGEST_PAUSE = 5.0
# Each pause is this share of the time waited so far, so the response is late by half of it on average.
_SHARE = 0.09


def rest(retries: int) -> float:
    """Seconds before a Failed replica is retried once more."""
    return min(_LONGEST_REST, LAG * 2.0**retries)


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class Deadline:
    """How long this run has waited and may still wait, in seconds."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self.clock, self.seconds = clock, seconds
        self._start = clock.now()

    @property
    def waited(self) -> float:
        """Seconds since the start."""
        return self.clock.now() - self._start

    @property
    def passed(self) -> bool:
        """Whether no time is left."""
        return self.waited >= self.seconds

    def grace(self, seconds: float) -> float:
        """Seconds for what may still heal by itself: these, or half of a shorter deadline."""
        return min(seconds, self.seconds / 2)

    def pause(self, at_least: float = 0.0, *, growth: float = 1.0) -> None:
        """Wait before the next round, but not past the deadline.

        Args:
            at_least: seconds.
            growth: how fast the pause grows with the time waited; 1 is the usual.
        """
        waited = self.waited
        seconds = max(at_least, min(_LONGEST_PAUSE, max(_FIRST_PAUSE, waited * _SHARE * growth)))
        self.clock.sleep(max(0.0, min(seconds, self.seconds - waited)))


class Persistence:
    """Whether the same finding has persisted for some seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._finding: object = None
        self._since = 0.0

    def holds(self, finding: object, seconds: float) -> bool:
        """Report a finding. True if it has been reported, unchanged, for ``seconds``; never for one that is empty."""
        now = self._clock.now()
        if finding != self._finding:
            self._finding, self._since = finding, now
        return bool(finding) and now - self._since >= seconds

    def clear(self) -> None:
        """Report that there is nothing to find."""
        self._finding = None

"""Wait: first quickly and then slower, and never past the deadline."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .ports import Clock

# F22: InSync within seconds. Looked at more often at first, so that a short wait is not rounded up.
FIRST_PAUSE = 0.5
# F18: gone after 40 to 90 s. Beyond this a look costs more than it tells.
LONGEST_PAUSE = 5.0
# The pause grows with the time waited, so that the answer is late by half of this share of it.
_SHARE = 0.09


class SystemClock:
    """The machine's own."""

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(slots=True)
class Patience:
    """How long this run has waited and may still wait. ``deadline`` and ``start`` are clock readings in seconds."""

    clock: Clock
    start: float
    deadline: float

    @classmethod
    def lasting(cls, clock: Clock, seconds: float) -> Patience:
        """From now on, for ``seconds``."""
        start = clock.now()
        return cls(clock, start, start + max(0.0, seconds))

    @property
    def waited(self) -> float:
        """Seconds since the start."""
        return self.clock.now() - self.start

    @property
    def over(self) -> bool:
        """Whether the deadline has come."""
        return self.clock.now() >= self.deadline

    def pause(self, least: float = 0.0, *, growth: float = 1.0) -> None:
        """Wait until the next look, or until the deadline if that is sooner.

        Args:
            least: seconds to wait at least.
            growth: of the pause with the time waited, beside the usual.
        """
        seconds = max(least, min(LONGEST_PAUSE, max(FIRST_PAUSE, self.waited * _SHARE * growth)))
        self.clock.sleep(max(0.0, min(seconds, self.deadline - self.clock.now())))

"""Time for the model: the machine's, run faster if wished, or a test's own."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol


class Clock(Protocol):
    """Epoch seconds, as the API's timestamps are."""

    def now(self) -> float:
        """The time."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class SystemClock:
    """The machine's."""

    def now(self) -> float:
        """Epoch seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(slots=True)
class VirtualClock:
    """Stands still until a test lets time pass. Serves as the handler's clock too: its waits cost nothing."""

    time: float = 1_700_000_000.0

    def now(self) -> float:
        """Epoch seconds."""
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds

"""Runs that take turns: who goes on is decided from outside, so that what happened can be repeated."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from local.clock import VirtualClock


class Turns:
    """Several runs over one clock, only one of which runs at a time.

    Args:
        clock: it goes on when every run sleeps.
        choose: picks one of so many runs.
    """

    def __init__(self, clock: VirtualClock, choose: Callable[[int], int]) -> None:
        self.clock, self._choose = clock, choose
        self._runs: list[_Run] = []

    def take(self, works: Sequence[Callable[[Clock], Any]]) -> list[Any]:
        """Let all of them run to their ends; what they return. Each gets the clock that it is to use."""
        self._runs = [_Run(self.clock, work) for work in works]
        while going := [run for run in self._runs if not run.is_over]:
            ready = [run for run in going if run.wakes <= self.clock.time]
            if not ready:
                self.clock.time = min(run.wakes for run in going)
                continue
            ready[self._choose(len(ready)) if len(ready) > 1 else 0].go_on()
        for run in self._runs:
            if run.error:
                raise run.error
        return [run.result for run in self._runs]


class Clock:
    """A run's view of the time. To sleep for no time lets the others have their turn."""

    def __init__(self, run: _Run, clock: VirtualClock) -> None:
        self._run, self._clock = run, clock

    def now(self) -> float:
        return self._clock.time

    def sleep(self, seconds: float) -> None:
        self._run.wakes = self._clock.time + seconds
        self._run.pause()


class _Run:
    def __init__(self, clock: VirtualClock, work: Callable[[Clock], Any]) -> None:
        self.wakes, self.is_over = clock.time, False
        self.result: Any = None
        self.error: BaseException | None = None
        # A lock that one thread acquires and the other releases: a third of a semaphore's time.
        self._mine, self._others = threading.Lock(), threading.Lock()
        self._mine.acquire()
        self._others.acquire()
        self._thread = threading.Thread(target=self._run, args=(work, Clock(self, clock)), daemon=True)
        self._thread.start()

    def go_on(self) -> None:
        self._mine.release()
        self._others.acquire()

    def pause(self) -> None:
        self._others.release()
        self._mine.acquire()

    def _run(self, work: Callable[[Clock], Any], clock: Clock) -> None:
        self._mine.acquire()
        try:
            self.result = work(clock)
        except BaseException as error:  # noqa: BLE001 - the test's own thread raises it
            self.error = error
        self.is_over = True
        self._others.release()

"""Calls AWS, and waits for the outcome."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .account import Account, Call, Reply
from .finding import SkipError

T = TypeVar("T")
# Seconds. F25 has no bound for how old a read may be: a result that has persisted for this long is taken as true.
QUIET = 15.0
# F22: InSync within seconds; the first use of a Region's own key takes longer.
SETTLES_WITHIN = 120.0
POLL_OFTEN, POLL_SELDOM = 1.0, 5.0


@dataclass(slots=True)
class Timings:
    """How many seconds things took."""

    in_sync: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)


class Caller:
    """The calls of one probe, and its patience.

    Args:
        account: the account.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.calls: list[Call] = []
        self.timings = Timings()

    def call(self, service: str, operation: str, region: str = "", **parameters: Any) -> Reply:
        """Call AWS, and record the call. An error is a result as well."""
        return self.account.call(self.calls, service, operation, region, **parameters)

    def need(self, service: str, operation: str, region: str = "", **parameters: Any) -> Mapping[str, Any]:
        """Call AWS where the probe cannot go on without a response.

        Raises:
            SkipError: If the call fails.
        """
        reply = self.call(service, operation, region, **parameters)
        if reply.code:
            raise SkipError(f"{service} {operation}: {reply.words}")
        return reply.response

    def now(self) -> float:
        """Epoch seconds."""
        return self.account.clock.now()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.account.wait(seconds)

    def until(self, read: Callable[[], T], done: Callable[[T], bool], within: float, every: float) -> T:
        """Read until ``done``, or until time runs out.

        Args:
            read: reads.
            done: whether what was read is what is waited for.
            within: seconds to wait for it.
            every: seconds between two reads.

        Returns:
            What was read last.
        """
        end = self.now() + within
        while not done(found := read()) and self.now() < end:
            self.wait(every)
        return found

    def settle(self, read: Callable[[], T], done: Callable[[T], bool], within: float = SETTLES_WITHIN) -> T:
        """Read until ``done``, or until time runs out; then until the result has persisted for a while (F25).

        Returns:
            What was read last.
        """
        return self.trace(read, done, within, often=False)[-1]

    def trace(
        self, read: Callable[[], T], done: Callable[[T], bool], within: float = SETTLES_WITHIN, *, often: bool = True
    ) -> list[T]:
        """Read as ``settle`` does, and return everything that was read.

        Args:
            read: reads.
            done: whether what was read is what is waited for.
            within: seconds to wait for it.
            often: whether to read every second even after ``done``, so as to miss nothing that lasts a second.
        """
        started = self.now()
        read_so_far = [read()]
        since = self.now()
        while True:
            quiet = self.now() - since >= QUIET and (done(read_so_far[-1]) or self.now() - started >= within)
            if quiet or self.now() - started >= within + 4 * QUIET:
                return read_so_far
            soon = often or not done(read_so_far[-1])
            self.wait(POLL_OFTEN if soon and self.now() - started < SETTLES_WITHIN / 2 else POLL_SELDOM)
            read_so_far.append(read())
            if read_so_far[-1] != read_so_far[-2]:
                since = self.now()

"""The past that DescribeSecret may still report (F25)."""

from __future__ import annotations

from .state import Store


class Past:
    """The store as it was after each change, as far back as reads may lag.

    A read may report any of these moments: a change that the same caller has just made may be missing, and a later read
    may report an earlier moment. Writes are always carried out on the store as it is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._changes: list[tuple[float, Store]] = []

    def note(self, now: float, lag: float) -> None:
        """Remember the store, which has just changed, and forget what no read can report now."""
        if not lag:
            self._changes.clear()
            return
        self._changes.append((now, self._store.copy()))
        while len(self._changes) > 1 and self._changes[1][0] < now - lag:
            del self._changes[0]

    def at(self, moment: float) -> Store:
        """The store as it was then, or at the earliest moment that is remembered."""
        known = [store for time, store in self._changes if time <= moment] or [store for _, store in self._changes[:1]]
        twin = (known[-1] if known else self._store).copy()
        twin.advance(moment)
        return twin

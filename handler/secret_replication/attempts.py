"""What this run has tried in each Region, and when it may try again. It is gone when the run ends."""

from __future__ import annotations

from dataclasses import dataclass

from .advice import is_about_a_key
from .clock import LAG, rest
from .errors import ReplicationError
from .model import Step

# U1 to U3: how AWS may reject a call because the Region is replicated already.
_REPLICATED_ALREADY = ("InvalidParameterException", "InvalidRequestException")


@dataclass(slots=True)
class Attempt:
    """What was carried out in one Region, never what was only planned: a call can fail.

    Attributes:
        owners: the tag's owners when this resource was last among them; empty if it never was.
        added: this run has replicated to the Region and not removed the replica since.
        replicated: this run has made the replica, with the declared key.
        repairs: how often a Failed replica was replicated again.
        key_changed: the call that changes the key in place succeeded.
        promoted: replication to it was stopped.
        rejected: the step that AWS rejected, possibly because of what is already there.
        not_before: clock reading; until then DescribeSecret may still show what was there before the last call.
    """

    owners: tuple[str, ...] = ()
    added: bool = False
    replicated: bool = False
    repairs: int = 0
    key_changed: bool = False
    promoted: bool = False
    rejected: Step | None = None
    not_before: float = 0.0
    _last_rejected: Step | None = None

    def note_added(self, now: float) -> None:
        """The Region was replicated to."""
        if self.replicated:
            self.note_repaired(now)
        else:
            self.not_before = now + LAG
        self.added = self.replicated = True
        self.rejected = None

    def note_repaired(self, now: float) -> None:
        """A Failed replica was replicated again."""
        self.not_before = now + rest(self.repairs)
        self.repairs += 1

    def note_key_changed(self, now: float) -> None:
        """A replica that was InSync was replicated again, with another key."""
        self.key_changed, self.not_before = True, now + LAG

    def note_removed(self, now: float) -> None:
        """The replica was removed from replication."""
        self.rejected, self.not_before = None, now + LAG

    def note_rejected(self, step: Step, error: ReplicationError, now: float) -> bool:
        """AWS rejected this step's call. True if that is final: it rejected the same step before.

        If AWS does not replicate over a replica (U1 to U3), the replica can be removed first. But not if the rejection
        is about a key: a good replica would be lost because the new key is faulty.
        """
        for_what_is_there = error.aws_message.startswith(_REPLICATED_ALREADY) and not is_about_a_key(error.aws_message)
        if step is Step.REPLICATE and for_what_is_there:
            self.rejected = step
            return False
        final = self._last_rejected is step
        # Another run may have made the same call moments ago.
        self._last_rejected, self.not_before = step, now + LAG
        if step in (Step.ADD, Step.PROMOTE):
            self.rejected = step
        return final

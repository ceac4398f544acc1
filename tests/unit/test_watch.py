"""Whether what a run tagged and added is still there."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from local.clock import VirtualClock
from secret_replication.attempts import Attempt
from secret_replication.model import Desired, Observed, ReplicaStatus, SecretArn
from secret_replication.ownership import Claim, Origin, Owner
from secret_replication.watch import Watch
from tests.helpers.world import OTHER_STACK, PRIMARY, STACK

R = "eu-west-3"
ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")
US, NEW = Owner.of(STACK, "Replication"), Owner.of(STACK, "Other")
LISTED = {R: ReplicaStatus(R, "InSync")}


def still_owned(attempt: Attempt, claim: Claim | None) -> bool:
    """What the watch says of one listed Region, at first sight."""
    nothing: Any = None
    attempts = defaultdict(Attempt, {R: attempt})
    watch = Watch(nothing, Desired(US, ARN, {R: None}), attempts, nothing, nothing, VirtualClock())
    claims = {R: claim} if claim else {}
    owned = frozenset(region for region, known in claims.items() if known.owned_by(US))
    return watch.still_owned(Observed(ARN, LISTED, claims, owned))


OURS = ("Replication",)


@pytest.mark.parametrize(
    ("owners", "claim", "owned"),
    [
        ((), None, True),
        (OURS, Claim.by(US, Origin.CREATED, PRIMARY), True),
        (OURS, None, False),
        (OURS, Claim.by(Owner.of(OTHER_STACK, "Replication"), Origin.CREATED, PRIMARY), False),
        # A new owner has overwritten the tag at the same moment: this resource joins again.
        (OURS, Claim.by(NEW, Origin.CREATED, PRIMARY), True),
        # An owner that was there before is left: this resource's own Delete has left.
        (("Other", "Replication"), Claim.by(NEW, Origin.CREATED, PRIMARY), False),
        (("Other", "Replication"), Claim(Origin.CREATED, PRIMARY, US.stack, ("Other", "Third")), True),
        (("Other",), Claim(Origin.CREATED, PRIMARY, US.stack, ("Other",)), False),
    ],
)
def test_a_tag_that_has_disappeared_is_lost(owners: tuple[str, ...], claim: Claim | None, owned: bool) -> None:
    assert still_owned(Attempt(owners=owners), claim) is owned

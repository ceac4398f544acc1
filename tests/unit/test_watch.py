"""Whether what a run tagged and added is still there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from typing import Any

import pytest

from local.clock import VirtualClock
from secret_replication.attempts import Attempt
from secret_replication.clock import LAG
from secret_replication.errors import SupersededError
from secret_replication.model import Desired, Observed, ReplicaState, ReplicaStatus, SecretArn
from secret_replication.ownership import Claim, Origin, Owner
from secret_replication.watch import Watch
from tests.helpers.world import OTHER_STACK, PRIMARY, STACK, Lines

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


class Region:
    """A Region that has something at the replica's ARN, and a primary from which replicas can be removed."""

    def __init__(self, state: ReplicaState) -> None:
        self.state, self.removed = state, list[str]()

    def ask(self, observed: Observed, regions: list[str]) -> Observed:
        return replace(observed, in_region=dict.fromkeys(regions, self.state))

    def remove(self, _: SecretArn, regions: list[str]) -> None:
        self.removed += regions


@pytest.mark.parametrize(
    ("added", "listed", "claimed", "state", "removed"),
    [
        (True, True, False, ReplicaState.REPLICA, [R]),
        (True, True, False, ReplicaState.UNKNOWN, [R]),
        # A person promoted it: it is never removed.
        (True, True, False, ReplicaState.STANDALONE, []),
        # It is gone, another stack has claimed it since, or it was there before this run.
        (True, False, False, ReplicaState.GONE, []),
        (True, True, True, ReplicaState.REPLICA, []),
        (False, True, False, ReplicaState.REPLICA, []),
    ],
)
def test_a_superseded_run_removes_what_it_added_and_no_one_claims(
    added: bool, listed: bool, claimed: bool, state: ReplicaState, removed: list[str]
) -> None:
    region: Any = Region(state)
    log, clock = Lines(), VirtualClock()
    attempts = defaultdict(Attempt, {R: Attempt(owners=OURS, added=added)})
    watch = Watch(region, Desired(US, ARN, {R: None}), attempts, region, log, clock)
    theirs = {R: Claim.by(Owner.of(OTHER_STACK, "Replication"), Origin.CREATED, PRIMARY)}
    observed = Observed(ARN, LISTED if listed else {}, theirs if claimed else {})
    assert not watch.still_owned(observed)
    clock.sleep(LAG)
    with pytest.raises(SupersededError, match=R):
        watch.still_owned(observed)
    assert region.removed == removed
    assert [keys for _, keys in log.lines] == [{"action": "REMOVE", "region": R, "secret": str(ARN)} for _ in removed]


def test_tags_that_were_seen_and_have_disappeared_are_lost_and_every_region_is_named() -> None:
    region: Any = Region(ReplicaState.REPLICA)
    regions, clock = (R, "us-east-1"), VirtualClock()
    desired = Desired(US, ARN, dict.fromkeys(regions))
    watch = Watch(region, desired, defaultdict(Attempt), region, Lines(), clock)
    listed = {name: ReplicaStatus(name, "InSync") for name in regions}
    claims = {name: Claim.by(US, Origin.CREATED, PRIMARY) for name in regions}
    assert watch.still_owned(Observed(ARN, listed, claims, frozenset(regions)))
    assert not watch.still_owned(Observed(ARN, listed, {}))
    clock.sleep(LAG)
    with pytest.raises(SupersededError, match=r"^what this run added to eu-west-3, us-east-1, or the tag"):
        watch.still_owned(Observed(ARN, listed, {}))

"""How a plan's steps become calls, and what is noted of them."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pytest

from secret_replication.apply import Applier
from secret_replication.attempts import Attempt
from secret_replication.errors import RejectedError, SecretNotFoundError, UnavailableError
from secret_replication.model import Desired, Observed, ReplicaState, ReplicaStatus, SecretArn, Step
from secret_replication.ownership import Claim, Origin, Owner
from secret_replication.plan import Plan
from tests.helpers.world import PRIMARY, STACK, Lines

PARIS, VIRGINIA = "eu-west-3", "us-east-1"
ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")
OWNER = Owner.of(STACK, "Replication")
REJECTED = RejectedError("InvalidParameterException: Invalid replica region.")


class Aws:
    """Records calls as ``operation Region,...``, and raises what a test wants for those that begin so."""

    def __init__(self, **errors: Exception) -> None:
        self.errors, self.calls = errors, list[str]()

    def _called(self, operation: str, regions: Any, extra: str = "") -> None:
        self.calls.append(f"{operation} {','.join(sorted(regions))}{extra}")
        if operation in self.errors:
            raise self.errors[operation]

    def replicate(self, _: SecretArn, replicas: dict[str, str | None], *, force: bool) -> None:
        self._called("replicate", [f"{r} {k}" if k else r for r, k in replicas.items()], " by force" if force else "")

    def remove(self, _: SecretArn, regions: Any) -> None:
        self._called("remove", regions)

    def promote(self, replica: SecretArn) -> None:
        self._called("promote", [replica.region])

    def tag(self, _: SecretArn, tags: dict[str, str]) -> None:
        self._called("tag", [key.split(":")[1] for key in tags])

    def untag(self, _: SecretArn, keys: Any) -> None:
        self._called("untag", [key.split(":")[1] for key in keys])


def owned(region: str, origin: Origin = Origin.CREATED) -> dict[str, Claim]:
    return {region: Claim.by(OWNER, origin, PRIMARY)}


def listed(region: str, status: str = "InSync", key: str = "") -> dict[str, ReplicaStatus]:
    return {region: ReplicaStatus(region, status, key)}


class Run:
    """One plan applied."""

    def __init__(self, steps: dict[str, Step], observed: Observed, aws: Aws, **desired: Any) -> None:
        port: Any = aws
        self.aws, self.log, self.attempts = aws, Lines(), defaultdict[str, Attempt](Attempt)
        replicas = dict.fromkeys((PARIS, VIRGINIA))
        self._applier = Applier(port, Desired(OWNER, ARN, replicas, **desired), self.attempts, self.log)
        self._plan, self._observed = Plan(steps, {}), observed

    def apply(self, now: float = 0.0) -> None:
        self._applier.apply(self._plan, self._observed, now)


def test_all_regions_of_a_kind_are_one_call_after_the_tags() -> None:
    run = Run({PARIS: Step.ADD, VIRGINIA: Step.ADD}, Observed(ARN), Aws())
    run.apply()
    assert run.aws.calls == [f"tag {PARIS},{VIRGINIA}", f"replicate {PARIS},{VIRGINIA}"]
    assert all(run.attempts[region].added and run.attempts[region].replicated for region in (PARIS, VIRGINIA))
    assert run.attempts[PARIS].owners == ("Replication",)


def test_a_rejected_call_for_several_regions_is_made_for_each_with_the_same_force() -> None:
    gone = dict.fromkeys((PARIS, VIRGINIA), ReplicaState.GONE)
    run = Run({PARIS: Step.ADD, VIRGINIA: Step.ADD}, Observed(ARN, in_region=gone), Aws(replicate=REJECTED), force=True)
    run.apply()
    assert run.aws.calls[1:] == [
        f"replicate {regions} by force" for regions in (f"{PARIS},{VIRGINIA}", PARIS, VIRGINIA)
    ]


def test_a_rejected_call_is_not_forgotten_for_a_later_one_that_succeeds() -> None:
    steps = {PARIS: Step.ADD, VIRGINIA: Step.UNTAG}
    run = Run(steps, Observed(ARN, claims=owned(VIRGINIA)), Aws(replicate=REJECTED))
    run.apply()
    assert run.aws.calls[-1] == f"untag {VIRGINIA}"
    assert run.attempts[PARIS].rejected is Step.ADD


def test_a_rejected_call_is_logged_with_what_was_tried() -> None:
    run = Run({PARIS: Step.ADD}, Observed(ARN), Aws(replicate=REJECTED))
    run.apply()
    assert run.log.lines == [(f"{PARIS}: {REJECTED}", {"action": "ADD", "region": PARIS, "secret": str(ARN)})]


def test_a_second_rejection_ends_the_run_with_every_regions_reason() -> None:
    run = Run({PARIS: Step.ADD, VIRGINIA: Step.ADD}, Observed(ARN), Aws(replicate=REJECTED))
    run.apply()
    with pytest.raises(RejectedError, match=rf"{PARIS}: {REJECTED} To fix.*; {VIRGINIA}: {REJECTED} To fix"):
        run.apply(99.0)


def test_what_a_call_removes_is_not_lost_to_this_run_even_if_the_response_is() -> None:
    observed = Observed(ARN, listed(PARIS), owned(PARIS), in_region={PARIS: ReplicaState.REPLICA})
    run = Run({PARIS: Step.REMOVE}, observed, Aws(remove=UnavailableError("no connection")))
    run.attempts[PARIS].added = True
    with pytest.raises(UnavailableError):
        run.apply()
    assert run.attempts[PARIS].added is False


def test_a_replica_that_is_replicated_again_is_still_the_one_that_was_added() -> None:
    observed = Observed(ARN, listed(PARIS, "Failed"), owned(PARIS))
    run = Run({PARIS: Step.REPLICATE}, observed, Aws())
    run.attempts[PARIS].added = True
    run.apply()
    assert run.attempts[PARIS].added
    assert run.attempts[PARIS].repairs == 1


def test_a_secret_that_disappears_before_a_call_is_not_done() -> None:
    run = Run({PARIS: Step.REMOVE}, Observed(ARN, listed(PARIS), owned(PARIS)), Aws(remove=SecretNotFoundError("no")))
    run.apply()
    assert run.attempts[PARIS].rejected is None


def test_a_replica_that_disappears_before_it_is_promoted_counts_as_rejected() -> None:
    run = Run({PARIS: Step.PROMOTE}, Observed(ARN, listed(PARIS), owned(PARIS)), Aws(promote=SecretNotFoundError("no")))
    run.apply()
    assert run.attempts[PARIS].rejected is Step.PROMOTE
    assert not run.attempts[PARIS].promoted


def test_promotion_and_untagging_are_noted() -> None:
    observed = Observed(ARN, listed(PARIS), owned(PARIS) | owned(VIRGINIA))
    run = Run({PARIS: Step.PROMOTE, VIRGINIA: Step.UNTAG}, observed, Aws())
    run.attempts[VIRGINIA].owners = ("Replication",)
    run.apply()
    assert run.aws.calls == [f"promote {PARIS}", f"untag {VIRGINIA}"]
    assert run.attempts[PARIS].promoted is True
    assert run.attempts[VIRGINIA].owners == ()


@pytest.mark.parametrize(("origin", "call"), [(Origin.ADOPTED, f"{PARIS} its-key"), (Origin.CREATED, PARIS)])
def test_only_an_adopted_replica_is_repaired_with_its_own_key(origin: Origin, call: str) -> None:
    run = Run({PARIS: Step.REPLICATE}, Observed(ARN, listed(PARIS, "Failed", "its-key"), owned(PARIS, origin)), Aws())
    run.apply()
    assert run.aws.calls == [f"replicate {call}"]


def test_an_adopted_replica_that_is_gone_is_added_with_the_declared_key() -> None:
    run = Run({PARIS: Step.ADD}, Observed(ARN, claims=owned(PARIS, Origin.ADOPTED)), Aws())
    run.apply()
    assert run.aws.calls == [f"tag {PARIS}", f"replicate {PARIS}"]

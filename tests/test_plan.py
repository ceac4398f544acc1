"""The planner's table, a row at a time."""

from __future__ import annotations

import pytest

from secret_replication.keys import SameKey, same_key
from secret_replication.ownership import Claim, Origin, Owner
from secret_replication.plan import Step, plan
from secret_replication.ports import ReplicaStatus
from secret_replication.properties import RemovalPolicy
from secret_replication.regions import SecretArn
from secret_replication.situation import Desired, Elsewhere, Observed, Tried
from tests.support import OTHER_STACK, PRIMARY, STACK

ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")
US = Owner.of(STACK, "Replication")
CREATED, ADOPTED = (Claim(origin, PRIMARY, US) for origin in (Origin.CREATED, Origin.ADOPTED))
SIBLING = Claim(Origin.CREATED, PRIMARY, Owner.of(STACK, "Other"))
FOREIGN = Claim(Origin.CREATED, PRIMARY, Owner.of(OTHER_STACK, "Replication"))
KEY = "alias/aws/secretsmanager"


def replica(status: str = "InSync", message: str = "", key: str = KEY) -> ReplicaStatus:
    return ReplicaStatus("eu-west-3", status, key, message)


IN_SYNC, PENDING, STRANGE = replica(), replica("InProgress"), replica("Detached")
TAKEN = replica("Failed", "Replication failed: Secret name app already exists in region eu-west-3.")
HEALS = replica("Failed", "Replication failed: network error")


def observed(
    claim: Claim | None = None, found: ReplicaStatus | None = None, elsewhere: Elsewhere = Elsewhere.NOT_ASKED
) -> Observed:
    return Observed(
        ARN,
        {"eu-west-3": found} if found else {},
        {"eu-west-3": claim} if claim else {},
        {"eu-west-3": elsewhere},
    )


@pytest.mark.parametrize(
    ("claim", "found", "step"),
    [
        (None, None, Step.ADD),
        (None, IN_SYNC, Step.ADOPT),
        (None, TAKEN, Step.ADOPT),
        (FOREIGN, None, Step.FAIL),
        (FOREIGN, IN_SYNC, Step.FAIL),
        (SIBLING, None, Step.TAKE_OVER),
        (SIBLING, IN_SYNC, Step.TAKE_OVER),
        (CREATED, None, Step.ADD),
        (ADOPTED, None, Step.ADD),
        (CREATED, PENDING, Step.WAIT),
        (CREATED, STRANGE, Step.WAIT),
        (CREATED, IN_SYNC, Step.NOTHING),
        (ADOPTED, IN_SYNC, Step.NOTHING),
        (CREATED, TAKEN, Step.REPLICATE),
        (CREATED, HEALS, Step.REPLICATE),
    ],
)
def test_declared(claim: Claim | None, found: ReplicaStatus | None, step: Step) -> None:
    desired = Desired(US, {"eu-west-3": None})
    assert plan(desired, observed(claim, found)).steps == {"eu-west-3": step}


@pytest.mark.parametrize(
    ("claim", "policy", "found", "elsewhere", "step"),
    [
        (ADOPTED, RemovalPolicy.DELETE, IN_SYNC, Elsewhere.NOT_ASKED, Step.UNTAG),
        (ADOPTED, RemovalPolicy.PROMOTE, IN_SYNC, Elsewhere.REPLICA, Step.UNTAG),
        (CREATED, RemovalPolicy.RETAIN, IN_SYNC, Elsewhere.NOT_ASKED, Step.UNTAG),
        (CREATED, RemovalPolicy.DELETE, IN_SYNC, Elsewhere.NOT_ASKED, Step.REMOVE),
        (CREATED, RemovalPolicy.DELETE, TAKEN, Elsewhere.NOT_ASKED, Step.REMOVE),
        (CREATED, RemovalPolicy.DELETE, None, Elsewhere.REPLICA, Step.WAIT),
        (CREATED, RemovalPolicy.DELETE, None, Elsewhere.GONE, Step.UNTAG),
        (CREATED, RemovalPolicy.DELETE, None, Elsewhere.STANDALONE, Step.UNTAG),
        (CREATED, RemovalPolicy.DELETE, None, Elsewhere.UNVERIFIED, Step.UNTAG),
        (CREATED, RemovalPolicy.PROMOTE, IN_SYNC, Elsewhere.REPLICA, Step.PROMOTE),
        (CREATED, RemovalPolicy.PROMOTE, IN_SYNC, Elsewhere.UNVERIFIED, Step.PROMOTE),
        (CREATED, RemovalPolicy.PROMOTE, IN_SYNC, Elsewhere.STANDALONE, Step.REMOVE),
        (CREATED, RemovalPolicy.PROMOTE, TAKEN, Elsewhere.GONE, Step.REMOVE),
        (CREATED, RemovalPolicy.PROMOTE, None, Elsewhere.STANDALONE, Step.UNTAG),
    ],
)
def test_no_longer_declared(
    claim: Claim, policy: RemovalPolicy, found: ReplicaStatus | None, elsewhere: Elsewhere, step: Step
) -> None:
    assert plan(Desired(US, policy=policy), observed(claim, found, elsewhere)).steps == {"eu-west-3": step}


@pytest.mark.parametrize("claim", [None, SIBLING, FOREIGN])
def test_what_is_neither_declared_nor_ours_is_not_touched(claim: Claim | None) -> None:
    assert plan(Desired(US), observed(claim, IN_SYNC)).done


@pytest.mark.parametrize("found", [None, PENDING, TAKEN])
def test_nothing_is_dropped_before_everything_declared_is_true(found: ReplicaStatus | None) -> None:
    seen = Observed(
        ARN,
        {"us-east-1": replica()} | ({"eu-west-3": found} if found else {}),
        {"us-east-1": CREATED, "eu-west-3": CREATED},
    )
    assert "us-east-1" not in plan(Desired(US, {"eu-west-3": None}), seen).steps


def test_what_failed_before_this_run_gets_one_try_and_what_it_made_itself_none() -> None:
    desired, seen = Desired(US, {"eu-west-3": None}), observed(CREATED, TAKEN)
    for tried, step in ((Tried(), Step.REPLICATE), (Tried(retries=1), Step.FAIL), (Tried(made=True), Step.FAIL)):
        assert plan(desired, seen, {"eu-west-3": tried}).steps == {"eu-west-3": step}


def test_a_good_replica_is_not_removed_to_re_key_it_while_another_region_is_not_right() -> None:
    desired = Desired(US, {"eu-west-3": "key-1", "us-east-1": None})
    tried = {"eu-west-3": Tried(rekeyed_from=KEY)}
    replicas, claims = {"eu-west-3": IN_SYNC}, {"eu-west-3": CREATED, "us-east-1": CREATED}
    for other, step in ((PENDING, Step.WAIT), (IN_SYNC, Step.REMOVE)):
        seen = Observed(ARN, replicas | {"us-east-1": other}, claims)
        assert plan(desired, seen, tried).steps["eu-west-3"] is step


def test_a_failed_replica_is_made_anew_before_a_good_one_is_re_keyed() -> None:
    desired = Desired(US, {"eu-west-3": "key-1", "us-east-1": None})
    tried = {"eu-west-3": Tried(rekeyed_from=KEY), "us-east-1": Tried(refused=True)}
    claims = {"eu-west-3": CREATED, "us-east-1": CREATED}
    seen = Observed(ARN, {"eu-west-3": IN_SYNC, "us-east-1": HEALS}, claims)
    assert plan(desired, seen, tried).steps == {"eu-west-3": Step.WAIT, "us-east-1": Step.REMOVE}


@pytest.mark.parametrize("status", [IN_SYNC, replica("Failed", "Replication failed: network error")])
def test_an_adopted_replica_is_never_re_keyed(status: ReplicaStatus) -> None:
    desired = Desired(US, {"eu-west-3": "key-1"})
    found = plan(desired, observed(ADOPTED, status))
    assert found.steps == {"eu-west-3": Step.FAIL}
    assert "is not re-keyed" in found.reasons["eu-west-3"]


@pytest.mark.parametrize(
    ("owner", "step"),
    [(US, Step.HAND_BACK), (Owner.of(STACK, "Before"), Step.LET_GO), (Owner.of(STACK, "Third"), None)],
)
def test_a_rename_is_rolled_back_or_completed(owner: Owner, step: Step | None) -> None:
    taken = Claim(Origin.CREATED, PRIMARY, US, taken_from="Before")
    assert plan(Desired(owner), observed(taken, IN_SYNC)).steps.get("eu-west-3") is step


def test_a_removal_that_is_under_way_is_waited_for_before_the_region_is_added_again() -> None:
    desired = Desired(US, {"eu-west-3": None})
    assert plan(desired, observed(CREATED, None, Elsewhere.REPLICA)).steps == {"eu-west-3": Step.WAIT}
    assert plan(desired, observed(CREATED, None, Elsewhere.GONE)).steps == {"eu-west-3": Step.ADD}


@pytest.mark.parametrize(
    ("tried", "step"),
    [
        (Tried(resting=True), Step.WAIT),
        (Tried(retries=9), Step.REPLICATE),
        (Tried(refused=True), Step.REMOVE),
    ],
)
def test_a_failure_that_can_heal_is_repaired_at_intervals(tried: Tried, step: Step) -> None:
    desired = Desired(US, {"eu-west-3": None})
    assert plan(desired, observed(CREATED, HEALS), {"eu-west-3": tried}).steps == {"eu-west-3": step}


def test_an_adopted_replica_is_never_removed_to_repair_it() -> None:
    desired = Desired(US, {"eu-west-3": None})
    assert plan(desired, observed(ADOPTED, HEALS), {"eu-west-3": Tried(refused=True)}).steps == {"eu-west-3": Step.FAIL}


@pytest.mark.parametrize(
    ("claim", "tried", "step"),
    [
        (CREATED, Tried(), Step.REPLICATE),
        (CREATED, Tried(rekeyed_from=KEY), Step.REMOVE),
        (CREATED, Tried(refused=True), Step.REMOVE),
        (CREATED, Tried(made=True), Step.FAIL),
        (ADOPTED, Tried(), Step.FAIL),
    ],
)
def test_a_key_change_is_tried_in_place_first(claim: Claim, tried: Tried, step: Step) -> None:
    desired = Desired(US, {"eu-west-3": "alias/app"})
    assert plan(desired, observed(claim, IN_SYNC), {"eu-west-3": tried}).steps == {"eu-west-3": step}


@pytest.mark.parametrize(
    ("changed", "tried", "step"),
    [
        (frozenset(), Tried(), Step.NOTHING),
        (frozenset({"eu-west-3"}), Tried(), Step.REPLICATE),
        (frozenset({"eu-west-3"}), Tried(rekeyed_from="key-1"), Step.NOTHING),
        (frozenset({"eu-west-3"}), Tried(rekeyed_from="key-2"), Step.REMOVE),
        (frozenset({"eu-west-3"}), Tried(rekeyed_from="key-2", made=True), Step.NOTHING),
    ],
)
def test_an_alias_against_a_key_is_decided_by_the_change_of_the_property(
    changed: frozenset[str], tried: Tried, step: Step
) -> None:
    desired = Desired(US, {"eu-west-3": "alias/app"}, changed_keys=changed)
    seen = observed(CREATED, replica(key="key-2"))
    assert plan(desired, seen, {"eu-west-3": tried}).steps == {"eu-west-3": step}


@pytest.mark.parametrize(
    ("declared", "actual", "same"),
    [
        (None, KEY, SameKey.YES),
        ("", None, SameKey.YES),
        (KEY, f"arn:aws:kms:eu-west-3:000000000000:{KEY}", SameKey.YES),
        ("1234", "arn:aws:kms:eu-west-3:000000000000:key/1234", SameKey.YES),
        ("1234", "arn:aws:kms:eu-west-3:000000000000:key/5678", SameKey.NO),
        ("alias/app", KEY, SameKey.NO),
        ("1234", KEY, SameKey.NO),
        (None, "alias/app", SameKey.NO),
        (None, "arn:aws:kms:eu-west-3:000000000000:key/1234", SameKey.NO),
        ("arn:aws:kms:eu-west-3:111111111111:alias/a", "arn:aws:kms:eu-west-3:222222222222:alias/a", SameKey.UNKNOWN),
        ("arn:aws:kms:eu-west-3:111111111111:key/1", "arn:aws:kms:eu-west-3:222222222222:key/1", SameKey.NO),
        ("alias/app", "arn:aws:kms:eu-west-3:000000000000:key/1234", SameKey.UNKNOWN),
        ("alias/app", "alias/other", SameKey.UNKNOWN),
    ],
)
def test_when_two_names_are_one_key(declared: str | None, actual: str | None, same: SameKey) -> None:
    assert same_key(declared, actual) is same

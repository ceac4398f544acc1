"""The planner: its tables in docs/reference/lifecycle.md, a row at a time, and the reasons that it gives."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from secret_replication.attempts import Attempt
from secret_replication.keys import same_key
from secret_replication.model import (
    Desired,
    Observed,
    RemovalPolicy,
    ReplicaState,
    ReplicaStatus,
    SecretArn,
    Step,
)
from secret_replication.ownership import Claim, Origin, Owner
from secret_replication.plan import Plan, plan
from tests.helpers.world import OTHER_STACK, PRIMARY, STACK

ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")
US = Owner.of(STACK, "Replication")
SIBLING = Owner.of(STACK, "Other")
PAGE = Path(__file__).parents[2] / "docs" / "reference" / "lifecycle.md"
KEY = "alias/aws/secretsmanager"
ADOPTED = Claim.by(US, Origin.ADOPTED, PRIMARY)
CREATED = Claim.by(US, Origin.CREATED, PRIMARY)
SHARED = CREATED.joined_by(SIBLING)
THEIRS = Claim.by(SIBLING, Origin.CREATED, PRIMARY)
FOREIGN = Claim.by(Owner.of(OTHER_STACK, "Replication"), Origin.CREATED, PRIMARY)
NOW = 100.0
MOMENTS_AGO, LONG_AGO = NOW + 1, NOW


def replica(status: str = "InSync", message: str = "", key: str = KEY) -> ReplicaStatus:
    return ReplicaStatus("eu-west-3", status, key, message)


IN_SYNC, PENDING, STRANGE = replica(), replica("InProgress"), replica("Detached")
TAKEN = replica("Failed", "Replication failed: Secret name app already exists in region eu-west-3.")
HEALS = replica("Failed", "Replication failed: network error")
EARLIER = replica(
    "Failed", "Replication failed: Secret name app is currently replicated to eu-west-3 with a different arn"
)


def seen(
    claims: dict[str, Claim],
    replicas: dict[str, ReplicaStatus],
    there: dict[str, ReplicaState] | None = None,
    keys: dict[str, str | None] | None = None,
) -> Observed:
    """What an observation holds: ``keys`` are the declared ones."""
    owned = frozenset(region for region, claim in claims.items() if claim.owned_by(US))
    right = {r for r, key in (keys or {}).items() if r in replicas and replicas[r].kms_key == (key or KEY)}
    return Observed(ARN, replicas, claims, owned, frozenset(right), there or {})


def observed(
    claim: Claim | None = None,
    found: ReplicaStatus | None = None,
    there: ReplicaState | None = None,
    key: str | None = None,
) -> Observed:
    """The same for eu-west-3 alone."""
    claims, replicas = ({"eu-west-3": claim} if claim else {}), ({"eu-west-3": found} if found else {})
    return seen(claims, replicas, {"eu-west-3": there} if there else {}, {"eu-west-3": key})


def planned(desired: Desired, observation: Observed, **attempts: Attempt) -> Plan:
    return plan(desired, observation, {name.replace("_", "-"): attempt for name, attempt in attempts.items()}, NOW)


# The tables.


@functools.cache
def rows(heading: str) -> list[list[str]]:
    """The cells of the table of docs/reference/lifecycle.md that follows a line, without its head."""
    _, _, after = PAGE.read_text().partition(f"\n{heading}\n\n")
    lines = list(itertools.takewhile(lambda line: line.startswith("|"), after.splitlines()))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def first_match(heading: str, meanings: list[dict[str, Callable[[Case], bool]]], case: Case) -> tuple[int, str]:
    """The first row of the table that matches a case, and its step."""
    for number, (*cells, step) in enumerate(rows(heading)):
        if all(not cell or meaning[cell](case) for cell, meaning in zip(cells, meanings, strict=True)):
            return number, step
    raise AssertionError(f"no row of the page matches {case}")


@dataclass(frozen=True, slots=True)
class Case:
    """A situation of one Region."""

    claim: Claim | None
    found: ReplicaStatus | None
    there: ReplicaState | None = None
    key: str | None = None
    force: bool = False
    attempt: Attempt = field(default_factory=Attempt)
    policy: RemovalPolicy = RemovalPolicy.DELETE

    def is_ours(self, origin: Origin | None = None) -> bool:
        claim = self.claim
        return claim is not None and claim.owned_by(US) and origin in (None, claim.origin)

    def is_theirs(self, *, same_stack: bool) -> bool:
        claim = self.claim
        return claim is not None and not claim.owned_by(US) and (claim.stack == US.stack) == same_stack

    def has_status(self, *statuses: str) -> bool:
        return self.found is not None and self.found.status in statuses

    @property
    def has_key(self) -> bool:
        return self.found is not None and self.found.kms_key == (self.key or KEY)

    @property
    def is_retried_often_enough(self) -> bool:
        most = {TAKEN.message: 3 if self.force else 0, EARLIER.message: 8, HEALS.message: math.inf}
        assert self.found
        retries = most[self.found.message]
        return self.attempt.repairs >= (retries if self.attempt.replicated else max(1, retries))

    @property
    def moments_ago(self) -> bool:
        return self.attempt.not_before == MOMENTS_AGO

    def is_rejected(self, step: Step) -> bool:
        return self.attempt.rejected is step


Meaning = dict[str, Callable[[Case], bool]]
TAG: Meaning = {
    "none": lambda case: case.claim is None,
    "none, overwriting forced": lambda case: case.claim is None and case.force,
    "ours": lambda case: case.is_ours(),
    "created": lambda case: case.is_ours(Origin.CREATED),
    "adopted": lambda case: case.is_ours(Origin.ADOPTED),
    "another stack's": lambda case: case.is_theirs(same_stack=False),
    "another resource's": lambda case: case.is_theirs(same_stack=True),
    "not ours": lambda case: not case.is_ours(),
    "shared with another resource": lambda case: case.is_ours() and case.claim == SHARED,
}
REPLICA: Meaning = {
    "absent": lambda case: case.found is None,
    "listed": lambda case: case.found is not None,
    "Failed": lambda case: case.has_status("Failed"),
    "InSync": lambda case: case.has_status("InSync"),
    "not InSync": lambda case: case.found is not None and not case.has_status("InSync"),
}
REGION: Meaning = {
    "not asked": lambda case: case.there is None,
    "a replica": lambda case: case.there is ReplicaState.REPLICA,
    "a standalone secret": lambda case: case.there is ReplicaState.STANDALONE,
    "no response": lambda case: case.there is ReplicaState.UNKNOWN,
}
ITS_KEY: Meaning = {"as declared": lambda case: case.has_key, "another": lambda case: not case.has_key}
IN_THIS_RUN: Meaning = {
    "adding rejected": lambda case: case.is_rejected(Step.ADD),
    "adding rejected moments ago": lambda case: case.is_rejected(Step.ADD) and case.moments_ago,
    "retried often enough": lambda case: case.is_retried_often_enough,
    "rejected": lambda case: case.attempt.rejected in (Step.REPLICATE, Step.PROMOTE),
    "added": lambda case: case.attempt.replicated,
    "changed or rejected": lambda case: case.attempt.key_changed or case.is_rejected(Step.REPLICATE),
    "moments ago": lambda case: case.moments_ago,
    "promoted": lambda case: case.attempt.promoted,
    "promoted or rejected": lambda case: case.attempt.promoted or case.is_rejected(Step.PROMOTE),
}
POLICY: Meaning = {
    "Retain": lambda case: case.policy is RemovalPolicy.RETAIN,
    "Promote": lambda case: case.policy is RemovalPolicy.PROMOTE,
}


def declared() -> Iterator[Case]:
    attempts = [
        Attempt(replicated=replicated, repairs=repairs, key_changed=changed, rejected=rejected, not_before=time)
        for replicated, changed in itertools.product((False, True), repeat=2)
        for repairs in (0, 1, 2, 3, 7, 8)
        for rejected in (None, Step.ADD, Step.REPLICATE)
        for time in (MOMENTS_AGO, LONG_AGO)
    ]
    listed = [None, IN_SYNC, replica(key="key-2"), PENDING, STRANGE, TAKEN, HEALS, EARLIER]
    claims = [None, FOREIGN, THEIRS, CREATED, ADOPTED, SHARED]
    states = [None, *ReplicaState]
    for case in itertools.starmap(
        Case, itertools.product(claims, listed, states, [None, "key-2"], (False, True), attempts)
    ):
        # A replica that is listed is not one for which adding was rejected.
        if case.found is None or case.attempt.rejected is not Step.ADD:
            yield case


def undeclared() -> Iterator[Case]:
    attempts = [
        Attempt(promoted=promoted, rejected=rejected, not_before=time)
        for promoted in (False, True)
        for rejected in (None, Step.PROMOTE)
        for time in (MOMENTS_AGO, LONG_AGO)
    ]
    claims = [None, CREATED, ADOPTED, SHARED, FOREIGN, THEIRS]
    listed = [None, IN_SYNC, PENDING, STRANGE, TAKEN]
    states = [None, *ReplicaState]
    for claim, found, there, policy, attempt in itertools.product(claims, listed, states, RemovalPolicy, attempts):
        yield Case(claim, found, there, policy=policy, attempt=attempt)


@pytest.mark.parametrize(
    ("heading", "meanings", "cases"),
    [
        ("A declared Region:", [TAG, REPLICA, REGION, ITS_KEY, IN_THIS_RUN], declared),
        (
            "A Region that is ours and no longer declared:",
            [TAG, POLICY, REPLICA, REGION, IN_THIS_RUN],
            undeclared,
        ),
    ],
)
def test_the_page_is_the_planner(heading: str, meanings: list[Any], cases: Callable[[], Iterator[Case]]) -> None:
    reached = set()
    for case in cases():
        row, words = first_match(heading, meanings, case)
        reached.add(row)
        replicas = {"eu-west-3": case.key} if cases is declared else {}
        desired = Desired(US, "", replicas, case.force, case.policy)
        made = planned(desired, observed(case.claim, case.found, case.there, case.key), eu_west_3=case.attempt)
        assert made.steps.get("eu-west-3", Step.NOTHING).value == words, case
        assert (made.steps.get("eu-west-3") is Step.FAIL) == bool(made.reasons.get("eu-west-3")), case
    assert reached == set(range(len(rows(heading)))), "every row is reached"


# Several Regions.


@pytest.mark.parametrize("claim", [None, THEIRS, FOREIGN])
def test_a_replica_that_is_neither_declared_nor_owned_is_not_touched(claim: Claim | None) -> None:
    assert planned(Desired(US), observed(claim, IN_SYNC)).done


@pytest.mark.parametrize("found", [None, PENDING, TAKEN])
def test_nothing_is_dropped_before_every_declared_region_is_in_sync(found: ReplicaStatus | None) -> None:
    replicas = {"us-east-1": replica()} | ({"eu-west-3": found} if found else {})
    observation = seen({"us-east-1": CREATED, "eu-west-3": CREATED}, replicas, keys={"eu-west-3": None})
    assert "us-east-1" not in planned(Desired(US, "", {"eu-west-3": None}), observation).steps


def test_a_good_replica_is_removed_to_change_its_key_only_when_all_others_are_right() -> None:
    keys = {"eu-west-3": "key-1", "us-east-1": None}
    claims, there = {"eu-west-3": CREATED, "us-east-1": CREATED}, {"eu-west-3": ReplicaState.REPLICA}
    for other, step in ((PENDING, Step.WAIT), (IN_SYNC, Step.REMOVE)):
        observation = seen(claims, {"eu-west-3": IN_SYNC, "us-east-1": other}, there, keys)
        made = planned(Desired(US, "", keys), observation, eu_west_3=Attempt(key_changed=True))
        assert made.steps["eu-west-3"] is step


def test_a_failed_replica_is_removed_before_a_good_one() -> None:
    keys = {"eu-west-3": "key-1", "us-east-1": None}
    there = dict.fromkeys(keys, ReplicaState.REPLICA)
    observation = seen(dict.fromkeys(keys, CREATED), {"eu-west-3": IN_SYNC, "us-east-1": HEALS}, there, keys)
    attempts = {"eu_west_3": Attempt(key_changed=True), "us_east_1": Attempt(rejected=Step.REPLICATE)}
    made = planned(Desired(US, "", keys), observation, **attempts)
    assert made.steps == {"eu-west-3": Step.WAIT, "us-east-1": Step.REMOVE}


def test_a_dropped_region_is_planned_beside_the_declared_ones() -> None:
    both = ("eu-west-3", "us-east-1")
    there, keys = {"us-east-1": ReplicaState.REPLICA}, dict.fromkeys(both[:1])
    observation = seen(dict.fromkeys(both, CREATED), dict.fromkeys(both, IN_SYNC), there, keys)
    made = planned(Desired(US, "", keys, policy=RemovalPolicy.PROMOTE), observation)
    assert made.steps == {"eu-west-3": Step.NOTHING, "us-east-1": Step.PROMOTE}


def test_tags_are_removed_last() -> None:
    claims = {"eu-west-3": ADOPTED, "us-east-1": CREATED}
    for there, steps in (
        (ReplicaState.REPLICA, {"eu-west-3": Step.WAIT, "us-east-1": Step.REMOVE}),
        (ReplicaState.STANDALONE, dict.fromkeys(claims, Step.UNTAG)),
    ):
        observation = seen(claims, dict.fromkeys(claims, IN_SYNC), {"us-east-1": there})
        assert planned(Desired(US), observation).steps == steps


def test_the_regions_of_a_step_are_sorted() -> None:
    made = Plan({"us-east-1": Step.ADD, "sa-east-1": Step.WAIT, "eu-west-3": Step.ADD}, {})
    assert made.regions(Step.ADD) == ["eu-west-3", "us-east-1"]


# Keys.


@pytest.mark.parametrize(
    ("declared", "current", "same"),
    [
        (None, KEY, True),
        ("", None, True),
        (KEY, f"arn:aws:kms:eu-west-3:000000000000:{KEY}", True),
        ("1234", "arn:aws:kms:eu-west-3:000000000000:key/1234", True),
        ("1234", "arn:aws:kms:eu-west-3:000000000000:key/5678", False),
        ("alias/app", KEY, False),
        ("1234", KEY, False),
        (None, "alias/app", False),
        (None, "arn:aws:kms:eu-west-3:000000000000:key/1234", False),
        ("arn:aws:kms:eu-west-3:111111111111:alias/a", "arn:aws:kms:eu-west-3:222222222222:alias/a", False),
        ("arn:aws:kms:eu-west-3:111111111111:key/1", "arn:aws:kms:eu-west-3:222222222222:key/1", False),
        ("alias/app", "alias/app", True),
        ("alias/app", "alias/other", False),
    ],
)
def test_two_names_of_one_key_are_recognised_without_kms(declared: str | None, current: str | None, same: bool) -> None:
    assert same_key(declared, current, never_asked) is same


def never_asked(alias: str) -> str:
    raise AssertionError(alias)


@pytest.mark.parametrize("key", ["1234", "arn:aws:kms:eu-west-3:000000000000:key/1234"])
@pytest.mark.parametrize("alias", ["alias/app", "arn:aws:kms:eu-west-3:000000000000:alias/app"])
@pytest.mark.parametrize(
    ("target", "same"),
    [
        ("arn:aws:kms:eu-west-3:000000000000:key/1234", True),
        ("arn:aws:kms:eu-west-3:000000000000:key/5678", False),
    ],
)
def test_an_alias_and_a_key_are_compared_by_what_the_alias_stands_for(
    alias: str, key: str, target: str, same: bool
) -> None:
    targets = {alias: target}
    assert same_key(alias, key, targets.__getitem__) is same_key(key, alias, targets.__getitem__) is same


def test_an_alias_of_a_key_in_another_account_is_another_key() -> None:
    here, there = (f"arn:aws:kms:eu-west-3:{account * 12}:key/1" for account in "12")
    assert not same_key("alias/app", here, lambda _: there)


# Reasons.


def reason(desired: Desired, observation: Observed, attempt: Attempt | None = None) -> str:
    made = planned(desired, observation, eu_west_3=attempt or Attempt())
    assert made.steps == {"eu-west-3": Step.FAIL}
    return made.reasons["eu-west-3"]


@pytest.mark.parametrize(
    ("claim", "who"),
    [
        (FOREIGN, "Replication of stack other"),
        (Claim(Origin.CREATED, PRIMARY, "7c9e6679", ("One", "Two")), "One and Two of stack 7c9e6679"),
        (Claim(Origin.ADOPTED, "", "somebody wrote this"), "somebody wrote this"),
    ],
)
def test_another_stacks_replica_names_the_stack_and_the_command_that_releases_it(claim: Claim, who: str) -> None:
    assert reason(Desired(US, "", {"eu-west-3": None}), observed(claim)) == (
        f"belongs to {who}. Remove it there first; if that stack is gone, release it with: "
        "aws secretsmanager untag-resource --region us-west-2 "
        "--secret-id arn:aws:secretsmanager:us-west-2:000000000000:secret:app-abcdef "
        "--tag-keys cdk-replicated-secret:eu-west-3"
    )


@pytest.mark.parametrize("force", [False, True])
def test_a_promoted_replica_is_reported_with_the_options(force: bool) -> None:
    told = reason(Desired(US, "", {"eu-west-3": None}, force), observed(CREATED, TAKEN, ReplicaState.STANDALONE))
    assert told == (
        "was promoted to a standalone secret, which may hold newer values than the primary, so it is not overwritten. "
        "To keep it, remove the Region from ReplicaRegions. To replicate to it again, save its value, delete it and "
        "redeploy: aws secretsmanager delete-secret --region eu-west-3 "
        "--secret-id arn:aws:secretsmanager:eu-west-3:000000000000:secret:app-abcdef --force-delete-without-recovery"
    )


def test_more_owners_than_a_tag_can_name_are_too_many() -> None:
    many = Claim(Origin.CREATED, PRIMARY, US.stack, ("A" * 80, "B" * 80, "C" * 40))
    assert reason(Desired(US, "", {"eu-west-3": None}), observed(many)) == (
        f"is declared by more resources of this stack than its tag can name: {'A' * 80}, {'B' * 80}, {'C' * 40}. "
        "Declare it in one of them only."
    )


@pytest.mark.parametrize(
    ("force", "advice"), [(False, "or set ForceOverwrite"), (True, "which could not be overwritten")]
)
def test_the_advice_about_a_name_that_is_taken_depends_on_force(force: bool, advice: str) -> None:
    observation = observed(CREATED, TAKEN, ReplicaState.GONE)
    assert advice in reason(Desired(US, "", {"eu-west-3": None}, force), observation, Attempt(repairs=9))


@pytest.mark.parametrize("key", ["key-1", None])
def test_a_key_that_did_not_take_effect_is_named(key: str | None) -> None:
    told = reason(
        Desired(US, "", {"eu-west-3": key}), observed(CREATED, replica(key="key-2"), key=key), Attempt(replicated=True)
    )
    assert told.startswith(f"has key key-2 although {key or KEY} was requested. Check that KmsKeyId")


@pytest.mark.parametrize("status", [IN_SYNC, HEALS])
def test_an_adopted_replica_with_another_key_says_what_to_declare(status: ReplicaStatus) -> None:
    assert reason(Desired(US, "", {"eu-west-3": "key-1"}), observed(ADOPTED, status, key="key-1")) == (
        f"existed before this resource, with key {KEY}, and its key will not be changed. "
        "Set KmsKeyId to that key, or remove the replica so that this resource makes its own."
    )

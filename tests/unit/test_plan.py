"""The planner's table, a row at a time."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from secret_replication.keys import SameKey, same_key
from secret_replication.ownership import Claim, Origin, Owner
from secret_replication.plan import Plan, Step, plan
from secret_replication.ports import ReplicaStatus
from secret_replication.properties import RemovalPolicy
from secret_replication.regions import SecretArn
from secret_replication.situation import Desired, Elsewhere, Observed, Tried
from tests.helpers.world import OTHER_STACK, PRIMARY, STACK

ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")
US = Owner.of(STACK, "Replication")
PAGE = Path(__file__).parents[2] / "docs" / "lifecycle.md"
KEY = "alias/aws/secretsmanager"
ASKED = [None, *Elsewhere]
ADOPTED = Claim(Origin.ADOPTED, PRIMARY, US)
ADOPTED_BY_ALIAS = ADOPTED.given("alias/app")
CREATED = Claim(Origin.CREATED, PRIMARY, US).given(None)
BY_ALIAS = CREATED.given("alias/app")
CHANGING = CREATED.being_given("alias/app", KEY)
SIBLING = Claim(Origin.CREATED, PRIMARY, Owner.of(STACK, "Other"))
FOREIGN = Claim(Origin.CREATED, PRIMARY, Owner.of(OTHER_STACK, "Replication"))


def replica(status: str = "InSync", message: str = "", key: str = KEY) -> ReplicaStatus:
    return ReplicaStatus("eu-west-3", status, key, message)


IN_SYNC, PENDING, STRANGE = replica(), replica("InProgress"), replica("Detached")
TAKEN = replica("Failed", "Replication failed: Secret name app already exists in region eu-west-3.")
HEALS = replica("Failed", "Replication failed: network error")
EARLIER = replica(
    "Failed", "Replication failed: Secret name app is currently replicated to eu-west-3 with a different arn"
)


def observed(
    claim: Claim | None = None, found: ReplicaStatus | None = None, elsewhere: Elsewhere | None = None
) -> Observed:
    return Observed(
        ARN,
        {"eu-west-3": found} if found else {},
        {"eu-west-3": claim} if claim else {},
        {"eu-west-3": elsewhere} if elsewhere else {},
    )


@functools.cache
def rows(heading: str) -> list[list[str]]:
    """The cells of the table of docs/lifecycle.md that follows a line, without its head."""
    _, _, after = PAGE.read_text().partition(f"\n{heading}\n\n")
    lines = list(itertools.takewhile(lambda line: line.startswith("|"), after.splitlines()))
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def first_that_fits(heading: str, meanings: list[dict[str, Callable[[Any], bool]]], case: Any) -> tuple[int, str]:
    """The row of the table that a case falls under, and its step."""
    for number, (*cells, step) in enumerate(rows(heading)):
        if all(not cell or meaning[cell](case) for cell, meaning in zip(cells, meanings, strict=True)):
            return number, step
    raise AssertionError(f"no row of the page fits {case}")


@dataclass(frozen=True, slots=True)
class Case:
    """A situation of one Region."""

    claim: Claim | None
    found: ReplicaStatus | None
    elsewhere: Elsewhere | None = None
    key: str | None = None
    force: bool = False
    tried: Tried = field(default_factory=Tried)
    policy: RemovalPolicy = RemovalPolicy.DELETE

    def is_ours(self, origin: Origin | None = None) -> bool:
        claim = self.claim
        return claim is not None and claim.owner.same_resource(US) and origin in (None, claim.origin)

    def is_theirs(self, *, same_stack: bool) -> bool:
        claim = self.claim
        return claim is not None and not self.is_ours() and claim.owner.same_stack(US) == same_stack

    def has_status(self, *statuses: str) -> bool:
        return self.found is not None and self.found.status in statuses

    @property
    def its_key(self) -> str:
        """In the table's words. ``alias/app`` may or may not be the name of key-2; the other names can be compared."""
        assert self.claim
        assert self.found
        reported = self.found.kms_key
        given = {CREATED: KEY, CHANGING: "alias/app" if reported != KEY else KEY}
        given |= dict.fromkeys((BY_ALIAS, ADOPTED_BY_ALIAS), "alias/app")
        is_given = given.get(self.claim, KEY) == (self.key or KEY)
        cannot_compare = (self.key, reported) == ("alias/app", "key-2")
        if reported == (self.key or KEY):
            return "as declared" if is_given else "as declared, under another name"
        return "as declared" if cannot_compare and is_given else "another"

    @property
    def is_tried_often_enough(self) -> bool:
        most = {TAKEN: 3 if self.force else 0, EARLIER: 8, HEALS: math.inf}[self.found]  # type: ignore[index]
        return self.tried.retries >= (most if self.tried.made else max(1, most))


TAG: dict[str, Callable[[Case], bool]] = {
    "none": lambda case: case.claim is None,
    "ours": lambda case: case.is_ours(),
    "created": lambda case: case.is_ours(Origin.CREATED),
    "adopted": lambda case: case.is_ours(Origin.ADOPTED),
    "another stack's": lambda case: case.is_theirs(same_stack=False),
    "another resource's": lambda case: case.is_theirs(same_stack=True),
    "not ours": lambda case: not case.is_ours(),
    "taken over from another resource": lambda case: case.is_ours() and bool(case.claim and case.claim.taken_from),
    "another resource's, taken over from us": lambda case: (
        case.is_theirs(same_stack=True) and bool(case.claim and case.claim.taken_from == US.logical_id)
    ),
}
REPLICA: dict[str, Callable[[Case], bool]] = {
    "absent": lambda case: case.found is None,
    "absent, its Region has it": lambda case: case.found is None and case.elsewhere is Elsewhere.REPLICA,
    "listed": lambda case: case.found is not None,
    "listed, its Region has it": lambda case: case.found is not None and case.elsewhere is Elsewhere.REPLICA,
    "listed, not InSync, its Region has it": lambda case: (
        case.has_status("InProgress", "Failed", "Detached") and case.elsewhere is Elsewhere.REPLICA
    ),
    "listed, its Region does not answer": lambda case: (
        case.found is not None and case.elsewhere is Elsewhere.UNVERIFIED
    ),
    "Failed": lambda case: case.has_status("Failed"),
    "InSync": lambda case: case.has_status("InSync"),
    "not InSync": lambda case: not case.has_status("InSync", "Failed"),
}
ITS_KEY: dict[str, Callable[[Case], bool]] = {
    words: lambda case, words=words: case.its_key == words  # type: ignore[misc]
    for words in ("as declared", "as declared, under another name", "another")
}
IN_THIS_RUN: dict[str, Callable[[Case], bool]] = {
    "tried often enough": lambda case: case.is_tried_often_enough,
    "moments ago": lambda case: case.tried.resting,
    "refused": lambda case: case.tried.refused,
    "promoted": lambda case: case.tried.promoted,
    "not promoted": lambda case: not case.tried.promoted,
    "refused, not promoted": lambda case: case.tried.refused and not case.tried.promoted,
    "replicated anew": lambda case: case.tried.made,
    "changed moments ago": lambda case: case.tried.rekeyed and case.tried.resting,
    "changed or refused": lambda case: case.tried.rekeyed or case.tried.refused,
}
POLICY: dict[str, Callable[[Case], bool]] = {
    policy.value: lambda case, policy=policy: case.policy is policy  # type: ignore[misc]
    for policy in RemovalPolicy
}


def declared() -> Iterator[Case]:
    tried = [
        Tried(made=made, retries=retries, rekeyed=rekeyed, resting=resting, refused=refused)
        for made, rekeyed, resting, refused in itertools.product((False, True), repeat=4)
        for retries in (0, 1, 2, 3, 7, 8)
    ]
    listed = [None, IN_SYNC, replica(key="key-2"), PENDING, STRANGE, TAKEN, HEALS, EARLIER]
    claims = [None, FOREIGN, SIBLING, CREATED, BY_ALIAS, CHANGING, ADOPTED_BY_ALIAS, ADOPTED.given(None)]
    keys = [None, "alias/app", "key-2"]
    for case in itertools.starmap(Case, itertools.product(claims, listed, ASKED, keys, (False, True), tried)):
        # What the Region says matters only where the list says nothing.
        if case.found is None or case.elsewhere is None:
            yield case


def undeclared() -> Iterator[Case]:
    taken = [replace(claim, taken_from="Before") for claim in (CREATED, ADOPTED)]
    theirs = [FOREIGN, SIBLING, replace(SIBLING, taken_from=US.logical_id), replace(SIBLING, taken_from="Third")]
    tried = [
        Tried(promoted=promoted, refused=refused, resting=resting)
        for promoted, refused, resting in itertools.product((False, True), repeat=3)
    ]
    for claim, found, elsewhere, policy, known in itertools.product(
        [None, CREATED, ADOPTED, *taken, *theirs], [None, IN_SYNC, PENDING, STRANGE, TAKEN], ASKED, RemovalPolicy, tried
    ):
        yield Case(claim, found, elsewhere, policy=policy, tried=known)


@pytest.mark.parametrize(
    ("heading", "meanings", "cases"),
    [
        ("A declared Region:", [TAG, REPLICA, ITS_KEY, IN_THIS_RUN], declared),
        ("A Region that is ours and no longer declared:", [TAG, POLICY, REPLICA, IN_THIS_RUN], undeclared),
    ],
)
def test_the_page_is_the_planner(heading: str, meanings: list[Any], cases: Callable[[], Iterator[Case]]) -> None:
    seen = set()
    for case in cases():
        row, words = first_that_fits(heading, meanings, case)
        seen.add(row)
        declaration = {"eu-west-3": case.key} if cases is declared else {}
        desired = Desired(US, declaration, case.force, case.policy)
        made = plan(desired, observed(case.claim, case.found, case.elsewhere), {"eu-west-3": case.tried})
        assert made.steps.get("eu-west-3", Step.NOTHING).value == words, case
        assert (made.steps.get("eu-west-3") is Step.FAIL) == bool(made.reasons.get("eu-west-3")), case
    assert seen == set(range(len(rows(heading)))), "every row is reached"


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


def test_a_good_replica_is_not_removed_to_re_key_it_while_another_region_is_not_right() -> None:
    desired = Desired(US, {"eu-west-3": "key-1", "us-east-1": None})
    tried = {"eu-west-3": Tried(rekeyed=True)}
    replicas, claims = {"eu-west-3": IN_SYNC}, {"eu-west-3": CREATED, "us-east-1": CREATED}
    for other, step in ((PENDING, Step.WAIT), (IN_SYNC, Step.REMOVE)):
        seen = Observed(ARN, replicas | {"us-east-1": other}, claims)
        assert plan(desired, seen, tried).steps["eu-west-3"] is step


def test_a_failed_replica_is_made_anew_before_a_good_one_is_re_keyed() -> None:
    desired = Desired(US, {"eu-west-3": "key-1", "us-east-1": None})
    tried = {"eu-west-3": Tried(rekeyed=True), "us-east-1": Tried(refused=True)}
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
        ("arn:aws:kms:eu-west-3:111111111111:alias/a", "arn:aws:kms:eu-west-3:222222222222:alias/a", SameKey.NO),
        ("arn:aws:kms:eu-west-3:111111111111:key/1", "arn:aws:kms:eu-west-3:222222222222:key/1", SameKey.NO),
        ("alias/app", "arn:aws:kms:eu-west-3:000000000000:key/1234", SameKey.UNKNOWN),
        ("alias/app", "alias/other", SameKey.NO),
    ],
)
def test_when_two_names_are_one_key(declared: str | None, actual: str | None, same: SameKey) -> None:
    assert same_key(declared, actual) is same


def test_where_the_tag_records_no_key_the_replica_is_taken_to_have_the_one_that_cannot_be_compared() -> None:
    seen = observed(replace(CREATED, key=""), replica(key="key-2"))
    assert plan(Desired(US, {"eu-west-3": "alias/app"}), seen).steps == {"eu-west-3": Step.RECORD}


def test_the_regions_of_a_step_are_sorted() -> None:
    made = Plan({"us-east-1": Step.ADD, "sa-east-1": Step.WAIT, "eu-west-3": Step.ADD})
    assert made.regions(Step.ADD) == ["eu-west-3", "us-east-1"]


def test_what_is_dropped_is_found_behind_what_is_declared() -> None:
    seen = Observed(
        ARN,
        {"eu-west-3": IN_SYNC, "us-east-1": IN_SYNC},
        {"eu-west-3": CREATED, "us-east-1": CREATED},
        {"us-east-1": Elsewhere.REPLICA},
    )
    made = plan(Desired(US, {"eu-west-3": None}, policy=RemovalPolicy.PROMOTE), seen)
    assert made.steps == {"eu-west-3": Step.NOTHING, "us-east-1": Step.PROMOTE}


@pytest.mark.parametrize(
    ("owner", "who"),
    [
        (Owner.of(OTHER_STACK, "Replication"), "Replication of stack other"),
        (Owner("7c9e6679", "Replication"), "Replication of stack 7c9e6679"),
        (Owner("somebody wrote this", ""), "somebody wrote this"),
    ],
)
def test_another_stacks_replica_names_the_stack_and_the_command_that_releases_it(owner: Owner, who: str) -> None:
    made = plan(Desired(US, {"eu-west-3": None}), observed(Claim(Origin.CREATED, PRIMARY, owner)))
    assert made.reasons["eu-west-3"] == (
        f"belongs to {who}. Remove it there first; if that stack is gone, release it with: "
        "aws secretsmanager untag-resource --region us-west-2 "
        "--secret-id arn:aws:secretsmanager:us-west-2:000000000000:secret:app-abcdef "
        "--tag-keys cdk-replicated-secret:eu-west-3"
    )


@pytest.mark.parametrize(("force", "advice"), [(False, "or set ForceOverwrite"), (True, "it could not be overwritten")])
def test_what_to_do_about_a_name_that_is_taken_depends_on_force(force: bool, advice: str) -> None:
    made = plan(Desired(US, {"eu-west-3": None}, force), observed(CREATED, TAKEN), {"eu-west-3": Tried(retries=9)})
    assert advice in made.reasons["eu-west-3"]


def test_a_key_that_did_not_come_is_named() -> None:
    made = plan(Desired(US, {"eu-west-3": "key-1"}), observed(CREATED, IN_SYNC), {"eu-west-3": Tried(made=True)})
    assert made.reasons["eu-west-3"] == f"has the key {KEY} although key-1 was asked for."


def test_an_adopted_replica_with_another_key_says_what_to_declare() -> None:
    made = plan(Desired(US, {"eu-west-3": "key-1"}), observed(ADOPTED, IN_SYNC))
    assert made.reasons["eu-west-3"] == (
        f"was there before this resource, with the key {KEY}, and is not re-keyed. "
        "Declare that KmsKeyId, or remove the replica so that this resource makes its own."
    )

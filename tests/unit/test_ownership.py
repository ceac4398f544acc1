"""The tags: what they say, and whom they believe."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secret_replication.keys import fingerprint
from secret_replication.ownership import Claim, Origin, Owner, claims, tag_key
from tests.helpers.world import OTHER_STACK, PRIMARY, STACK

OWNER = Owner.of(STACK, "Replication")
CREATED = Claim(Origin.CREATED, PRIMARY, OWNER).given(None)


def read(value: str, primary_region: str = PRIMARY) -> Claim | None:
    return claims({tag_key("eu-west-3"): value}, primary_region).get("eu-west-3")


def test_the_value_is_readable() -> None:
    assert CREATED.value == "created us-west-2 1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90 Replication default app"


def test_the_value_of_an_adopted_replica_names_no_key() -> None:
    claim = Claim(Origin.ADOPTED, PRIMARY, OWNER, taken_from="Before")
    assert claim.value == "adopted us-west-2 1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90 Replication/Before - app"
    assert read(claim.value) == claim


names = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=255)


@given(st.sampled_from(Origin), names, st.just("") | names, names.map(lambda name: name[:128]), st.data())
def test_what_is_written_is_read_and_fits(
    origin: Origin, logical_id: str, before: str, stack: str, data: st.DataObject
) -> None:
    stack_id = f"arn:aws:cloudformation:us-west-2:000000000000:stack/{stack}/{'0' * 36}"
    owner = Owner.of(stack_id, logical_id)
    written = Claim(origin, "ap-southeast-2", owner, Owner.of(stack_id, before).logical_id if before else "")
    for key in data.draw(st.lists(st.sampled_from([None, "alias/app", "key-1"]), max_size=2)):
        written = written.being_given(key, "key-2") if written.key else written.given(key)
    assert len(written.value) <= 256
    assert re.fullmatch(r"[\w .:/=+@-]+", written.value), "only what a tag may hold"
    claim = read(written.value, "ap-southeast-2")
    assert claim is not None
    assert claim.owner.same_resource(owner)
    assert replace(claim, owner=owner) == written


@given(names, names)
def test_two_logical_ids_are_two_owners(one: str, other: str) -> None:
    assert Owner.of(STACK, one).same_resource(Owner.of(STACK, other)) == (one == other)


@pytest.mark.parametrize("logical_id", ["a b", "x" * 300, "a b " + STACK, "ü", "created us-west-2"])
def test_a_logical_id_that_could_not_stand_in_a_tag_is_still_one_word(logical_id: str) -> None:
    owner = Owner.of(STACK, logical_id)
    claim = read(Claim(Origin.CREATED, PRIMARY, owner).value)
    assert claim is not None
    assert claim.owner.same_resource(owner)


def test_a_change_of_key_has_been_carried_out_once_aws_calls_the_key_otherwise() -> None:
    changing = CREATED.given("alias/old").being_given("alias/new", "key-1")
    assert changing.key_given("key-1") == fingerprint("alias/old")
    assert changing.key_given("key-2") == fingerprint("alias/new")
    again = changing.being_given("alias/third", "key-2")
    assert again.key_given("key-2") == fingerprint("alias/new")
    assert again.key_given("key-3") == fingerprint("alias/third")


def test_what_has_its_key_is_not_being_given_it() -> None:
    assert CREATED.being_given(None, "alias/aws/secretsmanager") == CREATED
    adopted = Claim(Origin.ADOPTED, PRIMARY, OWNER)
    assert adopted.being_given("alias/new", "key-1") == adopted


def test_another_stack_of_the_same_name_is_another_owner() -> None:
    assert not Owner.of(STACK, "R").same_stack(Owner.of(OTHER_STACK, "R"))


def test_a_tag_that_names_another_primary_region_is_a_leftover() -> None:
    assert read(Claim(Origin.CREATED, "eu-central-1", OWNER).value) is None


@pytest.mark.parametrize("value", ["", "mine", "created", "created us-west-2", "taken us-west-2 stack Replication"])
def test_a_value_that_somebody_else_wrote_is_nobodys_to_touch(value: str) -> None:
    claim = read(value)
    assert claim is not None
    assert not claim.owner.same_stack(OWNER)


def test_tags_that_are_not_ours_are_passed_over() -> None:
    assert claims({"team": "payments", "aws:cloudformation:stack-name": "app"}, PRIMARY) == {}


@pytest.mark.parametrize(
    ("value", "owner"),
    [
        ("", Owner("", "")),
        ("mine", Owner("mine", "")),
        ("created us-west-2 stack", Owner("created us-west-2 stack", "")),
        ("created us-west-2  Replication", Owner("created us-west-2  Replication", "")),
        ("kept us-west-2 stack Replication", Owner("kept us-west-2 stack Replication", "")),
    ],
)
def test_what_cannot_be_read_is_shown_as_it_is(value: str, owner: Owner) -> None:
    assert read(value) == Claim(Origin.ADOPTED, "", owner)


def test_a_value_may_end_early_or_have_more_words_in_the_stacks_name() -> None:
    assert read("created us-west-2 stack Replication") == Claim(Origin.CREATED, PRIMARY, Owner("stack", "Replication"))
    assert read("adopted us-west-2 stack R/Before - my app") == Claim(
        Origin.ADOPTED, PRIMARY, Owner("stack", "R", "my app"), "Before"
    )
    assert read("created us-west-2 stack R old/new/reported/and app") == Claim(
        Origin.CREATED, PRIMARY, Owner("stack", "R", "app"), "", "old", "new", "reported/and"
    )


@pytest.mark.parametrize(
    ("stack_id", "stack", "name"),
    [
        (STACK, "1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90", "app"),
        ("arn:aws:cloudformation:us-west-2:000000000000:stack/app/uuid/more", "uuid/more", "app"),
        ("arn:aws:cloudformation:us-west-2:000000000000:stack/app", "app", "app"),
        ("stack", "stack", ""),
    ],
)
def test_an_owner_is_told_by_the_stacks_uuid_or_what_there_is(stack_id: str, stack: str, name: str) -> None:
    assert Owner.of(stack_id, "Replication") == Owner(stack, "Replication", name)


def test_a_logical_id_that_could_not_stand_in_a_tag_keeps_its_head_and_gets_a_digest() -> None:
    digest = hashlib.sha256(b"My id 9").hexdigest()[:16]
    assert Owner.of(STACK, "My id 9").logical_id == f"My-id-9-{digest}"
    assert Owner.of(STACK, "x" * 81).logical_id.startswith("x" * 63 + "-")
    assert Owner.of(STACK, "x" * 80).logical_id == "x" * 80


def test_a_key_that_was_given_ends_the_change_to_another() -> None:
    assert CREATED.being_given("alias/new", "key-1").given("key-2") == CREATED.given("key-2")


def test_a_key_that_is_being_given_already_is_not_noted_again() -> None:
    changing = CREATED.given("alias/old").being_given("alias/new", "key-1")
    assert changing.being_given("alias/new", "key-1") == changing
    assert changing.being_given("alias/new", "key-2") == changing
    assert changing.being_given("alias/old", "key-1") == changing

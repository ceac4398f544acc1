"""The tags: what they say, and whom they believe."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secret_replication.ownership import Claim, Origin, Owner, claims, tag_key
from tests.support import OTHER_STACK, PRIMARY, STACK

OWNER = Owner.of(STACK, "Replication")


def read(value: str, primary_region: str = PRIMARY) -> Claim | None:
    return claims({tag_key("eu-west-3"): value}, primary_region).get("eu-west-3")


def test_the_value_is_readable() -> None:
    assert Claim(Origin.CREATED, PRIMARY, OWNER).value == (
        "created us-west-2 1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90 Replication app"
    )


names = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=255)


@given(st.sampled_from(Origin), names, names.map(lambda name: name[:128]))
def test_what_is_written_is_read_and_fits(origin: Origin, logical_id: str, stack: str) -> None:
    owner = Owner.of(f"arn:aws:cloudformation:us-west-2:000000000000:stack/{stack}/{'0' * 36}", logical_id)
    value = Claim(origin, "ap-southeast-2", owner).value
    assert len(value) <= 256
    assert re.fullmatch(r"[\w .:/=+@-]+", value), "only what a tag may hold"
    claim = read(value, "ap-southeast-2")
    assert claim is not None
    assert (claim.origin, claim.owner.same_resource(owner)) == (origin, True)


@given(names, names)
def test_two_logical_ids_are_two_owners(one: str, other: str) -> None:
    assert Owner.of(STACK, one).same_resource(Owner.of(STACK, other)) == (one == other)


@pytest.mark.parametrize("logical_id", ["a b", "x" * 300, "a b " + STACK, "ü", "created us-west-2"])
def test_a_logical_id_that_could_not_stand_in_a_tag_is_still_one_word(logical_id: str) -> None:
    owner = Owner.of(STACK, logical_id)
    claim = read(Claim(Origin.CREATED, PRIMARY, owner).value)
    assert claim is not None
    assert claim.owner.same_resource(owner)


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

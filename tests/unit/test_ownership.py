"""The tags: what they say, and whom they belong to."""

from __future__ import annotations

import hashlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secret_replication.ownership import Claim, Origin, Owner, claims, tag_key
from tests.helpers.world import OTHER_STACK, PRIMARY, STACK

OWNER = Owner.of(STACK, "Replication")
UUID = "1b2f6d3a-0c4e-4d6b-9a57-2f8e4c1d7a90"
CREATED = Claim.by(OWNER, Origin.CREATED, PRIMARY)

names = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", min_size=1, max_size=255)


def read(value: str, primary_region: str = PRIMARY) -> Claim | None:
    return claims({tag_key("eu-west-3"): value}, primary_region).get("eu-west-3")


def test_the_value_is_readable() -> None:
    assert CREATED.value == f"created us-west-2 {UUID} Replication app"


def test_the_value_names_every_owner_in_the_order_in_which_they_joined() -> None:
    shared = Claim.by(OWNER, Origin.ADOPTED, PRIMARY).joined_by(Owner.of(STACK, "Another"))
    assert shared.value == f"adopted us-west-2 {UUID} Replication/Another app"
    assert read(shared.value) == shared


@given(st.sampled_from(Origin), names, st.none() | names, names.map(lambda name: name[:128]))
def test_a_value_that_is_written_fits_and_is_read(origin: Origin, one: str, other: str | None, stack: str) -> None:
    stack_id = f"arn:aws:cloudformation:us-west-2:000000000000:stack/{stack}/{'0' * 36}"
    owner = Owner.of(stack_id, one)
    written = Claim.by(owner, origin, "ap-southeast-2")
    if other and other != one:
        written = written.joined_by(Owner.of(stack_id, other))
    assert written.fits
    assert len(written.value) <= 256
    assert re.fullmatch(r"[\w .:/=+@-]+", written.value), "only what a tag may hold"
    claim = read(written.value, "ap-southeast-2")
    assert claim is not None
    assert claim.owned_by(owner)
    assert (claim.origin, claim.owners, claim.stack) == (origin, written.owners, written.stack)
    assert stack.startswith(claim.stack_name)


def test_a_claim_that_is_too_long_for_a_tag_says_so() -> None:
    room = 256 - len(f"created us-west-2 {UUID} ")
    longest = Claim(Origin.CREATED, PRIMARY, UUID, ("A" * (room - 2), "B"))
    assert longest.fits
    assert not longest.joined_by(OWNER).fits


def test_an_owner_that_leaves_is_no_longer_named() -> None:
    shared = CREATED.joined_by(Owner.of(STACK, "Another"))
    assert shared.left_by(OWNER).owners == ("Another",)
    assert not shared.left_by(OWNER).owned_by(OWNER)
    assert shared.left_by(Owner.of(STACK, "Another")) == CREATED


@given(names, names)
def test_two_logical_ids_are_two_owners(one: str, other: str) -> None:
    assert (Owner.of(STACK, one) == Owner.of(STACK, other)) == (one == other)


@pytest.mark.parametrize("logical_id", ["a b", "x" * 300, "a b " + STACK, "ü", "\ud800", "created us-west-2"])
def test_a_logical_id_that_a_tag_cannot_hold_is_still_one_word(logical_id: str) -> None:
    owner = Owner.of(STACK, logical_id)
    claim = read(Claim.by(owner, Origin.CREATED, PRIMARY).value)
    assert claim is not None
    assert claim.owned_by(owner)


def test_the_same_logical_id_in_another_stack_is_another_owner() -> None:
    assert not CREATED.owned_by(Owner.of(OTHER_STACK, "Replication"))


def test_a_tag_that_names_another_primary_region_is_ignored() -> None:
    assert read(Claim.by(OWNER, Origin.CREATED, "eu-central-1").value) is None


def test_other_tags_are_ignored() -> None:
    assert claims({"team": "payments", "aws:cloudformation:stack-name": "app"}, PRIMARY) == {}


@pytest.mark.parametrize(
    "value",
    [
        "",
        "mine",
        "created",
        "created us-west-2 stack",
        "created us-west-2  Replication",
        "kept us-west-2 stack Replication",
        "taken us-west-2 stack Replication",
        "created us-west-2 stack /Replication",
    ],
)
def test_a_value_in_another_form_belongs_to_an_unknown_owner(value: str) -> None:
    assert read(value) == Claim(Origin.ADOPTED, "", value)


def test_a_value_may_end_before_the_stacks_name() -> None:
    assert read("created us-west-2 stack Replication") == Claim(Origin.CREATED, PRIMARY, "stack", ("Replication",))


@pytest.mark.parametrize(
    ("value", "owners", "stack_name"),
    [
        ("created us-west-2 stack Replication default app", ("Replication",), "app"),
        ("adopted us-west-2 stack Replication - app", ("Replication",), "app"),
        ("created us-west-2 stack Renamed/Replication 1a2b3c4d app", ("Renamed", "Replication"), "app"),
        ("created us-west-2 stack R old/new/reported/and app", ("R",), "app"),
    ],
)
def test_a_tag_of_version_0_1_is_read_as_a_list_of_owners(value: str, owners: tuple[str, ...], stack_name: str) -> None:
    """It named the owner, then who had the replica before, then the key."""
    origin = Origin(value.split(maxsplit=1)[0])
    assert read(value) == Claim(origin, PRIMARY, "stack", owners, stack_name)


@pytest.mark.parametrize(
    ("stack_id", "stack", "name"),
    [
        (STACK, UUID, "app"),
        ("arn:aws:cloudformation:us-west-2:000000000000:stack/app/uuid/more", "uuid/more", "app"),
        ("arn:aws:cloudformation:us-west-2:000000000000:stack/app", "app", "app"),
        ("stack", "stack", ""),
    ],
)
def test_an_owner_is_identified_by_the_stacks_uuid_or_what_there_is(stack_id: str, stack: str, name: str) -> None:
    assert Owner.of(stack_id, "Replication") == Owner(stack, "Replication", name)


def test_a_long_or_strange_logical_id_keeps_its_head_and_gets_a_digest() -> None:
    digest = hashlib.sha256(b"My id 9").hexdigest()[:16]
    assert Owner.of(STACK, "My id 9").logical_id == f"My-id-9-{digest}"
    assert Owner.of(STACK, "x" * 81).logical_id.startswith("x" * 63 + "-")
    assert Owner.of(STACK, "x" * 80).logical_id == "x" * 80

"""What a probe finds out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

T = TypeVar("T")


class State(Enum):
    """Whether a row of docs/design/aws-facts.md is settled."""

    SETTLED = "settled"
    WRONG = "wrong"
    MOOT = "does not arise"
    UNEXPECTED = "none of the known behaviors"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """What AWS did.

    Args:
        state: whether that settles the row.
        did: a sentence, with AWS's words where it gave any.
        value: the dialect's value, of an unknown that is settled.
    """

    state: State
    did: str
    value: Enum | None = None


class SkipError(Exception):
    """A probe could not be carried out; the message says why."""


def settled(value: Enum, did: str) -> Finding:
    """An unknown has this value."""
    return Finding(State.SETTLED, did, value)


def settled_by(values: Mapping[T, Enum], seen: T, did: str) -> Finding:
    """An unknown has the value for what was seen; if there is none, AWS did something that no dialect has."""
    return settled(values[seen], did) if seen in values else unexpected(did)


def unexpected(did: str) -> Finding:
    """AWS did something that no dialect has."""
    return Finding(State.UNEXPECTED, did)


def moot(why: str) -> Finding:
    """The question does not arise in this account."""
    return Finding(State.MOOT, why)


def holds(did: str, *, so: bool) -> Finding:
    """Whether a fact is true."""
    return Finding(State.SETTLED if so else State.WRONG, did)

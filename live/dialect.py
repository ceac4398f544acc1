"""Turns findings into a dialect, and says whether the handler is tested under it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from local.secrets_manager import Dialect, every_dialect
from local.secrets_manager.dialect import TOGETHER


def kinds() -> dict[str, type[Enum]]:
    """The unknowns' values, by row of docs/design/aws-facts.md."""
    found = {}
    for field in fields(Dialect):
        kind: type[Enum] = type(getattr(Dialect(), field.name))
        if row := re.match(r"U\d+", str(kind.__doc__)):
            found[row[0]] = kind
    return found


def dialects_of(values: Mapping[str, str | None], unknown: Collection[str] = ()) -> list[Dialect]:
    """The dialects with these values, by row: one for each value of what the calls cannot tell.

    Args:
        values: by row; what is not settled has its default.
        unknown: the rows that cannot be settled in the account.
    """
    known = kinds()
    names = dict(zip(known, (field.name for field in fields(Dialect)), strict=True))
    chosen: list[dict[str, Any]] = [
        {names[row]: known[row](value) for row, value in values.items() if row in known and value}
    ]
    for row in set(unknown) & set(known):
        chosen = [{**each, names[row]: value} for each in chosen for value in known[row]]
    return [Dialect(**each) for each in chosen]


def tested(dialects: Collection[Dialect]) -> str:
    """Whether the handler's tests run under each of some dialects, in a sentence."""
    every = set(every_dialect())
    if every.issuperset(dialects):
        return "The handler is tested under exactly this dialect."
    known = [{tuple(getattr(each, name) for name in group) for each in every} for group in TOGETHER]
    if all(
        tuple(getattr(dialect, name) for name in group) in combinations
        for dialect in dialects
        for group, combinations in zip(TOGETHER, known, strict=True)
    ):
        return "The handler is tested under these values: each in combination with those that can affect it."
    return "The handler is not tested under this dialect."

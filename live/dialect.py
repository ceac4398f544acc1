"""Turns findings into a dialect, and says whether the handler is tested under it."""

from __future__ import annotations

import re
from collections.abc import Mapping
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


def dialect_of(values: Mapping[str, str | None]) -> Dialect:
    """The dialect with these values, by row. What is not settled has its default."""
    known = kinds()
    names = dict(zip(known, (field.name for field in fields(Dialect)), strict=True))
    chosen: dict[str, Any] = {names[row]: known[row](value) for row, value in values.items() if row in known and value}
    return Dialect(**chosen)


def tested(dialect: Dialect) -> str:
    """Whether the handler's tests run under a dialect, in a sentence."""
    dialects = set(every_dialect())
    if dialect in dialects:
        return "The handler is tested under exactly this dialect."
    known = [{tuple(getattr(each, name) for name in group) for each in dialects} for group in TOGETHER]
    here = [tuple(getattr(dialect, name) for name in group) for group in TOGETHER]
    if all(values in combinations for values, combinations in zip(here, known, strict=True)):
        return "The handler is tested under these values: each in combination with those that can affect it."
    return "The handler is not tested under this dialect."

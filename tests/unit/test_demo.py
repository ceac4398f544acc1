"""What the demo shows while the CDK works."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from rich.console import Console

from local.demo.screen import Screen

COMMON = {"us-west-2 (primary)": "exists", "stack S": "UPDATE_IN_PROGRESS"}
LOOKS = (
    COMMON | {"eu-west-3": "InSync", "us-east-1": ""},
    COMMON | {"eu-west-3": "InSync", "us-east-1": "InProgress"},
    COMMON | {"eu-west-3": "InSync", "us-east-1": "InProgress"},
    COMMON | {"eu-west-3": "being removed", "us-east-1": "InSync"},
    COMMON | {"eu-west-3": "", "us-east-1": "InSync", "stack S": "UPDATE_COMPLETE"},
)


def watched(*, live: bool) -> list[str]:
    """The lines that are there at the end."""
    console = Console(file=io.StringIO(), width=110)
    looks: Iterator[dict[str, str]] = iter(LOOKS)
    with Screen(console, live=live).watch(lambda: next(looks)) as again:
        for _ in LOOKS[2:]:
            again()
    assert isinstance(console.file, io.StringIO)
    shown = re.sub(r"[ \xa0]*[0-9]+\.[0-9][ \xa0]s", " at T", console.file.getvalue())
    return [line.rstrip() for line in shown.splitlines()]


def test_where_there_is_no_terminal_each_change_is_a_line() -> None:
    assert watched(live=False) == [
        " at T  us-east-1 InProgress",
        " at T  eu-west-3 being removed, us-east-1 InSync",
        " at T  stack S UPDATE_COMPLETE, eu-west-3 gone",
    ]


def test_the_table_has_the_states_of_each_region_and_when_they_were_seen() -> None:
    assert watched(live=True) == [
        "  us-west-2 (primary)  exists",
        "  stack S              UPDATE_IN_PROGRESS → UPDATE_COMPLETE at T",
        "  eu-west-3            InSync → being removed at T → gone at T",
        "  us-east-1            InProgress at T → InSync at T",
    ]

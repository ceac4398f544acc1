"""The probes name the dialect that they meet, value by value; and they notice a fact that is wrong."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum

import pytest

from live.finding import State
from live.probe import PROBES, UNKNOWNS
from live.run import Result, run
from local.secrets_manager import Dialect, every_dialect, plausible_dialects
from local.secrets_manager import dialect as d
from tests.helpers.account import Cloud

DIALECTS = list(plausible_dialects())
NAMES = [field.name for field in fields(Dialect)]
ROWS = dict(zip((probe.__name__.upper() for probe in UNKNOWNS), NAMES, strict=True))


def expected(dialect: Dialect, row: str) -> Enum | None:
    """What a probe is to say; None where the question does not arise."""
    if row == "U14" and dialect.after_stop is d.AfterStop.GONE:
        return None
    value: Enum = getattr(dialect, ROWS[row])
    return value


def differences(dialect: Dialect, results: list[Result]) -> dict[str, str]:
    found = {}
    for result in results:
        if result.row in ROWS:
            wanted = expected(dialect, result.row)
            right = (result.finding.value, result.finding.state) == (wanted, State.SETTLED if wanted else State.MOOT)
        else:
            right = result.finding.state in (State.SETTLED, State.MOOT)
        if not right:
            found[result.row] = f"{result.finding}"
    return found


@pytest.mark.parametrize("number", range(len(DIALECTS)))
def test_each_row_is_settled_as_the_dialect_has_it(number: int) -> None:
    dialect = DIALECTS[number]
    cloud = Cloud(dialect)
    assert differences(dialect, run(cloud.account(), PROBES)) == {}


def test_every_dialect_is_named() -> None:
    for dialect in every_dialect():
        unknowns = {row: PROBES[row] for row in ROWS}
        assert differences(dialect, run(Cloud(dialect).account(), unknowns)) == {}, dialect


@pytest.mark.parametrize(("lag", "seed"), [(2.0, 0), (10.0, 1), (10.0, 2)])
def test_reads_that_lag_change_nothing(lag: float, seed: int) -> None:
    for dialect in DIALECTS:
        cloud = Cloud(dialect, lag, seed)
        assert differences(dialect, run(cloud.account(), PROBES)) == {}, dialect

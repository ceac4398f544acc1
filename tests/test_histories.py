"""Made-up histories, in pieces that can run at the same time."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.histories import Histories

PIECES, EXAMPLES = 4, 500


@pytest.mark.parametrize("piece", range(PIECES))
def test_histories(piece: int) -> None:
    run_state_machine_as_test(
        Histories,
        settings=settings(
            max_examples=EXAMPLES, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

"""What a run remembers of its calls in one Region."""

from __future__ import annotations

import pytest

from secret_replication.attempts import Attempt
from secret_replication.clock import LAG
from secret_replication.errors import RejectedError
from secret_replication.model import Step

NOW = 100.0
PARAMETER = RejectedError("InvalidParameterException: already replicated")
KEY = RejectedError("InvalidParameterException: the KMS key is not valid")


def test_a_first_addition_is_not_a_repair() -> None:
    attempt = Attempt(rejected=Step.ADD)
    attempt.note_added(NOW)
    assert (attempt.added, attempt.replicated, attempt.repairs) == (True, True, 0)
    assert (attempt.rejected, attempt.not_before) == (None, NOW + LAG)


def test_a_second_addition_is_a_repair() -> None:
    attempt = Attempt(replicated=True)
    attempt.note_added(NOW)
    assert (attempt.repairs, attempt.not_before) == (1, NOW + LAG)


def test_repairs_are_5_to_30_seconds_apart() -> None:
    attempt, rests = Attempt(), []
    for _ in range(5):
        attempt.note_repaired(NOW)
        rests.append(attempt.not_before - NOW)
    assert rests == [5, 10, 20, 30, 30]
    assert attempt.repairs == 5


def test_a_key_change_shows_after_some_seconds() -> None:
    attempt = Attempt()
    attempt.note_key_changed(NOW)
    assert (attempt.key_changed, attempt.not_before) == (True, NOW + LAG)


def test_a_removal_ends_a_rejection() -> None:
    attempt = Attempt(rejected=Step.REPLICATE)
    attempt.note_removed(NOW)
    assert (attempt.rejected, attempt.not_before) == (None, NOW + LAG)


@pytest.mark.parametrize("step", [Step.ADD, Step.PROMOTE, Step.REMOVE, Step.REPLICATE])
def test_a_second_rejection_of_the_same_step_is_final(step: Step) -> None:
    attempt = Attempt()
    assert not attempt.note_rejected(step, KEY, NOW)
    assert attempt.not_before == NOW + LAG
    assert attempt.rejected is (step if step in (Step.ADD, Step.PROMOTE) else None)
    assert attempt.note_rejected(step, KEY, NOW)


def test_a_rejection_of_another_step_is_not_final() -> None:
    attempt = Attempt()
    attempt.note_rejected(Step.ADD, PARAMETER, NOW)
    assert not attempt.note_rejected(Step.REMOVE, PARAMETER, NOW)


@pytest.mark.parametrize("code", ["InvalidParameterException", "InvalidRequestException"])
def test_a_replica_that_aws_does_not_replicate_over_can_be_removed(code: str) -> None:
    attempt = Attempt()
    for _ in range(2):
        assert not attempt.note_rejected(Step.REPLICATE, RejectedError(f"{code}: already replicated"), NOW)
        assert attempt.rejected is Step.REPLICATE


@pytest.mark.parametrize("error", [KEY, RejectedError("LimitExceededException: quota")])
def test_a_rejection_for_another_cause_removes_no_replica(error: RejectedError) -> None:
    attempt = Attempt()
    assert not attempt.note_rejected(Step.REPLICATE, error, NOW)
    assert attempt.rejected is None

"""Runs random histories of stacks, and events that CloudFormation would never send, until time runs out.

``python -m tools.soak`` prints the seed of each round. ``--seed`` repeats a round, and ``--shrink`` shortens what
failed. Each round has a dedicated process: docs/design/decisions/0006-a-soak-runner.md says why.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.helpers.histories import Histories
from tests.helpers.hostile_events import check, events

PROCESSES = 2
# Of each in a round.
HISTORIES, EVENTS = 250, 250
# In a history, at most.
STEPS = 12


def main() -> int:
    """Run rounds until time runs out, enough have run, or one fails."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10**9, help="stop after this many rounds")
    parser.add_argument("--seed", type=int, help="seed of the first round; each later round has the next number")
    parser.add_argument("--shrink", action="store_true", help="shorten what fails, which takes minutes")
    options = parser.parse_args()
    first = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    end, started, rounds, failed = time.monotonic() + 60 * options.minutes, 0, 0, 0
    os.environ["PYTHONHASHSEED"] = "0"  # for the processes
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(PROCESSES, context, max_tasks_per_child=1) as pool:
        running: dict[Future[str], int] = {}
        while True:
            while len(running) < PROCESSES and started < options.rounds and not failed and time.monotonic() < end:
                number, started = first + started, started + 1
                running[pool.submit(play, number, shrink=options.shrink)] = number
            if not running:
                break
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                number, problem = running.pop(done), done.result()
                print(f"seed {number}: {problem or 'ok'}", flush=True)
                rounds, failed = rounds + 1, failed + bool(problem)
    print(f"{rounds} rounds of {HISTORIES} histories and {EVENTS} events, {failed} failed")
    return int(bool(failed))


def play(number: int, *, shrink: bool = False) -> str:
    """Run one round. Returns the traceback of its failure, or an empty string."""
    profile = settings(
        max_examples=HISTORIES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    class Round(Histories):
        """A new class for each round, because Hypothesis stores the seed in the class."""

    @seed(number)
    @settings(profile, max_examples=EVENTS)
    @given(events())
    def fuzz(request: object) -> None:
        check(request)

    try:
        run_state_machine_as_test(Round, settings=profile)
        fuzz()
    except BaseException as error:  # noqa: BLE001 - every failure is printed with its seed
        return "".join(traceback.format_exception(error))
    return ""


if __name__ == "__main__":
    sys.exit(main())

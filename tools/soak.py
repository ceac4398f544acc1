"""Histories, and events that nobody would send, for as long as one likes: ``python -m tools.soak --minutes 10``.

Each round has a seed, which is printed: with ``--seed`` what failed can be had again, and with ``--shrink`` made short.
For that each has a process of its own: what Hypothesis makes up depends on the modules that are loaded.
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
EVENTS = 2000


def main() -> int:
    """Run rounds until the time is over, or there were enough, or one fails."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rounds", type=int, default=10**9, help="no more than so many")
    parser.add_argument("--examples", type=int, default=250, help="histories in a round")
    parser.add_argument("--steps", type=int, default=12, help="steps in a history, at most")
    parser.add_argument("--seed", type=int, help="the first round's; the next ones' follow")
    parser.add_argument("--shrink", action="store_true", help="make short what fails, which takes minutes")
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
                running[pool.submit(play, number, options.examples, options.steps, shrink=options.shrink)] = number
            if not running:
                break
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                number, problem = running.pop(done), done.result()
                print(f"seed {number}: {problem or 'ok'}", flush=True)
                rounds, failed = rounds + 1, failed + bool(problem)
    print(f"{rounds} rounds of {options.examples} histories and {EVENTS} events, {failed} failed")
    return int(bool(failed))


def play(number: int, examples: int, steps: int, *, shrink: bool = False) -> str:
    """One round; how it failed, or nothing. To make a failure short takes minutes."""
    profile = settings(
        max_examples=examples,
        stateful_step_count=steps,
        deadline=None,
        database=None,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    class Round(Histories):
        """A class of its own: Hypothesis keeps the seed on it."""

    @seed(number)
    @settings(profile, max_examples=EVENTS)
    @given(events())
    def fuzz(request: object) -> None:
        check(request)

    try:
        run_state_machine_as_test(Round, settings=profile)
        fuzz()
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        return "".join(traceback.format_exception(error))
    return ""


if __name__ == "__main__":
    sys.exit(main())

"""Histories for as long as one likes: ``python -m tests.soak --minutes 10``.

Each round has a seed, which is printed: with ``--seed`` what failed can be had again.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
import traceback
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait

from hypothesis import HealthCheck, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.histories import Histories

EXAMPLES, STEPS, PROCESSES = 300, 25, 2


def main() -> int:
    """Run rounds until the time is over or one fails."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, help="run this round alone")
    options = parser.parse_args()
    if options.seed is not None:
        return _told(options.seed, play(options.seed))
    end, rounds, failed = time.monotonic() + 60 * options.minutes, 0, 0
    with ProcessPoolExecutor(PROCESSES) as pool:
        running: dict[Future[str], int] = {}
        while not failed and (running or time.monotonic() < end):
            while len(running) < PROCESSES and time.monotonic() < end:
                number = random.SystemRandom().randrange(2**32)
                running[pool.submit(play, number)] = number
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                rounds += 1
                failed += _told(running.pop(done), done.result())
    print(f"{rounds} rounds of {EXAMPLES} histories, {failed} failed")
    return int(bool(failed))


def play(number: int) -> str:
    """One round; how it failed, or nothing."""
    profile = settings(
        max_examples=EXAMPLES,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    @seed(number)
    class Round(Histories):
        """A class of its own: Hypothesis keeps the seed on it."""

    try:
        run_state_machine_as_test(Round, settings=profile)
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        return "".join(traceback.format_exception(error))
    return ""


def _told(number: int, problem: str) -> int:
    print(f"seed {number}: {problem or 'ok'}", flush=True)
    return int(bool(problem))


if __name__ == "__main__":
    sys.exit(main())

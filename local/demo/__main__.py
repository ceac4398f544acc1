"""``python -m local.demo``: plays a story on local AWS, and checks every result that it shows."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import tempfile
import time
from pathlib import Path
from types import FrameType

from rich.console import Console

from local.cdk import Cdk, CdkError
from local.server import LocalAws, LocalAwsError

from . import failure, story
from .account import Account, DemoError
from .screen import Screen

# A removal takes AWS 40 to 90 s; the demo shows it, and does not make the reader wait for it.
SPEED = 10.0
_COMMANDS = """
npx cdk deploy --require-approval never    # a new secret
aws secretsmanager create-secret --name app/orders --secret-string test
npx cdk deploy --require-approval never -c secretId=app/orders    # an existing one, in its own stack
aws secretsmanager list-secrets --region eu-west-3"""


def main() -> int:
    """Run the demo. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m local.demo", description=__doc__)
    parser.add_argument("--fail", action="store_true", help="show what happens if a replica's name is taken")
    parser.add_argument("--keep", action="store_true", help="leave local AWS running, and print how to use it")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, _interrupt)
    is_terminal = sys.stdout.isatty()
    console = Console(highlight=False, soft_wrap=not is_terminal, emoji=False)
    return run(console, live=is_terminal, fail=arguments.fail, keep=arguments.keep)


def run(console: Console, *, live: bool, fail: bool = False, keep: bool = False) -> int:
    """Play a story.

    Args:
        console: Where to.
        live: Whether to show a table that changes in place.
        fail: Play the one that fails.
        keep: Leave local AWS running until Ctrl-C.

    Returns:
        The process's exit code.
    """
    started, told, screen = time.monotonic(), failure if fail else story, Screen(console, live=live)
    try:
        with tempfile.TemporaryDirectory() as scratch, LocalAws(SPEED) as aws:
            screen.say(
                f"Local AWS on {aws.endpoint}, replicating {SPEED:g} times as fast as AWS. About {told.SECONDS} s."
            )
            told.play(Cdk(aws.environment, Path(scratch)), Account(aws), screen)
            screen.say(f"\nAll checks passed in {time.monotonic() - started:.0f} s.", "bold green")
            if keep:
                _keep(aws, screen)
    except (DemoError, CdkError, LocalAwsError) as error:
        screen.say(f"\nThe demo failed: {error}", "bold red")
        return 1
    except KeyboardInterrupt:
        screen.say("\nInterrupted; local AWS is stopped.")
        return 130
    return 0


def _keep(aws: LocalAws, screen: Screen) -> None:
    screen.say("\nLocal AWS is still running; press Ctrl-C to stop it. In another terminal:\n")
    for name, value in aws.environment.items():
        screen.say(f"export {name}={shlex.quote(value)}")
    screen.say(_COMMANDS)
    aws.wait()


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

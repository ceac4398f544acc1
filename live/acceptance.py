"""Runs the end-to-end tests on the account: the same tests that run on local AWS."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from .account import Account, Call

ROOT = Path(__file__).parent.parent
LOG = Path("build") / "live" / "acceptance.txt"
BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_OUTCOME = re.compile(r"^(PASSED|FAILED|ERROR) (\S+)(?: - (.*))?$", re.MULTILINE)
_SKIPPED = re.compile(r"^SKIPPED \[\d+\] (\S+): (.*)$", re.MULTILINE)


def accept(account: Account, environment: Mapping[str, str]) -> dict[str, str]:
    """Run the end-to-end tests.

    Args:
        account: the account.
        environment: the variables that make `cdk` and boto3 use the account.

    Returns:
        The outcome of each test. What pytest prints goes to ``build/live/acceptance.txt``.
    """
    calls: list[Call] = []
    reply = account.call(calls, "ssm", "get_parameter", Name=BOOTSTRAP)
    if reply.code:
        return {"all": f"skipped: {account.home} is not bootstrapped; run `npx cdk bootstrap` first ({reply.words})"}
    if not account.third:
        return {"all": "skipped: the account has no fourth enabled Region, which the tests need"}
    regions = ",".join((*account.replicas, account.third))
    command = [sys.executable, "-m", "pytest", "tests/e2e", "-m", "live", "-p", "no:cacheprovider", "-rA", "-v"]
    command += ["-o", "console_output_style=classic"]
    home = {"AWS_REGION": account.home, "AWS_DEFAULT_REGION": account.home}
    # Else pytest shortens its reasons.
    home |= {"COLUMNS": "1000"}
    output = to_its_end([*command, "--live", account.run, "--live-regions", regions], {**environment, **home})
    return outcomes(output) or {"all": f"failed: see {LOG}"}


def to_its_end(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Run a command, and let it finish even after Ctrl-C, because a deployment must not outlive it.

    Returns:
        What it printed, which also goes to ``build/live/acceptance.txt``.
    """
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("w") as log:
        # In a session of its own, so that Ctrl-C reaches it once.
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=log, start_new_session=True
        )
        try:
            process.wait()
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGINT)
                process.wait()
    return LOG.read_text()


def outcomes(output: str) -> dict[str, str]:
    """What pytest says of each test."""
    found = {
        name.rpartition("::")[2]: outcome.lower() + (f": {why}" if why else "")
        for outcome, name, why in _OUTCOME.findall(output)
    }
    return found | {where: f"skipped: {why}" for where, why in _SKIPPED.findall(output) if "needs local AWS" not in why}

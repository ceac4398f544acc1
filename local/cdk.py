"""The CDK CLI on local AWS: bootstrap, deploy and destroy, as a user would run them."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from .server import ACCOUNT, REGION, clean_environment

ROOT = Path(__file__).parent.parent
CLI = ROOT / "node_modules" / ".bin" / "cdk"
_LOOK_EVERY = 0.25
_QUIET = {
    "CI": "true",
    "NO_COLOR": "1",
    # Otherwise the AWS SDK in the CDK CLI warns on every run that Node 20 is old.
    "NODE_NO_WARNINGS": "1",
    # aws-cdk-lib's own validation takes 3 s of each synthesis; `make scan` checks the templates.
    "CDK_VALIDATION": "false",
}


class CdkError(Exception):
    """A command failed; the message holds what it printed."""


class Cdk:
    """``cdk`` with the environment of local AWS.

    Args:
        environment: the variables that point it at local AWS.
        assembly: the folder that cloud assemblies go to.
        folder: the folder to run in, which has ``cdk.json`` and keeps lookups.
        tags: the tags of what is deployed.
    """

    def __init__(
        self,
        environment: Mapping[str, str],
        assembly: Path,
        folder: Path = ROOT,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._environment = clean_environment() | _QUIET | dict(environment)
        self._assembly, self._folder = assembly, folder
        self._tags = [f"--tags={key}={value}" for key, value in (tags or {}).items()]

    def bootstrap(self) -> str:
        """``cdk bootstrap``, without an app: it would be synthesized for nothing."""
        return self.run("bootstrap", f"aws://{ACCOUNT}/{REGION}", "--app", "")

    def deploy(
        self, stack: str, context: Mapping[str, str] | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> str:
        """``cdk deploy``."""
        return self.run("deploy", stack, "--require-approval", "never", context=context, meanwhile=meanwhile)

    def destroy(
        self, stack: str, context: Mapping[str, str] | None = None, meanwhile: Callable[[], None] = lambda: None
    ) -> str:
        """``cdk destroy``."""
        return self.run("destroy", stack, "--force", context=context, meanwhile=meanwhile)

    def run(
        self,
        *arguments: str,
        context: Mapping[str, str] | None = None,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> str:
        """Run a command to its end; ``meanwhile`` is called several times a second until then.

        Returns:
            What it printed.

        Raises:
            CdkError: If it failed.
        """
        pairs = [f"--context={key}={value}" for key, value in (context or {}).items()]
        tags = self._tags if arguments[0] == "deploy" else []
        command = [str(CLI), *arguments, *pairs, *tags, "--no-notices", "--output", str(self._assembly)]
        with tempfile.TemporaryFile("w+") as log:
            process = subprocess.Popen(
                command,
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                while process.poll() is None:
                    meanwhile()
                    _wait_a_little(process)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            log.seek(0)
            output = log.read()
        if process.returncode:
            raise CdkError(f"cdk {arguments[0]} failed with exit code {process.returncode}:\n{output}")
        return output


def _wait_a_little(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_LOOK_EVERY)

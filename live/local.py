"""``LOCAL=1``: local AWS with IAM enforced, as a user who has the permissions of docs/guide/live.md and no others."""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from local.cdk import Cdk
from local.server import ACCOUNT, REGION, LocalAws

from .account import Connect
from .clients import connector
from .preflight import PREFERRED

SPEED = 20.0
_PAGE = Path(__file__).parent.parent / "docs" / "guide" / "live.md"
_USER = "live"


class HurriedClock:
    """The machine's time, sped up."""

    def __init__(self, speed: float) -> None:
        self._speed, self._started = speed, time.time()

    def now(self) -> float:
        """Epoch seconds."""
        return self._started + (time.time() - self._started) * self._speed

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds / self._speed)


def policy() -> str:
    """The policy document of docs/guide/live.md, which names the permissions that a run needs."""
    found = re.search(r"^```json\n(.*?)^```$", _PAGE.read_text(), re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError(f"{_PAGE} has no policy")
    return json.dumps(json.loads(found[1]))


@contextlib.contextmanager
def local_aws(*, bootstrapped: bool) -> Iterator[tuple[Connect, dict[str, str]]]:
    """Start local AWS. Yields the user's clients, and the environment for other programs.

    Args:
        bootstrapped: whether the CDK can deploy there.
    """
    with LocalAws(speed=SPEED, auth=True) as aws:
        iam = aws.client("iam")
        iam.create_user(UserName=_USER)
        iam.put_user_policy(UserName=_USER, PolicyName=_USER, PolicyDocument=policy())
        made = iam.create_access_key(UserName=_USER)["AccessKey"]
        own = {name: str(made[name]) for name in ("AccessKeyId", "SecretAccessKey")}
        if bootstrapped:
            with tempfile.TemporaryDirectory() as scratch:
                regions = (f"aws://{ACCOUNT}/{region}" for region in (REGION, *PREFERRED))
                Cdk(aws.environment, Path(scratch)).run("bootstrap", *regions)
        environment = {"AWS_ACCESS_KEY_ID": own["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": own["SecretAccessKey"]}
        yield connector(aws.endpoint, own), aws.environment | environment

"""The monitor over a world of Secrets Manager."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from replication_monitor.model import Finding, Rules
from replication_monitor.scan import Scan
from replication_monitor.secrets_manager import Boto3Secrets
from tests.helpers.world import PRIMARY, World


class OneAtATime:
    """A client whose calls wait for each other: the model knows no threads."""

    def __init__(self, inner: Any, lock: threading.Lock) -> None:
        self._inner, self._lock = inner, lock

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**parameters: Any) -> Any:
            with self._lock:
                return getattr(self._inner, name)(**parameters)

        return call


def secrets(world: World, region: str = PRIMARY) -> Boto3Secrets:
    """The adapter over this world."""
    lock = threading.Lock()
    return Boto3Secrets(region, lambda _, where: OneAtATime(world.client(where), lock))


def scan(world: World, rules: Rules | None = None, region: str = PRIMARY, **more: Any) -> Scan:
    """A scan of this world."""
    return Scan(secrets(world, region), region, rules or Rules(), world.clock.now, **more)


def findings(scan: Scan) -> list[Finding]:
    """All of its findings."""
    return [finding for of_secret in scan.run() for finding in of_secret]

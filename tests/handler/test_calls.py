"""How much of our own code one Create passes through: a reader should be able to follow it."""

from __future__ import annotations

import sys
from collections import Counter
from types import FrameType
from typing import Any

from local.secrets_manager import Delays
from secret_replication.model import SecretArn
from secret_replication.ownership import Owner
from secret_replication.secrets_manager import Boto3SecretsManager
from tests.helpers.world import World, event

MODULES, CALLS = 16, 230


def calls_of(world: World, request: dict[str, Any]) -> Counter[tuple[str, str]]:
    """The calls of functions of the handler, by module and qualified name."""
    made: Counter[tuple[str, str]] = Counter()

    def note(frame: FrameType, what: str, _: object) -> None:
        package, _, module = frame.f_globals.get("__name__", "").partition(".")
        name = frame.f_code.co_qualname
        # Functions and methods: comprehensions have no name of their own, and dataclasses write their own constructors.
        if what == "call" and package == "secret_replication" and not name.endswith(">") and "<locals>" not in name:
            made[module, name] += 1

    sys.setprofile(note)
    try:
        assert world.deliver(request)
    finally:
        sys.setprofile(None)
    return made


def test_one_create_of_two_regions_is_short(world: World) -> None:
    # InSync when observed for the third time.
    world.model.replication.delays = Delays(in_sync=1.0)
    made = calls_of(world, event(regions=("eu-west-3", "us-east-1")))
    described = world.journal.calls.count("describe us-west-2")
    assert len({module for module, _ in made}) <= MODULES
    assert made.total() <= CALLS, made.most_common()
    assert made["ownership", Owner.of.__qualname__] == 1, "the owner is derived once"
    # One in the request, to see whether the physical id is an ARN.
    assert made["model", SecretArn.parse.__qualname__] <= described + 1, "the ARN is parsed once for each response"
    assert made["secrets_manager", Boto3SecretsManager.describe.__qualname__] == described

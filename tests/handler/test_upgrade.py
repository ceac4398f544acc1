"""Stacks that version 0.1 deployed: its tags are read, and nothing is touched by the upgrade.

``version_0_1.zip`` holds the sources of its function.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.clock import SystemClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import Endpoint, client
from tests.helpers.world import PRIMARY, TAG, event

VERSION_0_1 = Path(__file__).with_name("version_0_1.zip")
THIS_VERSION = Path(__file__).parents[2] / "handler"
NAME = "app/database"
KEY = "arn:aws:kms:eu-west-3:000000000000:key/1"
_LAMBDA = """
import json, sys, time
from types import SimpleNamespace
from secret_replication.main import handler

end = time.monotonic() + 60
context = SimpleNamespace(get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000))
handler(json.load(sys.stdin), context)
"""


class Account(Endpoint):
    """Secrets Manager, and the URL that takes the responses."""

    def __init__(self) -> None:
        self.model = SecretsManager(SystemClock(), Delays(in_sync=0.1, gone=0.2))
        super().__init__(self.model)
        self.responses: list[dict[str, Any]] = []
        self.secret = client(self.model, PRIMARY)
        self.arn: str = self.secret.create_secret(Name=NAME, SecretString="hunter2")["ARN"]

    def put(self, path: str, body: bytes) -> tuple[int, bytes]:
        self.responses.append(json.loads(body))
        return 200, b""

    def serve(self, version: Path, request: str, logical_id: str, **changes: Any) -> None:
        """Let a version of the function serve a request, in a Python of its own."""
        known = {} if request == "Create" else {"PhysicalResourceId": self.arn}
        sent = event(request, LogicalResourceId=logical_id, ResponseURL=f"{self.url}/response", **known, **changes)
        environment = os.environ | {
            "PYTHONPATH": str(version),
            "AWS_REGION": PRIMARY,
            "AWS_ENDPOINT_URL": self.url,
        }
        subprocess.run([sys.executable, "-c", _LAMBDA], input=json.dumps(sent), text=True, env=environment, check=True)
        response = self.responses.pop()
        assert response["Status"] == "SUCCESS", response["Reason"]
        assert response["PhysicalResourceId"] == self.arn

    def tags(self) -> dict[str, list[str]]:
        """Region to the words of the tag."""
        tags = self.secret.describe_secret(SecretId=NAME)["Tags"]
        return {tag["Key"].removeprefix(TAG): tag["Value"].split() for tag in tags}

    def writes(self) -> list[str]:
        """The calls since the last time, but those that only read."""
        made = [call.operation for call in self.model.journal if call.operation != "DescribeSecret"]
        self.model.journal.clear()
        return made


@pytest.fixture
def account() -> Iterator[Account]:
    with Account() as endpoint:
        yield endpoint


def test_a_stack_of_version_0_1_is_upgraded_renamed_and_deleted(account: Account) -> None:
    account.model.script.point_alias("alias/app", KEY)
    regions = [{"Region": "eu-west-3", "KmsKeyId": KEY}, "us-east-1"]
    account.serve(VERSION_0_1, "Create", "One", regions=regions)
    (uuid,) = {words[2] for words in account.tags().values()}
    assert account.tags()["us-east-1"] == ["created", PRIMARY, uuid, "One", "default", "app"]
    account.writes()
    account.serve(THIS_VERSION, "Update", "One", regions=regions)
    assert account.writes() == []
    account.serve(THIS_VERSION, "Create", "Two", regions=regions)
    assert account.tags()["us-east-1"] == ["created", PRIMARY, uuid, "One/Two", "app"]
    account.serve(THIS_VERSION, "Delete", "One", regions=regions)
    assert account.tags()["us-east-1"] == ["created", PRIMARY, uuid, "Two", "app"]
    assert account.writes() == ["TagResource", "TagResource"]
    account.serve(THIS_VERSION, "Delete", "Two", regions=regions)
    assert account.tags() == {}
    assert not any(account.model.find(region, NAME) for region in ("eu-west-3", "us-east-1"))


def test_a_rename_that_version_0_1_began_is_finished(account: Account) -> None:
    account.serve(VERSION_0_1, "Create", "One")
    account.serve(VERSION_0_1, "Create", "Two")
    assert account.tags()["eu-west-3"][3] == "Two/One"
    account.serve(THIS_VERSION, "Delete", "One")
    assert account.tags()["eu-west-3"][3] == "Two"
    assert account.model.find("eu-west-3", NAME)


def test_a_rename_that_version_0_1_began_is_rolled_back(account: Account) -> None:
    account.serve(VERSION_0_1, "Create", "One")
    account.serve(VERSION_0_1, "Create", "Two")
    account.serve(THIS_VERSION, "Delete", "Two")
    assert account.tags()["eu-west-3"][3] == "One"
    account.serve(THIS_VERSION, "Delete", "One")
    assert account.model.find("eu-west-3", NAME) is None


def test_a_provider_that_is_rolled_back_to_version_0_1_still_serves(account: Account) -> None:
    account.serve(THIS_VERSION, "Create", "One")
    account.serve(VERSION_0_1, "Update", "One", regions=("eu-west-3", "us-east-1"))
    account.serve(VERSION_0_1, "Delete", "One")
    assert account.tags() == {}
    assert account.model.find("eu-west-3", NAME) is None

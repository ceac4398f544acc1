"""What many tests share: a world of Secrets Manager in which time costs nothing."""

from __future__ import annotations

import os

import pytest

from tests.support import World

# No test speaks to a real account, whatever the machine's environment says.
os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true")


@pytest.fixture
def world() -> World:
    return World()

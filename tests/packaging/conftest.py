"""What ``make dist`` builds for plain CloudFormation, built once."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudformation.__main__ import build


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    build(folder)
    return folder

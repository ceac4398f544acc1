"""What many tests share: a world of Secrets Manager in which time costs nothing."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from _pytest.nodeid import coerce_node_id

from tests.helpers.parent import end_with_parent
from tests.helpers.world import SECRETS, World


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--live", default="", metavar="RUN", help="on the environment's AWS account, as `make live` does")
    parser.addoption("--live-regions", default="", metavar="REGIONS", help="three for replicas, with --live")


def pytest_configure(config: pytest.Config) -> None:
    """Without --live no test speaks to a real account, whatever the machine's environment says."""
    if config.getoption("--live"):
        end_with_parent()
    else:
        os.environ.update(AWS_ACCESS_KEY_ID="test", AWS_SECRET_ACCESS_KEY="test", AWS_EC2_METADATA_DISABLED="true")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """What pytest-xdist 3.8 does for its groups, where pytest 9.2 keeps an id: else a group comes to every worker."""
    for item in items if config.getoption("--live") else []:
        if not item.get_closest_marker("live"):
            item.add_marker(pytest.mark.skip(reason="needs local AWS"))
    for item in items if config.getoption("loadgroup", False) else []:
        group = item.get_closest_marker("xdist_group")
        if group and "@" not in item.nodeid.rpartition("::")[2]:
            item._id = coerce_node_id(f"{item.nodeid}@{group.args[0]}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """After every test: nothing that it printed or logged holds a value, a token or a ResponseURL."""
    report = yield
    told = "".join(text for title, text in report.sections if title.startswith("Captured"))
    if "shows_a_leak" in report.keywords:
        return report
    if report.passed and (leaked := [secret for secret in SECRETS if secret in told]):
        report.outcome, report.longrepr = "failed", f"{leaked} in what was printed or logged:\n{told}"
    return report


@pytest.fixture
def world() -> World:
    return World()

"""The end-to-end tests on an account: when they run, and what their outcomes are."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from live.acceptance import LOG, accept, outcomes, to_its_end
from live.report import Report
from tests.helpers.account import Cloud
from tests.live.test_report import RECORDED

ROOT = Path(__file__).parents[2]
TOLD = """\
..F [100%]
PASSED tests/e2e/test_e2e.py::test_create
FAILED tests/e2e/test_auth.py::test_roles - AssertionError: arn:aws:iam::111122223333:role/x
ERROR tests/e2e/test_auth.py::test_keys
SKIPPED [1] tests/e2e/test_e2e.py:60: the account has a stack
SKIPPED [12] tests/e2e/test_e2e.py:90: needs local AWS
"""


def test_the_outcome_of_each_test_is_read() -> None:
    assert outcomes(TOLD) == {
        "test_create": "passed",
        "test_roles": "failed: AssertionError: arn:aws:iam::111122223333:role/x",
        "test_keys": "error",
        "tests/e2e/test_e2e.py:60": "skipped: the account has a stack",
    }


def test_failed_tests_are_named_and_redacted() -> None:
    cloud = Cloud()
    report = Report.of(cloud.account(), [], outcomes(TOLD), 1)
    assert report.failed == ["test_roles", "test_keys"]
    assert "Failed acceptance tests: test_roles, test_keys." in report.verdict
    assert "111122223333" not in report.markdown()


CLEANS_UP = """
import time
print("started", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.5)
    print("cleaned up")
"""


def test_ctrl_c_lets_the_end_to_end_tests_end_what_they_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    wait, waits = subprocess.Popen.wait, itertools.count()

    def interrupted(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if next(waits):
            return wait(process, timeout)
        while "started" not in LOG.read_text():
            time.sleep(0.05)
        raise KeyboardInterrupt

    monkeypatch.setattr(subprocess.Popen, "wait", interrupted)
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            to_its_end([sys.executable, "-c", CLEANS_UP], {})
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert LOG.read_text() == "started\ncleaned up\n"


DEPLOYS = """
import signal, time
from tests.helpers.parent import end_with_parent
signal.signal(signal.SIGINT, signal.default_int_handler)
end_with_parent()
print("started", flush=True)
try:
    time.sleep(60)
except KeyboardInterrupt:
    print("ended", flush=True)
"""
STARTS = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', sys.argv[1]], start_new_session=True).wait()"


def test_the_end_to_end_tests_end_when_the_run_is_killed() -> None:
    command = [sys.executable, "-c", STARTS, DEPLOYS]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout
        assert run.stdout.readline() == "started\n"
        run.kill()
        assert run.stdout.readline() == "ended\n"


def test_a_region_that_is_not_bootstrapped_skips_them() -> None:
    account = Cloud().account()
    (said,) = accept(account, {}).values()
    assert said.startswith("skipped: us-west-2 is not bootstrapped")
    assert Report(RECORDED | {"tests": {"all": said}}).failed == []


def test_without_live_no_end_to_end_test_speaks_to_an_account(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.getoption("--live") == ""


def test_the_issue_template_asks_for_what_a_run_writes() -> None:
    template = yaml.safe_load((ROOT / ".github" / "ISSUE_TEMPLATE" / "live-report.yml").read_text())
    assert set(template) == {"name", "description", "title", "labels", "body"}
    fields = {each["id"]: each["attributes"] for each in template["body"] if "id" in each}
    assert "build/live/report.md" in fields["report"]["description"]
    assert "make live REPORT=report.json" in fields["json"]["description"]

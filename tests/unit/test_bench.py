"""The benchmarks measure what they say."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from bench.monitor import Crowd
from bench.process import limit
from bench.report import Section, table
from local.clock import SystemClock
from local.secrets_manager import Delays, SecretsManager
from replication_monitor.model import Kind, Rules
from replication_monitor.scan import Scan
from replication_monitor.secrets_manager import Boto3Secrets

# Two threads; the time of both counts.
_SPIN_IN_A_THREAD = """
import threading, time
def spin():
    while time.process_time() < 0.2: pass
thread = threading.Thread(target=spin)
thread.start()
thread.join()
print(time.process_time())
"""
_SPIN = "import time\nwhile time.process_time() < 0.2: pass\nprint(time.process_time())"


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="only Linux counts CPU time that exactly")
@pytest.mark.parametrize(("share", "script"), [(0.15, _SPIN), (0.5, _SPIN), (0.5, _SPIN_IN_A_THREAD)])
def test_a_process_gets_no_more_than_its_share_of_a_cpu(share: float, script: str) -> None:
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, "-S", "-c", script], stdout=subprocess.PIPE)
    limit(process, share)
    taken = time.monotonic() - started
    spent = float(process.communicate()[0])
    assert process.returncode == 0
    assert spent / taken <= share * 1.1


def test_the_crowd_is_as_many_secrets_as_it_should_be() -> None:
    with Crowd(SecretsManager(SystemClock(), Delays(in_sync=0.0))) as crowd:
        crowd.prepare()
        crowd.size = 150
        client = boto3.client("secretsmanager", region_name="us-west-2", endpoint_url=crowd.url)
        scan = Scan(Boto3Secrets("us-west-2", lambda *_: client), "us-west-2", Rules(), time.time)
        found = [finding for findings in scan.run() for finding in findings]
    assert scan.checked == len({finding.arn for finding in found}) == 150
    assert [finding.kind for finding in found] == [Kind.IN_SYNC] * 300


def test_a_plot_names_what_is_not_true() -> None:
    plot = Section(
        *("ways", "Ways", "", ("way",), [], {}, "seconds"),
        series={"CREATE_COMPLETE": {"ours": 3.0, "theirs": None}, "not true": {"ours": None, "theirs": 1.0}},
    ).plot()
    assert b"CREATE_COMPLETE" in plot
    assert b"not true" in plot


def test_a_second_table_comes_after_the_plot() -> None:
    more = "\n".join(table(("way", "lines"), [("ours", "8")]))
    written = Section("ways", "Ways", "", ("way",), [("ours",)], {"ours": 1.0}, "seconds", more=more).markdown()
    assert written.index("| ours |\n") < written.index("ways.svg") < written.index("| ours | 8 |")

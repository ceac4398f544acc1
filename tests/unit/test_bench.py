"""The benchmarks measure what they say."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from bench.process import limit

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

"""Monitor: one invocation over thousands of replicated secrets, with the share of a CPU that its memory brings."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from local.clock import SystemClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import client

from . import process
from .report import Goal, Section

SIZES = (1_000, 10_000)
_MOST_SECONDS, _MOST_GROWTH = 60, 1.1
_MEMORY = 512
# AWS's quota of secrets in a Region.
_QUOTA = 500_000
_LATENCY = 0.01
_PAGE = 100
_NAME, _REGIONS = "crowd/00000", ("eu-west-3", "us-east-1")
_NUMBER = re.compile(rb"crowd/(\d{5})")
_ABOUT = f"""\
One invocation of `ReplicationMonitor`'s function in a fresh process, with the share of a CPU that Lambda gives a
function with {_MEMORY} MiB. Each secret has two replicas, all InSync. The endpoint on loopback repeats the model's
response for one such secret under the names of all of them, {_LATENCY * 1000:g} ms later.

AWS's quota is {_QUOTA:,} secrets in a Region. The CPU decides how long a check takes, so the last rows multiply the CPU
seconds. An invocation may take 900 s: use the memory of a whole vCPU, or one monitor for each prefix of the names."""


def measure(sizes: tuple[int, ...] = SIZES) -> Section:
    """One invocation for each size."""
    taken: dict[int, process.Start] = {}
    with (
        Crowd(SecretsManager(SystemClock(), Delays(in_sync=0.0))) as endpoint,
        tempfile.TemporaryDirectory() as scratch,
    ):
        start = process.Processes(endpoint, Path(scratch))
        endpoint.prepare()
        for size in sizes:
            endpoint.size = size
            taken[size] = start.run(_script(size), start.bundle, _MEMORY / process.MIB_OF_A_VCPU)
    least, most = min(sizes), max(sizes)
    growth = taken[most].peak / taken[least].peak
    each = (taken[most].cpu - taken[least].cpu) / (most - least)
    whole = process.MIB_OF_A_VCPU
    rows = [(f"{size:,}", f"{made.wall:.1f}", f"{made.cpu:.1f}", f"{made.peak:.0f}") for size, made in taken.items()]
    quota = [
        (f"{_QUOTA:,}, on paper, {memory:,} MiB", f"{each * _QUOTA * whole / memory:.0f}", f"{each * _QUOTA:.0f}", "")
        for memory in (_MEMORY, whole)
    ]
    return Section(
        name="monitor",
        title="Monitor",
        about=_ABOUT,
        columns=("secrets", "wall seconds", "CPU seconds", "peak MiB"),
        rows=[*rows, *quota],
        bars={f"{size:,} secrets": made.wall for size, made in taken.items()},
        unit="wall seconds",
        goals=(
            Goal(
                f"{most:,} secrets within {_MOST_SECONDS} s: {taken[most].wall:.0f} s",
                taken[most].wall <= _MOST_SECONDS,
            ),
            Goal(f"memory does not grow with the secrets: {growth:.2f} times as much", growth <= _MOST_GROWTH),
        ),
    )


def _script(size: int) -> str:
    return f"""{process.LAMBDA}
from replication_monitor.main import handler
numbers = handler({{}}, context)
assert (numbers["SecretsChecked"], numbers["ReplicasInSync"]) == ({size}, {size * len(_REGIONS)}), numbers
"""


class Crowd(process.ModelEndpoint):
    """Serves ListSecrets and DescribeSecret for ``size`` secrets that are one, under many names."""

    size = 0
    _entry = _description = b""

    def prepare(self) -> None:
        """Let the model respond for one secret."""
        secrets = client(self.model, "us-west-2")
        arn = secrets.create_secret(
            Name=_NAME, SecretString="value", AddReplicaRegions=[{"Region": region} for region in _REGIONS]
        )["ARN"]
        self._description = json.dumps(self.model.call("us-west-2", "DescribeSecret", {"SecretId": arn})).encode()
        listed = self.model.call("us-west-2", "ListSecrets", {"Filters": [{"Key": "name", "Values": [_NAME]}]})
        self._entry = json.dumps(listed["SecretList"][0]).encode()

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Respond for the crowd. Calls about other secrets go to the model."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        number = _NUMBER.search(body)
        if operation == "ListSecrets":
            time.sleep(_LATENCY)
            return 200, self._page(int(json.loads(body).get("NextToken", 0)))
        if operation == "DescribeSecret" and number:
            time.sleep(_LATENCY)
            return 200, self._named(self._description, int(number[1]))
        return super().post(headers, body)

    def _page(self, first: int) -> bytes:
        end = min(first + _PAGE, self.size)
        entries = b", ".join(self._named(self._entry, number) for number in range(first, end))
        token = b', "NextToken": "%d"' % end if end < self.size else b""
        return b'{"SecretList": [%b]%b}' % (entries, token)

    @staticmethod
    def _named(text: bytes, number: int) -> bytes:
        return text.replace(_NAME.encode(), b"crowd/%05d" % number)

"""``make faults``: whole life cycles of stacks on local AWS, with microburst before all that the handler calls.

A life creates a stack, changes its Regions and deletes it, all through CloudFormation, which runs the real bundle as a
Lambda. Then the fault ends, and what is left is checked: nothing of ours, and everything that is not ours.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from cloudformation.__main__ import BUNDLE
from local.server import LocalAws, clean_environment, free_port
from tools.stamp import stamp

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "design" / "reliability.md"
SOURCES = (
    "handler/secret_replication",
    "handler/requirements.txt",
    "local/secrets_manager",
    str(Path(__file__).relative_to(ROOT)),
)
MICROBURST = ROOT / "build" / "microburst-venv" / "bin" / "microburst"
PARIS, VIRGINIA, MUMBAI, MONTREAL = "eu-west-3", "us-east-1", "ap-south-1", "ca-central-1"
VALUE = "hunter2"
# Seconds until CloudFormation gives a request up, in place of its hour.
PATIENCE = 120
# Lives for each fault, all at the same time: they mostly wait.
LIVES, FAULTS_AT_ONCE = 10, 2
_DONE = ("COMPLETE", "FAILED")
_TAG = "cdk-replicated-secret:"


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong: rules for microburst, and whether Lambdas are killed."""

    name: str
    rules: Sequence[dict[str, Any]] = ()
    kills: bool = False


def _says(code: str, status: int) -> dict[str, Any]:
    return {"error": {"code": code, "status": status}}


def _some(probability: float, fault: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"service": "secretsmanager", "probability": probability, **fault}]


def _to_cloudformation(fault: dict[str, Any], probability: float = 0.5) -> list[dict[str, Any]]:
    """A fault in the PUTs to the ResponseURL, which urllib3 sends; boto3 has another User-Agent."""
    return [{"service": "*", "headers": {"User-Agent": "python-urllib3"}, "probability": probability, **fault}]


_CARRIED_OUT = {"response": {"abort_bytes": 0}}
FAULTS = (
    Fault("none"),
    Fault("10 % of the calls throttled", _some(0.1, _says("ThrottlingException", 400))),
    Fault("50 % of the calls throttled", _some(0.5, _says("ThrottlingException", 400))),
    Fault("90 % of the calls throttled", _some(0.9, _says("ThrottlingException", 400))),
    Fault("50 % of the calls fail with status 500", _some(0.5, _says("InternalServiceError", 500))),
    Fault("1 to 3 s of latency", _some(1.0, {"latency": {"min": 1000, "max": 3000}})),
    Fault("30 % of the connections reset before the call", _some(0.3, {"reset": True})),
    Fault("30 % reset after the call was carried out", _some(0.3, _CARRIED_OUT)),
    Fault("30 % reset in the middle of the response", _some(0.3, {"response": {"abort_frac": 0.5}})),
    Fault("30 % of the responses truncated", _some(0.3, {"response": {"truncate_frac": 0.5}})),
    Fault("clock skew at 10 % of the calls", _some(0.1, _says("RequestTimeTooSkewed", 403))),
    Fault("clock skew at every call", _some(1.0, _says("RequestTimeTooSkewed", 403))),
    Fault("a replica's Region hangs", _some(1.0, {"region": VIRGINIA, "timeout_ms": 60_000})),
    Fault("the ResponseURL resets 50 % before it has the response", _to_cloudformation({"reset": True})),
    Fault("the ResponseURL resets 50 % after it has the response", _to_cloudformation(_CARRIED_OUT)),
    Fault("the ResponseURL hangs at 50 %", _to_cloudformation({"timeout_ms": 10_000})),
    Fault("the ResponseURL returns 503 to 50 %", _to_cloudformation(_says("SlowDown", 503))),
    Fault("the ResponseURL returns 403 to 50 %", _to_cloudformation(_says("AccessDenied", 403))),
    Fault("the ResponseURL resets every connection", _to_cloudformation({"reset": True}, 1.0)),
    Fault("a Lambda killed every 3 s", kills=True),
)


@dataclass(slots=True)
class Life:
    """How a stack ended: ``survived`` if every step succeeded; ``lost`` is what must not happen."""

    survived: bool = True
    lost: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class Lives:
    """Lives of stacks on local AWS."""

    def __init__(self, aws: LocalAws, token: str) -> None:
        self._aws, self._token = aws, token
        self._cloudformation, self._secrets = aws.client("cloudformation"), aws.client("secretsmanager")

    def before(self, name: str) -> None:
        """Create a secret with a replica that is not ours."""
        self._secrets.create_secret(Name=name, SecretString=VALUE, AddReplicaRegions=[{"Region": MONTREAL}])

    def live(self, name: str) -> Life:
        """Create, change, delete, while the fault lasts."""
        life = Life()
        self._cloudformation.create_stack(StackName=name, TemplateBody=self._template(name, PARIS, VIRGINIA))
        if self._ends(life, name, "CREATE_COMPLETE"):
            self._holds(life, name, PARIS, VIRGINIA)
            self._cloudformation.update_stack(StackName=name, TemplateBody=self._template(name, PARIS, MUMBAI))
            if self._ends(life, name, "UPDATE_COMPLETE"):
                self._holds(life, name, PARIS, MUMBAI)
        self._cloudformation.delete_stack(StackName=name)
        self._ends(life, name, "DELETE_COMPLETE")
        return life

    def after(self, name: str, life: Life) -> None:
        """Check what is left after the fault has ended and the user has retried a failed deletion."""
        if self._status(name) != "DELETE_COMPLETE":
            self._cloudformation.delete_stack(StackName=name)
            if not self._ends(Life(), name, "DELETE_COMPLETE"):
                life.lost.append("the stack cannot be deleted")
        left = self._secrets.describe_secret(SecretId=name)
        if statuses(left) != {MONTREAL: "InSync"}:
            life.lost.append(f"replicas after the end: {statuses(left)}")
        if tags := [tag["Key"] for tag in left.get("Tags", []) if tag["Key"].startswith(_TAG)]:
            life.lost.append(f"tags after the end: {tags}")
        if self._secrets.get_secret_value(SecretId=name)["SecretString"] != VALUE:
            life.lost.append("the value")

    def _holds(self, life: Life, name: str, *regions: str) -> None:
        """Check that the SUCCESS was true."""
        found = statuses(self._secrets.describe_secret(SecretId=name))
        if found != dict.fromkeys((*regions, MONTREAL), "InSync"):
            life.lost.append(f"SUCCESS, and {found}")

    def _ends(self, life: Life, name: str, expected: str) -> bool:
        """Wait until the stack's operation has ended. Whether it ended as expected."""
        while not self._status(name).endswith(_DONE) or "_IN_PROGRESS" in self._status(name):
            time.sleep(0.2)
        if self._status(name) == expected:
            return True
        life.survived = False
        events = self._cloudformation.describe_stack_events(StackName=name)["StackEvents"]
        failed = [e for e in events if "FAILED" in e["ResourceStatus"] and e["LogicalResourceId"] == "Replication"]
        life.reasons += [event.get("ResourceStatusReason", "") for event in failed[:1]] or ["no reason"]
        return False

    def _status(self, name: str) -> str:
        stacks = self._cloudformation.list_stacks()["StackSummaries"]
        return str(next(stack["StackStatus"] for stack in stacks if stack["StackName"] == name))

    def _template(self, name: str, *regions: str) -> str:
        properties = {
            "ServiceToken": self._token,
            "ServiceTimeout": PATIENCE,
            "SecretId": name,
            "ReplicaRegions": regions,
        }
        return json.dumps(
            {"Resources": {"Replication": {"Type": "Custom::ReplicatedSecret", "Properties": properties}}}
        )


def statuses(described: dict[str, Any]) -> dict[str, str]:
    """The status of each replica Region, from a DescribeSecret response."""
    return {entry["Region"]: entry["Status"] for entry in described.get("ReplicationStatus", [])}


def provider(aws: LocalAws) -> str:
    """The bundle as a function; gives its ARN."""
    trust = {
        "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}]
    }
    role = aws.client("iam").create_role(RoleName="provider", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    made = aws.client("lambda").create_function(
        FunctionName="provider",
        Runtime="python3.13",
        Handler="secret_replication.main.handler",
        Role=role,
        Code={"ZipFile": BUNDLE.read_bytes()},
        Timeout=900,
        MemorySize=256,
    )
    return str(made["FunctionArn"])


class Microburst:
    """microburst in a dedicated process, in front of a port that a server will listen on later."""

    def __init__(self, port: int, upstream: int) -> None:
        self._url = f"http://127.0.0.1:{port}/_microburst"
        self._process = subprocess.Popen(
            [MICROBURST, "--port", str(port), "--upstream", f"http://127.0.0.1:{upstream}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=clean_environment(),
        )

    def rules(self, rules: Sequence[dict[str, Any]]) -> None:
        self._ask("POST", "/rules", list(rules))

    def fired(self) -> int:
        """How often a fault was injected."""
        return int(self._ask("GET", "/stats")["requests"]["faulted"])

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait()

    def _ask(self, method: str, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        for left in range(50, -1, -1):
            try:
                request = urllib.request.Request(self._url + path, data, method=method)
                request.add_header("Content-Type", "application/json")
                with urllib.request.urlopen(request, timeout=10) as response:
                    return json.load(response)
            except (ConnectionError, urllib.error.URLError):
                if not left:
                    raise
                time.sleep(0.1)
        return None


@contextlib.contextmanager
def killing(aws: LocalAws, killed: list[int]) -> Iterator[None]:
    """Kill a Lambda about every three seconds, at random."""
    over, chance = threading.Event(), random.Random(0)

    def kill() -> None:
        while not over.wait(chance.uniform(2, 4)):
            listed = subprocess.run(["ps", "-eo", "pid=,pgid="], capture_output=True, text=True, check=True).stdout
            group = [int(pid) for pid, leader in map(str.split, listed.splitlines()) if int(leader) == aws.pid]
            if lambdas := [pid for pid in group if pid != aws.pid]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim := chance.choice(lambdas), signal.SIGKILL)
                    killed.append(victim)

    thread = threading.Thread(target=kill)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def main() -> None:
    """Run all lives, and write the page."""
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--only", default="", help="faults whose name has this in it; the page is not written")
    parser.add_argument("--runs", type=int, default=LIVES, help="lives for each fault")
    arguments = parser.parse_args()
    chosen = [fault for fault in FAULTS if arguments.only in fault.name]
    if not chosen:
        parser.error(f"no fault's name has {arguments.only!r} in it; there are: {', '.join(f.name for f in FAULTS)}")
    print(f"{len(chosen)} faults, {arguments.runs} lives for each: about {len(chosen)} minutes.", flush=True)
    with ThreadPoolExecutor(FAULTS_AT_ONCE) as threads:
        tried = list(threads.map(partial(_try, arguments.runs), chosen))
    if not arguments.only:
        _write([row for row, _, _ in tried], [item for _, seen, _ in tried for item in seen])
    sys.exit(1 if any(wrong for _, _, wrong in tried) else 0)


def _try(runs: int, fault: Fault) -> tuple[str, list[str], list[str]]:
    """The fault's row, what the user saw, and what was lost. Each fault has a local AWS of its own."""
    started, front, back = time.monotonic(), free_port(), free_port()
    burst = Microburst(front, back)
    killed: list[int] = []
    names = [f"life-{run}" for run in range(runs)]
    try:
        with LocalAws(speed=20, port=back, behind=front) as aws:
            meanwhile = killing(aws, killed) if fault.kills else contextlib.nullcontext()
            ended = _run(Lives(aws, provider(aws)), burst, fault, names, meanwhile)
            row = _row(fault, ended, burst.fired() + len(killed))
    finally:
        burst.stop()
    wrong = [problem for life in ended for problem in life.lost]
    print(f"{row}  {time.monotonic() - started:.0f} s", *wrong, sep="\n", flush=True)
    return row, _seen(fault, ended), wrong


def _run(
    lives: Lives, burst: Microburst, fault: Fault, names: list[str], meanwhile: AbstractContextManager[None]
) -> list[Life]:
    burst.rules([])
    for name in names:
        lives.before(name)
    burst.rules(fault.rules)
    with meanwhile, ThreadPoolExecutor(len(names)) as threads:
        ended = list(threads.map(lives.live, names))
    burst.rules([])
    for name, life in zip(names, ended, strict=True):
        lives.after(name, life)
    return ended


def _row(fault: Fault, ended: list[Life], struck: int) -> str:
    survived, lost = sum(life.survived for life in ended), sum(bool(life.lost) for life in ended)
    return f"| {fault.name} | {struck} | {len(ended)} | {survived} | {lost} |"


def _seen(fault: Fault, ended: list[Life]) -> list[str]:
    """The reason that most of the failed operations gave, as a list item; none if none failed."""
    said = Counter(_general(reason) for life in ended for reason in life.reasons)
    if not said:
        return []
    [(reason, count)] = said.most_common(1)
    return [f"- *{fault.name}*: {count} of {said.total()} failed operations said\n  `{reason}`"]


def _general(reason: str) -> str:
    """A reason without what differs from life to life: names, seconds, and which Regions had come how far."""
    words = re.sub(r"(arn:aws:secretsmanager:[\w-]+:\d+:secret:)?life-\d+(-\w{6})?", "SECRET", reason)
    words = re.sub(r"after \d+ s", "after N s", words)
    return re.sub(r"\b(\w+-\w+-\d (absent|InSync|InProgress|no response)(; )?)+", "REGION STATUS; ...", words)


def _write(rows: list[str], seen: list[str]) -> None:
    head = PAGE.read_text().partition("| fault |")[0]
    columns = ("| fault | injected | lives | survived | lost |", "|---|---|---|---|---|")
    said = ("", "## What the user saw", "", *seen, "")
    PAGE.write_text(head + "\n".join((*columns, *rows, *said, stamp(*SOURCES))) + "\n")


if __name__ == "__main__":
    main()

"""Local AWS listens on loopback only, and stops on a signal, whatever it is doing."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, WaiterError

from local.server import LocalAws

# As in /proc/net: 127.0.0.1 and ::1.
LOOPBACK = {"0100007F", "00000000000000000000000001000000"}

TEMPLATE = {
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                }
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "index.handler",
                "Runtime": "python3.13",
                "Timeout": 900,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": "import time\ndef handler(event, context):\n    time.sleep(600)\n"},
            },
        },
        "Slow": {"Type": "Custom::Slow", "Properties": {"ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]}}},
    }
}


def end_of_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin
    process.stdin.close()


ENDS: list[Callable[[subprocess.Popen[bytes]], None]] = [
    end_of_input,
    lambda process: process.send_signal(signal.SIGTERM),
]


@pytest.mark.parametrize("end", ENDS, ids=["the parent ends", "SIGTERM"])
def test_local_aws_ends_while_a_custom_resource_is_in_progress(end: Callable[[subprocess.Popen[bytes]], None]) -> None:
    with LocalAws() as aws:
        stacks = aws.client("cloudformation")
        stacks.create_stack(StackName="slow", TemplateBody=json.dumps(TEMPLATE), Capabilities=["CAPABILITY_IAM"])
        deadline = time.monotonic() + 30
        while "Slow" not in str(stacks.describe_stack_events(StackName="slow")["StackEvents"]):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        process = aws._process
        assert process
        end(process)
        process.wait(timeout=8)


def test_a_stack_whose_create_was_rolled_back_can_only_be_deleted() -> None:
    taken = {"Resources": {"Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {"Name": "taken"}}}}
    request = {"StackName": "failed", "TemplateBody": json.dumps(taken)}
    with LocalAws() as aws:
        aws.client("secretsmanager").create_secret(Name="taken", SecretString="v")
        stacks = aws.client("cloudformation")
        stack_id = stacks.create_stack(**request)["StackId"]
        with pytest.raises(WaiterError, match="ROLLBACK_COMPLETE"):
            stacks.get_waiter("stack_create_complete").wait(StackName="failed", WaiterConfig={"Delay": 1})

        cannot = rf"\(ValidationError\).*: Stack:{stack_id} is in ROLLBACK_COMPLETE state and can not be updated\."
        with pytest.raises(ClientError, match=cannot):
            stacks.update_stack(**request)
        with pytest.raises(ClientError, match=cannot):
            stacks.create_change_set(**request, ChangeSetName="change", ChangeSetType="UPDATE")
        exists = r"Stack \[failed\] already exists"
        with pytest.raises(ClientError, match=rf"\(ValidationError\).*: {exists} and cannot be created again"):
            stacks.create_change_set(**request, ChangeSetName="change", ChangeSetType="CREATE")
        with pytest.raises(ClientError, match=rf"\(AlreadyExistsException\).*: {exists}$"):
            stacks.create_stack(**request)

        stacks.delete_stack(StackName="failed")
        stacks.get_waiter("stack_delete_complete").wait(StackName="failed", WaiterConfig={"Delay": 1})
        stacks.create_stack(**request)


def test_nothing_listens_elsewhere_than_on_loopback() -> None:
    """Services of MiniStack that have a port of their own included."""
    with LocalAws() as aws:
        aws.client("iot").create_thing(thingName="thing")
        aws.client("transfer").create_server(Protocols=["SFTP"])
        deadline = time.monotonic() + 10
        while json.loads(_get(f"{aws.endpoint}/_ministack/health"))["iot_mtls"] == "starting":
            assert time.monotonic() < deadline
            time.sleep(0.1)
        listening = _listening(aws.pid)
        assert f"0100007F:{aws.port:04X}" in listening
        assert {address for address in listening if address.partition(":")[0] not in LOOPBACK} == set()


def test_a_second_local_aws_warns_of_nothing() -> None:
    with LocalAws(), LocalAws() as second:
        second.client("iot").create_thing(thingName="thing")
        assert second._log.read_text() == ""


def _get(url: str) -> str:
    with urllib.request.urlopen(url) as response:
        return str(response.read().decode())


def _listening(session: int) -> set[str]:
    """The addresses, as in /proc/net, on which the processes of a session listen."""
    sockets = set()
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.getsid(int(process.name)) == session:
                sockets |= {str(descriptor.readlink()) for descriptor in process.glob("fd/*")}
    tables = [line.split() for name in ("tcp", "tcp6") for line in Path("/proc/net", name).read_text().splitlines()]
    return {row[1] for row in tables if row[3] == "0A" and f"socket:[{row[9]}]" in sockets}

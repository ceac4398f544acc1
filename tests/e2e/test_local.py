"""Local AWS ends when it is told to, whatever it is doing."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable

import pytest

from local.server import LocalAws

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

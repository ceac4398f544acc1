"""Forms of values that only a deployment decides, on local AWS with IAM enforced: one stack, one deployment."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cdk import Cdk
from local.server import ACCOUNT, REGION, LocalAws

APP = Path(__file__).parent / "values_app.py"
PARIS = "eu-west-3"
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("auth")]


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws(speed=20, auth=True) as started:
        yield started


def test_values_that_only_the_deployment_knows(aws: LocalAws, tmp_path: Path) -> None:
    secrets, parameters = aws.client("secretsmanager"), aws.client("ssm")
    secrets.create_secret(Name="app/given", SecretString="given")
    arn = secrets.create_secret(Name="app/blank", SecretString="blank")["ARN"]
    key = aws.client("kms", PARIS).create_key()["KeyMetadata"]["Arn"]
    values = {"name": "app/given", "arn": arn, "key": key, "regions": "us-east-1,ap-southeast-2"}
    for name, value in values.items():
        parameters.put_parameter(Name=f"/app/{name}", Value=value, Type="String")
    (tmp_path / "cdk.json").write_text(json.dumps({"app": f"{sys.executable} {APP}"}))
    cdk = Cdk(aws.environment, tmp_path / "assembly", folder=tmp_path)
    cdk.run("bootstrap", f"aws://{ACCOUNT}/{REGION}")
    cdk.run("deploy", "--require-approval", "never")
    (stack,) = aws.client("cloudformation").describe_stacks(StackName="Values")["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def replicas(name: str) -> dict[str, tuple[str, str]]:
        entries = json.loads(outputs[f"{name}ReplicationStatus"])
        return {entry["Region"]: (entry["Status"], entry["KmsKeyId"]) for entry in entries}

    default = ("InSync", "alias/aws/secretsmanager")
    assert replicas("Given") == {PARIS: ("InSync", key), "ap-southeast-2": default, "us-east-1": default}
    assert replicas("Blank") == {"us-east-1": default}
    assert replicas("None") == {}
    cdk.run("destroy", "--force")

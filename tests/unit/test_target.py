"""On an account the examples and pages get names of the run's own; on local AWS they stay as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from live.account import PREFIX
from local.server import ACCOUNT, REGION
from tests.helpers.shell import steps
from tests.helpers.target import Target

FOLDER = Path(__file__).parents[2] / "examples"
OWN = f"{PREFIX}-run"
# The example with a database does not run on an account.
APPS = [path for path in FOLDER.glob("*/app.py") if path.parent.name != "rds_secret"]
TEMPLATES = [*FOLDER.glob("cloudformation/*.yaml"), *APPS]


def account(run: str = "run", region: str = "us-east-1") -> Target:
    return Target("111122223333", region, ("us-west-2", "eu-west-3", "ap-south-1"), {}, run=run)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_name_of_an_example_is_left_on_an_account(path: Path) -> None:
    text = path.read_text()
    named = account().named(text)
    assert account(run="").named(text) == text
    assert re.findall(r'cdk\.Stack\(\w+, f?"(?!cdk-replicated-secret-live-run-)', named) == []
    assert "app/" not in named
    assert re.findall('"(?:Orders|Invoices|ReplicatedSecretServiceToken)"| ReplicatedSecretServiceToken', named) == []
    regions = {"us-west-2": "us-east-1", "eu-west-3": "us-west-2", "us-east-1": "eu-west-3"}
    found = "|".join(regions)
    assert re.findall(found, named) == [regions[region] for region in re.findall(found, text)]


def test_the_commands_of_a_page_are_named_too() -> None:
    package, deploy = (
        account().named(text) for kind, text in steps("reference/custom-resource.md") if kind == "command"
    )
    assert "--s3-bucket cdk-hnb659fds-assets-111122223333-us-east-1 " in package
    assert f"--stack-name {OWN}-replication " in deploy
    assert f"'SecretArns=arn:aws:secretsmanager:*:111122223333:secret:{PREFIX}/run/example/*'" in deploy
    assert deploy.endswith("ReplicaRegions=us-west-2,eu-west-3")


def test_local_aws_has_the_regions_and_names_of_the_pages() -> None:
    local = Target(ACCOUNT, REGION, ("eu-west-3", "us-east-1", "ap-southeast-2"), {})
    assert local.bucket() == f"artifacts-{REGION}-{ACCOUNT}"
    assert local.stack_name("replication") == "replication"
    assert local.secret_name("app/database") == "app/database"

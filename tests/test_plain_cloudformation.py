"""Plain CloudFormation on local AWS: from dist/ alone, with the AWS CLI as a user types it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from local.server import ACCOUNT, LocalAws, clean_environment
from provider.__main__ import build

ROOT = Path(__file__).parent.parent
EXAMPLES = ROOT / "examples" / "cloudformation"
PAGE = ROOT / "docs" / "custom-resource.md"
PARIS, VIRGINIA = "eu-west-3", "us-east-1"
pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("plain")]


class Shell:
    """A user's shell, in a folder that holds dist/ and the examples and nothing else."""

    def __init__(self, aws: LocalAws, folder: Path) -> None:
        self.aws, self.folder = aws, folder
        self.keys = {
            region: str(aws.client("kms", region).create_key()["KeyMetadata"]["Arn"]) for region in (PARIS, VIRGINIA)
        }
        self._environment = clean_environment() | aws.environment
        self._environment["PATH"] = f"{ROOT / 'build' / 'awscli-venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def run(self, line: str, *, fails: bool = False) -> str:
        done = subprocess.run(
            ["bash", "-ec", line], cwd=self.folder, env=self._environment, text=True, capture_output=True, check=False
        )
        assert (done.returncode != 0) == fails, done.stdout + done.stderr
        return done.stdout + done.stderr

    def deploy(self, example: str, *overrides: str, fails: bool = False) -> str:
        given = f"--parameter-overrides {' '.join(overrides)}" if overrides else ""
        return self.run(
            f"aws cloudformation deploy --stack-name {example} --template-file {example}.yaml "
            f"--capabilities CAPABILITY_AUTO_EXPAND {given}",
            fails=fails,
        )

    def delete(self, stack: str) -> None:
        self.run(f"aws cloudformation delete-stack --stack-name {stack}")
        self.run(f"aws cloudformation wait stack-delete-complete --stack-name {stack}")

    def outputs(self, stack: str) -> dict[str, str]:
        told = json.loads(self.run(f"aws cloudformation describe-stacks --stack-name {stack}"))
        return {output["OutputKey"]: output["OutputValue"] for output in told["Stacks"][0].get("Outputs", [])}

    def provider(self, *overrides: str) -> None:
        """Package and deploy it, with these parameters."""
        self.run(
            "aws cloudformation package --template-file provider.template.yaml "
            f"--s3-bucket artifacts-{ACCOUNT} "
            "--output-template-file packaged.yaml"
        )
        self.run(
            "aws cloudformation deploy --stack-name replication --template-file packaged.yaml "
            f"--capabilities CAPABILITY_IAM --parameter-overrides {' '.join(overrides)}"
        )


RIGHTS = (
    f"'SecretArns=arn:aws:secretsmanager:*:{ACCOUNT}:secret:*'",
    f"ReplicaRegions={PARIS},{VIRGINIA}",
    f"'KmsKeyArns=arn:aws:kms:*:{ACCOUNT}:key/*'",
    "AllowPromote=true",
)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("plain")
    build(folder)
    for template in EXAMPLES.glob("*.yaml"):
        shutil.copy(template, folder)
    with LocalAws(speed=20, auth=True) as aws:
        made = Shell(aws, folder)
        made.run(f"aws s3 mb s3://artifacts-{ACCOUNT}")
        # The page's commands, as they stand there; then with what the examples need beyond.
        for line in [line for line in PAGE.read_text().splitlines() if line.startswith("    aws cloudformation")]:
            made.run(line.strip().replace("111122223333", ACCOUNT))
        assert made.outputs("replication")["ServiceToken"].startswith("arn:aws:lambda:us-west-2:")
        made.provider(*RIGHTS)
        yield made


def secret(shell: Shell, name: str) -> str:
    command = f"aws secretsmanager create-secret --name {name} --secret-string v --query ARN --output text"
    return shell.run(command).strip()


def statuses(shell: Shell, name: str) -> dict[str, str]:
    described = shell.aws.client("secretsmanager").describe_secret(SecretId=name)
    return {entry["Region"]: entry["Status"] for entry in described.get("ReplicationStatus", [])}


def existing_secret(shell: Shell) -> None:
    """Replicated, changed, and left as it was."""
    arn = secret(shell, "app/existing")
    shell.deploy("existing-secret", "SecretId=app/existing")
    told = shell.outputs("existing-secret")
    assert told["Primary"] == arn
    assert told["ReplicaInParis"] == arn.replace("us-west-2", PARIS)
    assert told["StatusInParis"] == "InSync"
    assert [entry["Region"] for entry in json.loads(told["ReplicationStatus"])] == [PARIS, VIRGINIA]

    template = shell.folder / "existing-secret.yaml"
    template.write_text(template.read_text().replace("        - us-east-1\n", ""))
    shell.deploy("existing-secret")
    assert statuses(shell, "app/existing") == {PARIS: "InSync"}
    shell.delete("existing-secret")
    assert statuses(shell, "app/existing") == {}


def new_secret(shell: Shell) -> None:
    """Of the same template."""
    shell.deploy("new-secret")
    told = shell.outputs("new-secret")
    assert told["Status"] == "InSync"
    replica = shell.aws.client("secretsmanager", PARIS).get_secret_value(
        SecretId=told["Database"].replace("us-west-2", PARIS)
    )
    assert json.loads(replica["SecretString"])["username"] == "app"
    shell.delete("new-secret")


def each_region(shell: Shell) -> None:
    """Outputs that are written once."""
    secret(shell, "app/each")
    shell.deploy("each-region", "SecretId=app/each")
    assert shell.outputs("each-region") == {"StatusIneuwest3": "InSync", "StatusInuseast1": "InSync"}
    shell.delete("each-region")
    assert statuses(shell, "app/each") == {}


def customer_keys(shell: Shell) -> None:
    """Each replica with the key of its Region."""
    secret(shell, "app/keys")
    keys = {region: shell.keys[region] for region in (PARIS, VIRGINIA)}
    shell.deploy("customer-keys", "SecretId=app/keys", f"KeyInParis={keys[PARIS]}", f"KeyInVirginia={keys[VIRGINIA]}")
    assert shell.outputs("customer-keys") == {"KeyInParis": keys[PARIS]}
    shell.delete("customer-keys")


def promote_on_delete(shell: Shell) -> None:
    """The replica becomes a secret of its own."""
    arn = secret(shell, "app/promoted").replace("us-west-2", PARIS)
    shell.deploy("promote-on-delete", "SecretId=app/promoted")
    shell.delete("promote-on-delete")
    promoted = shell.aws.client("secretsmanager", PARIS).describe_secret(SecretId=arn)
    assert "PrimaryRegion" not in promoted
    assert statuses(shell, "app/promoted") == {}


def a_secret_that_is_not_there(shell: Shell) -> None:
    """The events say why."""
    template = shell.folder / "missing.yaml"
    template.write_text((EXAMPLES / "existing-secret.yaml").read_text())
    shell.deploy("missing", "SecretId=app/missing", fails=True)
    events = shell.run("aws cloudformation describe-stack-events --stack-name missing")
    assert "can't find the specified secret" in events
    shell.delete("missing")


LIVES = (existing_secret, new_secret, each_region, customer_keys, promote_on_delete, a_secret_that_is_not_there)


@pytest.fixture(scope="module")
def lives(shell: Shell) -> Iterator[dict[str, Future[None]]]:
    """All at once: the AWS CLI looks only every 30 s whether a stack is ready."""
    with ThreadPoolExecutor(len(LIVES)) as threads:
        yield {life.__name__: threads.submit(life, shell) for life in LIVES}


@pytest.mark.parametrize("life", [life.__name__ for life in LIVES])
def test_the_life_of_a_template(lives: dict[str, Future[None]], life: str) -> None:
    lives[life].result()


def test_a_newer_provider_replaces_nothing_and_touches_no_replica(shell: Shell, lives: dict[str, Future[None]]) -> None:
    """Upgrade: what is there stays, and an update after it is carried out by the new code."""
    for life in lives.values():
        life.exception()
    arn = secret(shell, "app/upgraded")
    template = shell.folder / "upgraded.yaml"
    template.write_text((EXAMPLES / "existing-secret.yaml").read_text())
    shell.deploy("upgraded", "SecretId=app/upgraded")
    before = provider(shell), replica(shell, arn)

    newer = shell.folder / "handler.zip"
    with zipfile.ZipFile(newer, "a") as archive:
        archive.writestr("newer.txt", "a newer build")
    shell.provider(*RIGHTS)
    token, code = provider(shell)
    assert (token, replica(shell, arn)) == (before[0][0], before[1])
    assert code != before[0][1]

    template.write_text(template.read_text().replace("        - us-east-1\n", ""))
    shell.deploy("upgraded")
    assert shell.outputs("upgraded")["Primary"] == arn
    assert replica(shell, arn) == before[1]
    assert statuses(shell, arn) == {PARIS: "InSync"}
    assert not any(change["ResourceStatus"].startswith("DELETE") for change in events(shell, "upgraded"))


def provider(shell: Shell) -> tuple[str, str]:
    """The ServiceToken, and a digest of the code behind it."""
    token = shell.outputs("replication")["ServiceToken"]
    function = shell.aws.client("lambda").get_function(FunctionName=token)
    return token, function["Configuration"]["CodeSha256"]


def replica(shell: Shell, arn: str) -> Any:
    """When it was made, which another in its place would not have."""
    return shell.aws.client("secretsmanager", PARIS).describe_secret(SecretId=arn.replace("us-west-2", PARIS))[
        "CreatedDate"
    ]


def events(shell: Shell, stack: str) -> list[dict[str, Any]]:
    return list(shell.aws.client("cloudformation").describe_stack_events(StackName=stack)["StackEvents"])

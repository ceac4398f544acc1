"""A user's shell with the AWS CLI, in which the commands of the pages are run as they stand there, on local AWS."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from local.server import ACCOUNT, clean_environment
from tests.helpers.target import Target

ROOT = Path(__file__).parents[2]
_STEP = re.compile(r"^```\w+\n(?P<file>(?s:.*?))^```$|^ +(?P<command>aws .*)$", re.MULTILINE)

_REASONS = "aws cloudformation describe-stack-events --query 'StackEvents[].ResourceStatusReason' --stack-name"


class Shell:
    """A shell in a folder that holds dist/ and the examples and nothing else.

    Args:
        aws: where.
        folder: to run in.
        region: by default the primaries'.
        role: CloudFormation's for what is deployed; by default it acts as the user.
    """

    def __init__(self, aws: Target, folder: Path, region: str = "", role: str = "") -> None:
        self.aws, self.folder, self.region = aws, folder, region or aws.region
        self.bucket = aws.bucket(self.region)
        self.role = role
        region = self.region
        self._environment = (
            clean_environment() | dict(aws.environment) | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region}
        )
        self._environment["PATH"] = f"{ROOT / 'build' / 'awscli-venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"

    def client(self, service: str, region: str = "") -> Any:
        return self.aws.client(service, region or self.region)

    def elsewhere(self, region: str) -> Shell:
        """The same folder with another Region."""
        return Shell(self.aws, self.folder, region)

    def follow(self, text: str) -> str:
        """Run a command of a page."""
        command = self.aws.named(text)
        return self.run(f"{command} {self._more()}" if " deploy " in command else command)

    def _more(self) -> str:
        tags = " ".join(f"{key}={value}" for key, value in self.aws.tags.items())
        return f"{f'--tags {tags}' if tags else ''} {f'--role-arn {self.role}' if self.role else ''}"

    def run(self, line: str, *, fails: bool = False) -> str:
        done = subprocess.run(
            ["bash", "-ec", line], cwd=self.folder, env=self._environment, text=True, capture_output=True, check=False
        )
        if done.returncode and re.search(r"ChangeSet \[\S+\] already exists", done.stderr):
            # The AWS CLI repeated a CreateChangeSet whose response was lost. Its next one has another name.
            return self.run(line, fails=fails)
        assert (done.returncode != 0) == fails, (done.stdout + done.stderr).strip()
        return done.stdout + done.stderr

    def deploy(self, stack: str, *overrides: str, fails: bool = False) -> str:
        """Its template is of the same name."""
        given = f"--parameter-overrides {' '.join(overrides)}" if overrides else ""
        name = self.aws.stack_name(stack)
        line = f"aws cloudformation deploy --stack-name {name} --template-file {stack}.yaml {self._more()} {given}"
        try:
            return self.run(f"{line} --capabilities CAPABILITY_AUTO_EXPAND", fails=fails)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.run(f'{_REASONS} {name}')}") from None

    def change(self, stack: str, old: str, new: str) -> None:
        """Edit its template, and deploy that."""
        template = self.folder / f"{stack}.yaml"
        text = template.read_text()
        assert self.aws.named(old) in text
        template.write_text(text.replace(self.aws.named(old), self.aws.named(new)))
        self.deploy(stack)

    def delete(self, stack: str) -> None:
        name = self.aws.stack_name(stack)
        self.run(f"aws cloudformation delete-stack --stack-name {name}")
        # The AWS CLI would look only every 30 s.
        self.client("cloudformation").get_waiter("stack_delete_complete").wait(
            StackName=name, WaiterConfig={"Delay": 1, "MaxAttempts": 600 if self.aws.run else 120}
        )

    def outputs(self, stack: str) -> dict[str, str]:
        told = json.loads(self.run(f"aws cloudformation describe-stacks --stack-name {self.aws.stack_name(stack)}"))
        return {output["OutputKey"]: output["OutputValue"] for output in told["Stacks"][0].get("Outputs", [])}

    def provider(self, *overrides: str, stack: str = "replication") -> None:
        """Package and deploy it, with these parameters."""
        self.run(
            "aws cloudformation package --template-file provider.template.yaml "
            f"--s3-bucket {self.bucket} --output-template-file packaged-{self.region}.yaml"
        )
        self.run(
            f"aws cloudformation deploy --stack-name {self.aws.stack_name(stack)} {self._more()} "
            f"--template-file packaged-{self.region}.yaml --capabilities CAPABILITY_IAM "
            f"--parameter-overrides {' '.join(overrides)}"
        )


def steps(page: str, section: str = "") -> Iterator[tuple[str, str]]:
    """What a page in docs/, or one section of it, has its reader do: each a ``file``'s text or a ``command``."""
    text = (ROOT / "docs" / page).read_text().replace("111122223333", ACCOUNT)
    if section:
        text = text.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    found = list(_STEP.finditer(text))
    assert found, f"{page} has nothing to do in {section!r}"
    for step in found:
        kind = str(step.lastgroup)
        yield kind, step[kind]

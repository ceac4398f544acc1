"""Where the end-to-end tests run: on local AWS, or with ``--live`` on the account of the environment."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import pytest

from live.acceptance import BOOTSTRAP
from live.account import PREFIX, TAG
from local.cdk import Cdk
from local.server import ACCOUNT, REGION, LocalAws

# Whatever a test makes by itself, and what its tags are called.
_MADE = {
    ("secretsmanager", "CreateSecret"): ("Key", "Value"),
    ("kms", "CreateKey"): ("TagKey", "TagValue"),
    ("iam", "CreateRole"): ("Key", "Value"),
}
_REGIONS = ("us-west-2", "eu-west-3", "us-east-1")
# In the examples and the pages: Regions, names of secrets and aliases, of stacks, of the export and of the bucket.
_NAMES = re.compile(
    r"\bapp/"
    r"|(?<=--stack-name )\S+"
    r'|(?<=")(ExistingSecret|CustomerKey|Primary|Consumer|Replication|Orders|Invoices|Monitor|Alarms|'
    r'NativeReplicas|AdoptedReplicas|Failover)(?=[-s"])'
    r"|\bReplicatedSecretServiceToken\b"
    rf"|\bartifacts-{ACCOUNT}\b"
    rf"|\b{ACCOUNT}\b|{'|'.join(_REGIONS)}"
)


@dataclass(frozen=True, slots=True)
class Target:
    """An account and three other Regions. On a real one, names and tags are the run's."""

    account: str
    region: str
    replicas: tuple[str, str, str]
    environment: Mapping[str, str]
    endpoint: str | None = None
    run: str = ""
    credentials: Mapping[str, str] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """Of everything that is made."""
        return {TAG: self.run} if self.run else {}

    def context(self, stack: str) -> dict[str, str]:
        """The app's: local AWS has the Regions and stacks that it takes by default."""
        named = {"stackName": self.stack_name(stack), "replicaRegions": ",".join(self.replicas[:2])}
        return named if self.run else {}

    def secret_name(self, name: str) -> str:
        """A secret's name."""
        return f"{PREFIX}/{self.run}/{name}" if self.run else name

    def stack_name(self, name: str) -> str:
        """A stack's name."""
        return f"{PREFIX}-{self.run}-{name}" if self.run else name

    def named(self, text: str) -> str:
        """An example or a page with this account's Regions, and with names that are the run's own."""
        if not self.run:
            return text
        return _NAMES.sub(self._own, text)

    def _own(self, found: re.Match[str]) -> str:
        own = dict(zip(_REGIONS, (self.region, *self.replicas[:2]), strict=True))
        own |= {"app/": self.secret_name("example/"), ACCOUNT: self.account}
        if found[0].startswith("artifacts-"):
            return self.bucket()
        return own.get(found[0]) or self.stack_name(found[0])

    def bucket(self, region: str = "") -> str:
        """For what is deployed: on an account the one that `cdk bootstrap` made."""
        region = region or self.region
        return f"cdk-hnb659fds-assets-{self.account}-{region}" if self.run else f"artifacts-{region}-{self.account}"

    def need_bootstrapped(self, *regions: str) -> None:
        """Skip the test if the CDK cannot deploy to these Regions."""
        for region in regions if self.run else ():
            client = self.client("ssm", region)
            try:
                client.get_parameter(Name=BOOTSTRAP)
            except client.exceptions.ClientError as error:
                pytest.skip(f"bootstrap {region} first with `npx cdk bootstrap` ({error})")

    def client(self, service: str, region: str = "") -> Any:
        """A boto3 client, which tags what it makes."""
        made = boto3.client(service, region_name=region or self.region, endpoint_url=self.endpoint, **self.credentials)
        for (of, operation), (key, value) in _MADE.items():
            if self.run and of == service:
                add = partial(_tagged, tags=[{key: TAG, value: self.run}])
                made.meta.events.register(f"provide-client-params.{of}.{operation}", add)
        return made

    def cdk(self, folder: Path) -> Cdk:
        """The CDK CLI; the account has to be bootstrapped, local AWS is."""
        cdk = Cdk(self.environment, folder, tags=self.tags)
        if not self.run:
            cdk.bootstrap()
        return cdk


def _tagged(params: dict[str, Any], tags: object, **_: object) -> dict[str, Any]:
    return {**params, "Tags": tags}


def target_of(aws: LocalAws) -> Target:
    """Local AWS."""
    credentials = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
    replicas = ("eu-west-3", "us-east-1", "ap-southeast-2")
    return Target(ACCOUNT, REGION, replicas, aws.environment, aws.endpoint, "", credentials)


@contextlib.contextmanager
def target(config: pytest.Config, *, auth: bool = False) -> Iterator[Target]:
    """Local AWS, or the account that ``--live`` is for."""
    if not (run := config.getoption("--live")):
        with LocalAws(speed=20, auth=auth) as aws:
            yield target_of(aws)
        return
    home = os.environ["AWS_REGION"]
    first, second, third = config.getoption("--live-regions").split(",")
    environment = {name: value for name, value in os.environ.items() if name.startswith("AWS_")}
    account = boto3.client("sts", region_name=home).get_caller_identity()["Account"]
    yield Target(account, home, (first, second, third), environment, None, run)

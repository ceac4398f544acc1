"""What the probes work with: secrets, keys, stacks and roles that the run makes."""

from __future__ import annotations

import json
import re
import secrets as randomness
from collections.abc import Mapping
from typing import Any

from .account import PREFIX, Account, Credentials
from .caller import POLL_OFTEN, POLL_SELDOM, SETTLES_WITHIN, Caller
from .finding import SkipError
from .secret import Secret

# Seconds.
STACK_WITHIN = 300.0
# F33: a policy may test a key's tags, which take minutes to apply.
KEY_COUNTS_WITHIN = 330.0


class Lab(Caller):
    """One probe's share of the account.

    Args:
        account: the account.
        probe: the probe's name, for the names of what it makes.
    """

    def __init__(self, account: Account, probe: str) -> None:
        super().__init__(account)
        self.home, (self.first, self.second) = account.home, account.replicas
        self._probe, self._made = probe, 0

    def name(self) -> str:
        """A new name, which contains the run and the probe."""
        self._made += 1
        return f"{PREFIX}/{self.account.run}/{self._probe}-{self._made}"

    def secret(self, region: str = "", name: str = "", *, value: bool = True, **parameters: Any) -> Secret:
        """A new secret with a random value, or with none."""
        name, region = name or self.name(), region or self.home
        given = {"SecretString": randomness.token_hex(16)} if value else {}
        made = self.need("secretsmanager", "create_secret", region, Name=name, **given, **parameters)
        return Secret(self, str(made["ARN"]), name, region, given.get("SecretString", ""))

    def replicated(self, *regions: str, **parameters: Any) -> Secret:
        """A new secret that is InSync, in the first of the replicas' Regions unless others are given.

        Raises:
            SkipError: If it does not become InSync.
        """
        secret, regions = self.secret(**parameters), regions or (self.first,)
        reply, started = secret.replicate(*regions), self.now()
        if reply.code:
            raise SkipError(f"AWS rejected a first replication: {reply.words}")
        for region in regions:
            secret.in_sync(region, since=started)
        return secret

    def key(self, region: str, *statements: Mapping[str, Any]) -> str:
        """A new customer key: its ARN. ``statements`` are added to its policy."""
        account = self.identity().split(":")[4]
        policy = key_policy(self.partition(), account, *statements)
        made = self.need("kms", "create_key", region, Policy=policy, Description=f"{PREFIX} {self.account.run}")
        arn = str(made["KeyMetadata"]["Arn"])
        reply = self.until(
            lambda: self.call("kms", "describe_key", region, KeyId=arn),
            lambda reply: not reply.code,
            KEY_COUNTS_WITHIN,
            POLL_SELDOM,
        )
        if reply.code:
            raise SkipError(f"the key cannot be used: {reply.words}")
        return arn

    def identity(self) -> str:
        """The caller's ARN."""
        return str(self.need("sts", "get_caller_identity")["Arn"])

    def partition(self) -> str:
        """The caller's partition."""
        return self.identity().split(":")[1]

    def stack(self, template: Mapping[str, Any]) -> str:
        """A new stack, once it is complete: its name."""
        name = re.sub(r"[^A-Za-z0-9-]", "-", self.name())
        self.need("cloudformation", "create_stack", StackName=name, TemplateBody=json.dumps(template))
        self.stack_until(name, "CREATE_COMPLETE")
        return name

    def change_set_until(self, stack: str, name: str) -> None:
        """Wait until a change set can be executed.

        Raises:
            SkipError: If it cannot be made, or takes too long.
        """
        made = self.until(
            lambda: self.need("cloudformation", "describe_change_set", StackName=stack, ChangeSetName=name),
            lambda made: made["Status"] in ("CREATE_COMPLETE", "FAILED"),
            STACK_WITHIN,
            POLL_OFTEN,
        )
        if made["Status"] != "CREATE_COMPLETE":
            raise SkipError(f"the change set is {made['Status']}: {made.get('StatusReason', '')}")

    def stack_until(self, name: str, status: str) -> None:
        """Wait for a stack.

        Raises:
            SkipError: If it gets into another state, or takes too long.
        """
        found = self.until(
            lambda: str(self.need("cloudformation", "describe_stacks", StackName=name)["Stacks"][0]["StackStatus"]),
            lambda found: found == status or found.endswith(("FAILED", "ROLLBACK_COMPLETE")),
            STACK_WITHIN,
            POLL_OFTEN,
        )
        if found != status:
            raise SkipError(f"the stack {name} is {found}, not {status}")

    def role(self, statement: Mapping[str, Any]) -> str:
        """A new role with this policy, which the caller can assume: its ARN."""
        name = self.name().rpartition("/")[2]
        account = self.identity().split(":")[4]
        root = f"arn:{self.partition()}:iam::{account}:root"
        trust = _document({"Effect": "Allow", "Principal": {"AWS": root}, "Action": "sts:AssumeRole"})
        role_name = f"{PREFIX}-{self.account.run}-{name}"
        made = self.need("iam", "create_role", RoleName=role_name, AssumeRolePolicyDocument=trust)
        self.need("iam", "put_role_policy", RoleName=role_name, PolicyName=PREFIX, PolicyDocument=_document(statement))
        return str(made["Role"]["Arn"])

    def assume(self, role: str, *limits: Mapping[str, Any]) -> Credentials:
        """Credentials of a role, which allow no more than these statements, if any.

        Raises:
            SkipError: If the role cannot be assumed.
        """
        given = {"Policy": _document(*limits)} if limits else {}
        reply = self.until(
            lambda: self.call("sts", "assume_role", RoleArn=role, RoleSessionName=PREFIX, **given),
            lambda reply: not reply.code,
            SETTLES_WITHIN,
            POLL_SELDOM,
        )
        if reply.code:
            raise SkipError(f"the role cannot be assumed: {reply.words}")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        return {name: str(reply.response["Credentials"][name]) for name in names}


def key_policy(partition: str, account: str, *statements: Mapping[str, Any]) -> str:
    """A key's policy: the account's IAM decides, except for what the statements add."""
    root = {"AWS": f"arn:{partition}:iam::{account}:root"}
    return _document({"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}, *statements)


def _document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

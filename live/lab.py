"""What the probes work with: secrets, keys, stacks and roles of the run's own, and patience."""

from __future__ import annotations

import json
import re
import secrets as randomness
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from .account import PREFIX, Account, Call, Credentials, Reply
from .finding import SkipError

T = TypeVar("T")
# Seconds. F25 names no bound for how old a read may be: what has been said for so long is taken as true.
QUIET = 15.0
# F22: InSync within seconds; the first use of a Region's own key takes longer.
SETTLES_WITHIN = 120.0
# F18: a removed replica is gone after 40 to 90 s.
GONE_WITHIN = 180.0
STACK_WITHIN = 300.0
# F33: a policy may ask for a key's tags, which count after minutes.
KEY_COUNTS_WITHIN = 330.0
# What DescribeSecret says of a replica that is gone (U16).
NOT_THERE = ("ResourceNotFoundException", "AccessDeniedException")
_LOOK_EVERY = 1.0
_LOOK_SELDOM = 5.0
Description = Mapping[str, Any]
_Made = Mapping[str, Any]


@dataclass(slots=True)
class Timings:
    """How many seconds things took."""

    in_sync: list[float] = field(default_factory=list)
    gone: list[float] = field(default_factory=list)


class Lab:
    """One probe's share of the account.

    Args:
        account: the account.
        probe: the probe's name, for the names of what it makes.
    """

    def __init__(self, account: Account, probe: str) -> None:
        self.account, self.probe = account, probe
        self.home, (self.first, self.second) = account.home, account.replicas
        self.calls: list[Call] = []
        self.timings = Timings()
        self._made = 0

    # Calls and time

    def call(self, service: str, operation: str, region: str = "", **parameters: Any) -> Reply:
        """Call AWS, and note it: a response, or an error that is part of what is being found out."""
        return self.account.call(self.calls, service, operation, region, **parameters)

    def need(self, service: str, operation: str, region: str = "", **parameters: Any) -> _Made:
        """The same, for a call without which the probe cannot go on.

        Raises:
            SkipError: If AWS refuses it.
        """
        reply = self.call(service, operation, region, **parameters)
        if reply.code:
            raise SkipError(f"{service} {operation}: {reply.words}")
        return reply.answer

    def now(self) -> float:
        """Epoch seconds."""
        return self.account.clock.now()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.account.wait(seconds)

    def settle(self, read: Callable[[], T], done: Callable[[T], bool], within: float = SETTLES_WITHIN) -> T:
        """Read until ``done``, or until time is over; then until it has been the same for a while (F25).

        Returns:
            What was read last.
        """
        return self.trace(read, done, within)[-1]

    def trace(self, read: Callable[[], T], done: Callable[[T], bool], within: float = SETTLES_WITHIN) -> list[T]:
        """The same; everything that was read."""
        started = self.now()
        read_so_far = [read()]
        since = self.now()
        while True:
            quiet = self.now() - since >= QUIET and (done(read_so_far[-1]) or self.now() - started >= within)
            if quiet or self.now() - started >= within + 4 * QUIET:
                return read_so_far
            self.wait(_LOOK_EVERY if self.now() - started < SETTLES_WITHIN / 2 else _LOOK_SELDOM)
            read_so_far.append(read())
            if read_so_far[-1] != read_so_far[-2]:
                since = self.now()

    # What it makes

    def name(self) -> str:
        """A new name, of which the run and the probe are a part."""
        self._made += 1
        return f"{PREFIX}/{self.account.run}/{self.probe}-{self._made}"

    def secret(self, region: str = "", name: str = "", *, value: bool = True, **parameters: Any) -> Secret:
        """A new secret with a random value, or with none."""
        name, region = name or self.name(), region or self.home
        given = {"SecretString": randomness.token_hex(16)} if value else {}
        made = self.need("secretsmanager", "create_secret", region, Name=name, **given, **parameters)
        return Secret(self, str(made["ARN"]), name, region, given.get("SecretString", ""))

    def replicated(self, *regions: str, **parameters: Any) -> Secret:
        """A new secret that is InSync, in the first of the replicas' Regions unless others are given.

        Raises:
            SkipError: If it does not get InSync.
        """
        secret, regions = self.secret(**parameters), regions or (self.first,)
        reply, started = secret.replicate(*regions), self.now()
        if reply.code:
            raise SkipError(f"a first replication was refused: {reply.words}")
        for region in regions:
            secret.in_sync(region, since=started)
        return secret

    def key(self, region: str, *statements: Mapping[str, Any]) -> str:
        """A new customer key: its ARN. ``statements`` are added to its policy."""
        account = self.identity().split(":")[4]
        policy = key_policy(self.partition(), account, *statements)
        made = self.need("kms", "create_key", region, Policy=policy, Description=f"{PREFIX} {self.account.run}")
        arn = str(made["KeyMetadata"]["Arn"])
        end = self.now() + KEY_COUNTS_WITHIN
        while (reply := self.call("kms", "describe_key", region, KeyId=arn)).code:
            if self.now() >= end:
                raise SkipError(f"the key cannot be used: {reply.words}")
            self.wait(_LOOK_SELDOM)
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
        end = self.now() + STACK_WITHIN
        while True:
            made = self.need("cloudformation", "describe_change_set", StackName=stack, ChangeSetName=name)
            if made["Status"] == "CREATE_COMPLETE":
                return
            if self.now() >= end or made["Status"] == "FAILED":
                raise SkipError(f"the change set is {made['Status']}: {made.get('StatusReason', '')}")
            self.wait(_LOOK_EVERY)

    def stack_until(self, name: str, status: str) -> None:
        """Wait for a stack.

        Raises:
            SkipError: If it gets into another state, or takes too long.
        """
        found = ""
        end = self.now() + STACK_WITHIN
        while found != status:
            (stack,) = self.need("cloudformation", "describe_stacks", StackName=name)["Stacks"]
            found = stack["StackStatus"]
            if self.now() >= end or found.endswith(("FAILED", "ROLLBACK_COMPLETE")):
                raise SkipError(f"the stack {name} is {found} and not {status}")
            self.wait(_LOOK_EVERY)

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
        end = self.now() + SETTLES_WITHIN
        while True:
            reply = self.call("sts", "assume_role", RoleArn=role, RoleSessionName=PREFIX, **given)
            if not reply.code:
                told = reply.answer["Credentials"]
                names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
                return {name: str(told[name]) for name in names}
            if self.now() >= end:
                raise SkipError(f"the role cannot be assumed: {reply.words}")
            self.wait(_LOOK_SELDOM)


class Secret:
    """A secret of the run's own, and what is done to it."""

    def __init__(self, lab: Lab, arn: str, name: str, region: str, value: str = "") -> None:
        self._lab, self.arn, self.name, self.region, self.value = lab, arn, name, region, value

    def arn_in(self, region: str) -> str:
        """Its replica's ARN (F19)."""
        return self.arn.replace(f":{self.region}:", f":{region}:", 1)

    def replicate(self, *regions: str, key: str = "", force: bool = False) -> Reply:
        """ReplicateSecretToRegions."""
        adds = [{"Region": region} | ({"KmsKeyId": key} if key else {}) for region in regions]
        forced = {"ForceOverwriteReplicaSecret": True} if force else {}
        return self.call("replicate_secret_to_regions", AddReplicaRegions=adds, **forced)

    def remove(self, region: str) -> Reply:
        """RemoveRegionsFromReplication."""
        return self.call("remove_regions_from_replication", RemoveReplicaRegions=[region])

    def promote(self, region: str) -> None:
        """StopReplicationToReplica."""
        operation = "stop_replication_to_replica"
        self._lab.need("secretsmanager", operation, region, SecretId=self.arn_in(region))

    def delete(self, region: str = "", **how: Any) -> Reply:
        """DeleteSecret, of what has its name in a Region."""
        return self._lab.call("secretsmanager", "delete_secret", region or self.region, SecretId=self.name, **how)

    def describe(self, region: str = "", credentials: Credentials | None = None) -> Reply:
        """DescribeSecret by full ARN; in another Region that of its replica."""
        region = region or self.region
        more: dict[str, Any] = {"credentials": credentials} if credentials else {}
        return self._lab.call("secretsmanager", "describe_secret", region, SecretId=self.arn_in(region), **more)

    def entry(self, region: str) -> Mapping[str, Any]:
        """A Region's entry in ReplicationStatus; empty if there is none."""
        return entry_of(self._read(self.region), region)

    def exists(self, region: str) -> bool:
        """Whether something is at its ARN in a Region."""
        return not self._read(region).code

    def settled(self, region: str, within: float = SETTLES_WITHIN) -> Mapping[str, Any]:
        """A Region's entry, when nothing is in progress any more or time is over."""
        return self._lab.settle(lambda: self.entry(region), lambda entry: entry.get("Status") != "InProgress", within)

    def in_sync(self, region: str, since: float) -> None:
        """Wait until a Region is InSync; how long that took is noted.

        Raises:
            SkipError: If it does not get InSync.
        """
        entry: Mapping[str, Any] = {}
        while entry.get("Status") != "InSync":
            if self._lab.now() - since >= SETTLES_WITHIN or entry.get("Status") == "Failed":
                raise SkipError(f"a first replication to {region} did not get InSync: {said(entry)}")
            entry = self.entry(region)
            if entry.get("Status") == "InSync":
                self._lab.timings.in_sync.append(self._lab.now() - since)
            self._lab.wait(_LOOK_EVERY)
        self.settled(region)
        self._lab.settle(lambda: self.exists(region), bool)

    def gone(self, region: str, since: float) -> bool:
        """Wait until a Region's replica is gone; how long that took is noted. False if it stays."""
        while self.exists(region):
            if self._lab.now() - since >= GONE_WITHIN:
                return False
            self._lab.wait(_LOOK_EVERY)
        self._lab.timings.gone.append(self._lab.now() - since)
        return not self._lab.settle(lambda: self.exists(region), lambda there: not there)

    def stays(self, region: str) -> bool:
        """Whether what is at its ARN in a Region is still there after as long as any removal takes."""
        end = self._lab.now() + GONE_WITHIN
        while self._lab.now() < end:
            self._lab.wait(_LOOK_SELDOM)
        return self._lab.settle(lambda: self.exists(region), bool, within=0)

    def _read(self, region: str) -> Reply:
        reply = self.describe(region)
        if reply.code and reply.code not in NOT_THERE:
            raise SkipError(f"DescribeSecret in {region}: {reply.words}")
        return reply

    def call(self, operation: str, **parameters: Any) -> Reply:
        """Another call about it, in its own Region."""
        return self._lab.call("secretsmanager", operation, self.region, SecretId=self.arn, **parameters)


def entry_of(reply: Reply, region: str) -> Mapping[str, Any]:
    """A Region's entry in a response's ReplicationStatus; empty if there is none."""
    listed: list[Mapping[str, Any]] = reply.answer.get("ReplicationStatus") or []
    return next((entry for entry in listed if entry["Region"] == region), {})


def said(entry: Mapping[str, Any]) -> str:
    """An entry in words."""
    if not entry:
        return "not listed"
    message = entry.get("StatusMessage")
    return f"{entry['Status']}: {message}" if message else str(entry["Status"])


def key_policy(partition: str, account: str, *statements: Mapping[str, Any]) -> str:
    """A key's policy: the account's IAM decides, but for what the statements add."""
    root = {"AWS": f"arn:{partition}:iam::{account}:root"}
    return _document({"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}, *statements)


def _document(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

"""The rights of the function: built from what is declared, each with its reason in docs/permissions.md."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from aws_cdk import ArnFormat, Aws, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as sm

from .keys import in_a_policy
from .primary import cfn_secret
from .regions import ReplicaRegion, ReplicaRemovalPolicy

DESCRIBE = ("secretsmanager:DescribeSecret",)
_ADD = "secretsmanager:ReplicateSecretToRegions"
REPLICATE = (
    _ADD,
    "secretsmanager:RemoveRegionsFromReplication",
    "secretsmanager:TagResource",
    "secretsmanager:UntagResource",
)
PROMOTE = ("secretsmanager:StopReplicationToReplica",)
DECRYPT = ("kms:Decrypt",)
ENCRYPT = ("kms:Encrypt", "kms:GenerateDataKey")
_TAG_KEYS = "cdk-replicated-secret:*"
# CloudFormation puts it on every secret that it makes.
_MADE_BY = "aws:ResourceTag/aws:cloudformation:stack-id"
# What Secrets Manager adds to a name, where only the name is known.
_ANY_SUFFIX = "-??????"

Conditions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Right:
    """Some actions on one resource. Rights that differ in the resource alone share a statement."""

    actions: tuple[str, ...]
    resource: str
    conditions: Conditions = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """The same for rights that can share a statement."""
        return json.dumps([self.actions, self.conditions], sort_keys=True)

    def without(self, action: str) -> Right:
        """The same without one of its actions."""
        return replace(self, actions=tuple(known for known in self.actions if known != action))

    def statement(self) -> iam.PolicyStatement:
        """A statement with this right alone."""
        return iam.PolicyStatement(
            actions=list(self.actions), resources=[self.resource], conditions=dict(self.conditions) or None
        )


def rights(
    stack: Stack,
    secret: sm.ISecret,
    regions: Sequence[ReplicaRegion | str],
    policy: ReplicaRemovalPolicy,
    *,
    force: bool,
) -> list[Right]:
    """What replicating this secret to these Regions needs, and nothing more.

    Args:
        stack: the stack that declares it.
        secret: the primary.
        regions: where to; names alone, a list token among them, use the default key.
        policy: what becomes of replicas that are no longer declared.
        force: whether an unrelated secret may be overwritten.
    """
    promote = policy is ReplicaRemovalPolicy.PROMOTE
    names = [replica if isinstance(replica, str) else replica.region for replica in regions]
    of_request = limits(names, force=() if force else ("false",))
    owned = cfn_secret(secret)
    if owned and Stack.of(owned).node.path == stack.node.path:
        needed = _to_the_stacks_own(stack, of_request, promote=promote)
    else:
        needed = _to_a_named_one(stack, secret, of_request, promote=promote)
    needed += _to_a_key(stack, DECRYPT, secret.env.region, secret.encryption_key)
    for replica in regions:
        if isinstance(replica, str):
            continue
        needed += _to_a_key(stack, ENCRYPT, replica.region, replica.encryption_key)
    # Where no replica is declared, none may be made.
    return needed if regions else [right.without(_ADD) for right in needed]


def limits(regions: Sequence[str], *, force: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """Conditions on what a request has: of a call without them, they are true.

    Args:
        regions: where replicas may be.
        force: what a request may say of overwriting an unrelated secret, ``"false"`` or ``"true"``; empty for both.
    """
    found: dict[str, Mapping[str, Any]] = {"ForAllValues:StringLike": {"aws:TagKeys": [_TAG_KEYS]}}
    if regions:
        found["ForAllValues:StringEquals"] = {"secretsmanager:AddReplicaRegions": sorted(regions)}
    if force:
        found["BoolIfExists"] = {"secretsmanager:ForceOverwriteReplicaSecret": list(force)}
    return found


def _to_the_stacks_own(stack: Stack, limits: Conditions, *, promote: bool) -> list[Right]:
    """All of the stack's secrets at once: however many there are, this stays as long."""
    here, anywhere = (_arn(stack, region, stack.account, "*") for region in (stack.region, "*"))
    own = {_MADE_BY: Aws.STACK_ID}
    # What is gone has no tags, and AWS does not say whether a replica has those of CloudFormation.
    own_if_tagged = {"StringEqualsIfExists": own}
    needed = [
        Right(REPLICATE, here, {"StringEquals": own, **limits}),
        Right(DESCRIBE, anywhere, own_if_tagged),
    ]
    if promote:
        of_here = {"StringEquals": {"secretsmanager:SecretPrimaryRegion": stack.region}}
        needed.append(Right(PROMOTE, anywhere, {**own_if_tagged, **of_here}))
    return needed


def _to_a_named_one(stack: Stack, secret: sm.ISecret, limits: Conditions, *, promote: bool) -> list[Right]:
    """One ARN for each, in every Region: one that is dropped is asked, too, whether its replica is gone."""
    arn = secret.secret_full_arn or f"{secret.secret_arn}{_ANY_SUFFIX}"
    parts = stack.split_arn(arn, ArnFormat.COLON_RESOURCE_NAME)
    # What of an ARN is a token, but not the name, is taken from where the secret is: that is shorter, and the same.
    account = secret.env.account if Token.is_unresolved(parts.account) else parts.account
    partition = None if Token.is_unresolved(parts.partition) else parts.partition
    everywhere = _arn(stack, "*", account or "", parts.resource_name or "", partition)
    needed = [Right((*DESCRIBE, *REPLICATE), everywhere, limits)]
    if promote:
        needed.append(Right(PROMOTE, everywhere))
    return needed


def _to_a_key(stack: Stack, actions: tuple[str, ...], region: str, key: Any) -> list[Right]:
    """A customer key, through Secrets Manager only."""
    named = in_a_policy(stack, region, key)
    return [Right(actions, *named)] if named else []


def _arn(stack: Stack, region: str, account: str, name: str, partition: str | None = None) -> str:
    return stack.format_arn(
        partition=partition,
        service="secretsmanager",
        region=region,
        account=account,
        resource="secret",
        resource_name=name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )

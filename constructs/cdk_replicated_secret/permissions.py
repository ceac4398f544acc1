"""The permissions of the function for one ReplicatedSecret. docs/reference/permissions.md has the reason for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aws_cdk import ArnFormat, Aws, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm

from .forms import as_text, in_each_case, may_be_removed
from .keys import in_a_policy, via_secrets_manager
from .policies import ENCRYPTION_CONTEXT
from .primary import cfn_secret, environment
from .props import ReplicaRegion, ReplicaRemovalPolicy

DESCRIBE = ("secretsmanager:DescribeSecret",)
REPLICATE = ("secretsmanager:ReplicateSecretToRegions",)
REMOVE = ("secretsmanager:RemoveRegionsFromReplication",)
TAG = ("secretsmanager:TagResource", "secretsmanager:UntagResource")
PROMOTE = ("secretsmanager:StopReplicationToReplica",)
DECRYPT = ("kms:Decrypt",)
ENCRYPT = ("kms:Encrypt", "kms:GenerateDataKey")
DESCRIBE_KEY = ("kms:DescribeKey",)
# CloudFormation puts this tag on every secret that it creates.
_STACK_TAG = "aws:ResourceTag/aws:cloudformation:stack-id"
# Stands for the six characters that Secrets Manager appends to a name.
_ANY_SUFFIX = "-??????"

Conditions = Mapping[str, Mapping[str, Any]]

OWN_TAGS: Conditions = {"ForAllValues:StringLike": {"aws:TagKeys": ["cdk-replicated-secret:*"]}}


def statements(
    stack: Stack,
    secret: sm.ISecret,
    key: kms.IKey | str | None,
    regions: Sequence[ReplicaRegion | str],
    policy: ReplicaRemovalPolicy,
    *,
    force: bool,
) -> list[iam.PolicyStatement]:
    """The statements that allow replicating a secret to these Regions, and nothing more.

    Args:
        stack: The stack that declares the replication.
        secret: The primary.
        key: The primary's key; None if it is not known.
        regions: The replica Regions. A bare name, also one of a list token, means the default key.
        policy: What happens to replicas that are no longer declared.
        force: Whether an unrelated secret may be overwritten.
    """
    # Without declared Regions nothing may be replicated.
    write = (*REPLICATE, *REMOVE) if regions else REMOVE
    replicas = [_never_removed(stack, replica) for replica in regions if not isinstance(replica, str)]
    names = [replica.region for replica in replicas] + [name for name in regions if isinstance(name, str)]
    of_request = request_conditions(names, force=() if force else ("false",))
    promotes = policy is ReplicaRemovalPolicy.PROMOTE
    owned = cfn_secret(secret)
    if owned and Stack.of(owned).node.path == stack.node.path:
        needed = _for_own_secrets(stack, write, of_request, promotes=promotes)
    else:
        needed = _for_named_secret(stack, secret, write, of_request, promotes=promotes)
    region = environment(secret)[1]
    needed += _for_key(stack, DECRYPT, region, key) if key else [_for_unknown_key(stack, secret)]
    for replica in replicas:
        needed += _for_key(stack, ENCRYPT, replica.region, replica.encryption_key)
        needed += _for_comparing(stack, replica.region, replica.encryption_key)
    return needed


def _never_removed(stack: Stack, replica: ReplicaRegion) -> ReplicaRegion:
    """If AWS::NoValue may remove the Region, a policy has a blank one instead."""
    if not may_be_removed(stack, replica.region):
        return replica
    region = as_text(in_each_case(stack, replica.region, lambda case: case))
    return ReplicaRegion(region, encryption_key=replica.encryption_key)


def request_conditions(regions: Sequence[str], *, force: Sequence[Any]) -> dict[str, Mapping[str, Any]]:
    """Conditions on the parameters of a request. They hold for requests that do not have these parameters.

    Args:
        regions: The Regions that may be replicated to.
        force: The values that ForceOverwriteReplicaSecret may have, ``"false"`` or ``"true"``; empty for both.
    """
    found: dict[str, Mapping[str, Any]] = {}
    if regions:
        found["ForAllValues:StringEquals"] = {"secretsmanager:AddReplicaRegions": sorted(regions)}
    if force:
        found["BoolIfExists"] = {"secretsmanager:ForceOverwriteReplicaSecret": list(force)}
    return found


def allow(actions: Sequence[str], resource: str, conditions: Conditions | None = None) -> iam.PolicyStatement:
    """A statement that allows actions on one resource."""
    return iam.PolicyStatement(actions=list(actions), resources=[resource], conditions=dict(conditions or {}) or None)


def _for_own_secrets(
    stack: Stack, write: Sequence[str], of_request: Conditions, *, promotes: bool
) -> list[iam.PolicyStatement]:
    """For all secrets that the stack creates: the same statements, however many secrets there are."""
    here, anywhere = (_arn(stack, region, stack.account, "*") for region in (stack.region, "*"))
    own = {_STACK_TAG: Aws.STACK_ID}
    # A deleted replica has no tags, and AWS does not document whether a replica has CloudFormation's tags.
    own_if_tagged = {"StringEqualsIfExists": own}
    needed = [
        allow(write, here, {"StringEquals": own, **of_request}),
        allow(TAG, here, {"StringEquals": own, **OWN_TAGS}),
        allow(DESCRIBE, anywhere, own_if_tagged),
    ]
    if promotes:
        of_here = {"StringEquals": {"secretsmanager:SecretPrimaryRegion": stack.region}}
        needed.append(allow(PROMOTE, anywhere, {**own_if_tagged, **of_here}))
    return needed


def _for_named_secret(
    stack: Stack, secret: sm.ISecret, write: Sequence[str], of_request: Conditions, *, promotes: bool
) -> list[iam.PolicyStatement]:
    everywhere = _anywhere(stack, secret)
    needed = [allow((*DESCRIBE, *write), everywhere, of_request), allow(TAG, everywhere, OWN_TAGS)]
    if promotes:
        needed.append(allow(PROMOTE, everywhere))
    return needed


def _anywhere(stack: Stack, secret: sm.ISecret) -> str:
    """The secret's ARN in any Region: a Region that is no longer declared is still asked for its replica."""
    arn = secret.secret_full_arn or f"{secret.secret_arn}{_ANY_SUFFIX}"
    parts = stack.split_arn(arn, ArnFormat.COLON_RESOURCE_NAME)
    # Tokens in the ARN, except the name, are replaced by the secret's environment: that is the same, and shorter.
    account = environment(secret)[0] if Token.is_unresolved(parts.account) else parts.account
    partition = None if Token.is_unresolved(parts.partition) else parts.partition
    name = _name_elsewhere(stack, secret)
    return _arn(stack, "*", account or "", f"{name}{_ANY_SUFFIX}" if name else parts.resource_name or "", partition)


def _name_elsewhere(stack: Stack, secret: sm.ISecret) -> str | None:
    """The name of the app's secret in another account or Region, else None. The CDK's ARN for it lacks the suffix."""
    owned = cfn_secret(secret)
    if owned is None or environment(secret) == (stack.account, stack.region):
        return None
    # If the CDK has to generate the name, it does so at the first reference.
    stack.resolve(secret.secret_arn)
    name = stack.resolve(owned.name)
    return name if isinstance(name, str) else None


def _for_key(stack: Stack, actions: Sequence[str], region: str, key: Any) -> list[iam.PolicyStatement]:
    """For a customer key, through Secrets Manager only; nothing for the default key."""
    named = in_a_policy(stack, region, key)
    return [allow(actions, *named)] if named else []


def _for_comparing(stack: Stack, region: str, key: Any) -> list[iam.PolicyStatement]:
    """The function itself, not Secrets Manager, asks KMS which key an alias stands for.

    The alias may be the declared key, or what AWS reports although another name is declared.
    """
    named = in_a_policy(stack, region, key)
    if named is None:
        return []
    resource, conditions = named
    of_alias = {name: value for name, value in conditions.items() if name != "StringEquals"}
    return [allow(DESCRIBE_KEY, resource, of_alias)]


def _for_unknown_key(stack: Stack, secret: sm.ISecret) -> iam.PolicyStatement:
    """An imported secret may have any customer key, even of another account: allow each, to decrypt this secret."""
    region = environment(secret)[1]
    conditions = {
        "StringEquals": {"kms:ViaService": via_secrets_manager(stack, region)},
        "StringLike": {ENCRYPTION_CONTEXT: [_end_of_arn(_anywhere(stack, secret))]},
    }
    return allow(DECRYPT, stack.format_arn(service="kms", region=region, account="*", resource="key/*"), conditions)


def _end_of_arn(arn: str) -> str:
    """A shorter pattern that matches the same secret: account and name. kms:ViaService has the service and Region."""
    return ":".join(["*", *arn.split(":")[4:]])


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

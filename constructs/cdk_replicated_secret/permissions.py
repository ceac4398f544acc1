"""The rights of the function: built from what is declared, each with its reason in docs/permissions.md."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import ArnFormat, Fn, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_secretsmanager as sm

from .regions import ReplicaRegion, ReplicaRemovalPolicy

# The suffix that Secrets Manager adds to the name, where only the name is known.
_ANY_SUFFIX = "-??????"
_TAG_KEYS = "cdk-replicated-secret:*"


def statements(
    stack: Stack,
    secret: sm.ISecret,
    regions: Sequence[ReplicaRegion],
    policy: ReplicaRemovalPolicy,
) -> list[iam.PolicyStatement]:
    """What replicating this secret to these Regions needs, and nothing more."""
    primary, everywhere = _arns(stack, secret)
    needed = [
        iam.PolicyStatement(
            actions=["secretsmanager:ReplicateSecretToRegions", "secretsmanager:RemoveRegionsFromReplication"],
            resources=[primary],
        ),
        iam.PolicyStatement(
            actions=["secretsmanager:TagResource", "secretsmanager:UntagResource"],
            resources=[primary],
            conditions={"ForAllValues:StringLike": {"aws:TagKeys": [_TAG_KEYS]}},
        ),
        # A Region that this update drops is still asked whether its replica is gone, so no Region is named.
        iam.PolicyStatement(actions=["secretsmanager:DescribeSecret"], resources=[everywhere]),
    ]
    if policy is ReplicaRemovalPolicy.PROMOTE:
        needed.append(iam.PolicyStatement(actions=["secretsmanager:StopReplicationToReplica"], resources=[everywhere]))
    return needed + _keys(stack, secret, regions)


def _arns(stack: Stack, secret: sm.ISecret) -> tuple[str, str]:
    """The primary's ARN, and the same in every Region."""
    full = secret.secret_full_arn
    arn = full or f"{secret.secret_arn}{_ANY_SUFFIX}"
    parts = stack.split_arn(arn, ArnFormat.COLON_RESOURCE_NAME)
    everywhere = stack.format_arn(
        service="secretsmanager",
        region="*",
        account=parts.account,
        partition=parts.partition,
        resource="secret",
        resource_name=parts.resource_name or Fn.select(6, Fn.split(":", arn)),
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )
    return arn, everywhere


def _keys(stack: Stack, secret: sm.ISecret, regions: Sequence[ReplicaRegion]) -> list[iam.PolicyStatement]:
    """Customer keys, through Secrets Manager only: decrypt with the primary's, encrypt with the replicas'."""
    needed = []
    if secret.encryption_key is not None:
        needed.append(_key(stack, ["kms:Decrypt"], secret.encryption_key.key_arn, stack.region))
    for replica in regions:
        if replica.key_id:
            resource, conditions = _key_resource(stack, replica)
            statement = _key(stack, ["kms:GenerateDataKey", "kms:Encrypt"], resource, replica.region)
            for operator, condition in conditions.items():
                statement.add_condition(operator, condition)
            needed.append(statement)
    return needed


def _key(stack: Stack, actions: list[str], resource: str, region: str) -> iam.PolicyStatement:
    via = f"secretsmanager.{region}.{stack.url_suffix}"
    return iam.PolicyStatement(
        actions=actions, resources=[resource], conditions={"StringEquals": {"kms:ViaService": via}}
    )


def _key_resource(stack: Stack, replica: ReplicaRegion) -> tuple[str, dict[str, dict[str, str]]]:
    """A key's ARN. IAM cannot name a key by its alias: then any key of the Region that has that alias."""
    key = replica.encryption_key
    if not isinstance(key, str):
        return replica.key_id or "", {}
    if key.startswith("arn:") and ":alias/" not in key:
        return key, {}
    name = key.rpartition(":")[2]
    if not name.startswith("alias/"):
        return _key_arn(stack, replica.region, name.removeprefix("key/")), {}
    return _key_arn(stack, replica.region, "*"), {"ForAnyValue:StringEquals": {"kms:ResourceAliases": name}}


def _key_arn(stack: Stack, region: str, name: str) -> str:
    return stack.format_arn(service="kms", region=region, resource="key", resource_name=name)

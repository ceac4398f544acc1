"""KMS keys: Secrets Manager accepts an ARN, ID or alias, IAM only an ARN."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import Fn, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from .forms import as_text, blank_parameter, cases, in_each_case, is_known, target_of
from .places import stack_of

# The key of a secret without a customer key: anyone who may read the secret may use it.
DEFAULT_KEY = "alias/aws/secretsmanager"
ALIAS = "alias/"


def key_arn(stack: Stack, region: str, key: kms.IKey | str | None) -> str | None:
    """The ARN of a key, or of its alias; None for the default key.

    Args:
        stack: The stack whose account and partition complete an ID or an alias.
        region: The key's Region.
        key: A key construct, or its ARN, ID or alias; a token is treated as an ARN.
    """
    text = key if key is None or isinstance(key, str) else key.key_arn
    if not text or text.endswith(DEFAULT_KEY):
        return None
    text = _known(stack, text)
    if text.startswith("arn:") or not (is_known(text) or text.startswith((ALIAS, "key/"))):
        return text
    name = text if text.startswith((ALIAS, "key/")) else f"key/{text}"
    return stack.format_arn(service="kms", region=region, resource=name)


def _known(stack: Stack, text: str) -> str:
    """An ARN or an alias instead of a token for an ID or an alias."""
    target, attribute = target_of(text)
    if isinstance(target, kms.CfnKey) and attribute == "Ref":
        return target.attr_arn
    if isinstance(target, kms.CfnAlias):
        return target.alias_name
    found = stack.resolve(text) if Token.is_unresolved(text) else text
    if isinstance(found, dict) and "Fn::Select" in found:
        # The CDK cuts the ID of an imported key from its ARN.
        return f"key/{text}"
    return found if isinstance(found, str) else text


def as_key(scope: Construct, region: str, key: kms.IKey | str | None) -> kms.IKey | None:
    """The key as a construct; None for the default key. For an alias it has the alias's ARN, and cannot grant."""
    if key is None or not isinstance(key, str):
        return key
    arn = key_arn(Stack.of(scope), region, key)
    if arn and not is_known(arn):
        # The CDK splits text that is not a token, including dynamic references and lookup placeholders.
        arn = Fn.join("", [arn])
    return kms.Key.from_key_arn(scope, "Key", arn) if arn else None


def grant_decrypt(stack: Stack, grantee: iam.IGrantable, region: str, key: kms.IKey | str | None) -> iam.Grant | None:
    """Let a grantee decrypt with a key, only through Secrets Manager in the key's Region.

    CDK's own ``ISecret.grant_read`` omits this for an imported key. The arguments are those of ``key_arn``.

    Returns:
        The grant; None for the default key.

    Raises:
        ValueError: If the key depends on a condition or parameter that the grantee's stack does not have.
    """
    reader = stack_of(grantee) or stack
    arn = key_arn(stack, region, key) or ""
    if reader.node.path != stack.node.path and (cases(stack, arn) or blank_parameter(arn)):
        raise ValueError(
            f"the key in {region} depends on a condition or a blank parameter of {stack.node.path}, to which "
            f"{reader.node.path} cannot refer: allow kms:Decrypt in {reader.node.path} with a separate condition"
        )
    named = in_a_policy(stack, region, key, reader)
    if named is None:
        return None
    resource, conditions = named
    return iam.Grant.add_to_principal(
        grantee=grantee, actions=["kms:Decrypt"], resource_arns=[resource], conditions=conditions
    )


def in_a_policy(
    stack: Stack, region: str, key: kms.IKey | str | None, reader: Stack | None = None
) -> tuple[str, dict[str, Mapping[str, Any]]] | None:
    """The resource and conditions of a statement about a key, through Secrets Manager; None for the default key.

    Args:
        stack: As for ``key_arn``.
        region: As for ``key_arn``.
        key: As for ``key_arn``.
        reader: The stack of the policy. Default: the same.
    """
    # The key behind an alias of the app is known; IAM cannot name a key by its alias.
    arn = key_arn(stack, region, key.alias_target_key if isinstance(key, kms.Alias) else key)
    if arn is None:
        return None
    # A policy has to name a key even if there is none. The alias allows nothing: a request is checked against the key's
    # ARN.
    default = stack.format_arn(service="kms", region=region, resource=DEFAULT_KEY)
    arn = as_text(in_each_case(reader or stack, arn, lambda case: key_arn(stack, region, case) or default))
    conditions: dict[str, Mapping[str, Any]] = {"StringEquals": {"kms:ViaService": via_secrets_manager(stack, region)}}
    place, is_alias, name = arn.partition(":alias/")
    if not is_alias:
        return arn, conditions
    # The key behind any other alias is not known: this allows any key in that Region that carries the alias.
    conditions["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": f"alias/{name}"}
    return f"{place}:key/*", conditions


def via_secrets_manager(stack: Stack, region: str) -> list[str]:
    """The values that kms:ViaService can have: the name under amazonaws.com, and that of the partition."""
    known = None if Token.is_unresolved(region) else RegionInfo.get(region).domain_suffix
    suffixes = dict.fromkeys(["amazonaws.com", known or stack.url_suffix])
    return [f"secretsmanager.{region}.{suffix}" for suffix in suffixes]

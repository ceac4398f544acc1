"""What is known about the primary at synthesis; tokens hide the rest until the deployment."""

from __future__ import annotations

import json
import re

from aws_cdk import ArnFormat, Stack, Token
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm

from .forms import target_of
from .keys import DEFAULT_KEY

# What Secrets Manager adds to the name in an ARN.
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
_ARN_COLONS = 6


def cfn_secret(secret: sm.ISecret) -> sm.CfnSecret | None:
    """The secret's resource in the app, also behind an attachment or an import; None if there is none."""
    resource, _ = target_of(secret.secret_arn)
    if isinstance(resource, sm.CfnSecretTargetAttachment):
        resource, _ = target_of(str(resource.secret_id))
    return resource if isinstance(resource, sm.CfnSecret) else None


def primary_key(secret: sm.ISecret) -> kms.IKey | str | None:
    """The key that encrypts the secret; None if it is not known, as for most imported secrets."""
    owned = cfn_secret(secret)
    if secret.encryption_key or not owned:
        return secret.encryption_key
    return owned.kms_key_id or DEFAULT_KEY


def environment(secret: sm.ISecret) -> tuple[str, str]:
    """The secret's account and Region, which an import takes from the ARN even if that is a token."""
    owned = cfn_secret(secret)
    place = Stack.of(owned) if owned else secret.env
    return place.account, place.region


def secret_id(stack: Stack, secret: sm.ISecret) -> str:
    """The SecretId to pass to the function: the primary's ARN, or its name if the suffix is unknown.

    Secrets Manager mistakes a partial ARN whose name ends like a suffix, such as ``my-secret``, for a complete one. So
    a partial ARN is used only for a primary elsewhere, where it has to name the Region.
    """
    elsewhere = environment(secret) != (stack.account, stack.region)
    return secret.secret_arn if secret.secret_full_arn or elsewhere else _resource(secret)


def identity(secret: sm.ISecret) -> tuple[str, ...]:
    """Equal for two constructs if they certainly are the same secret: account, Region and name."""
    stack = Stack.of(secret)
    place: tuple[str, ...] = environment(secret)
    if any(Token.is_unresolved(part) for part in place):
        place = (*place, stack.node.path)
    name = literal_name(secret)
    if name:
        return (*place, name)
    owned = cfn_secret(secret)
    return (owned.node.path,) if owned else (stack.node.path, json.dumps(stack.resolve(secret.secret_arn)))


def literal_name(secret: sm.ISecret) -> str | None:
    """The name without a suffix; None if it is generated or a token."""
    owned = cfn_secret(secret)
    name = owned.name if owned else _resource(secret)
    if not name or Token.is_unresolved(name):
        return None
    return name if owned or not secret.secret_full_arn else _SUFFIX.sub("", name)


def complete_replica_arn(secret: sm.ISecret, region: str) -> str | None:
    """The replica's ARN if the primary's is complete and not a token, else None."""
    arn = secret.secret_full_arn
    if not arn or Token.is_unresolved(arn):
        return None
    parts = arn.split(":")
    parts[3] = region
    return ":".join(parts)


def partial_replica_arn(secret: sm.ISecret, region: str) -> str | None:
    """The replica's ARN without the suffix if the primary's name is known and does not end like a suffix, else None."""
    name = literal_name(secret)
    if not name or _SUFFIX.search(name):
        return None
    return Stack.of(secret).format_arn(
        service="secretsmanager",
        region=region,
        account=environment(secret)[0],
        resource="secret",
        resource_name=name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


def _resource(secret: sm.ISecret) -> str:
    """The end of the ARN. Not ``secret_name``: an import by partial ARN strips what looks like a suffix from it."""
    return secret.secret_arn.split(":", _ARN_COLONS)[-1]

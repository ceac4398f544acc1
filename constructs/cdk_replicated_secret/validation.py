"""What ReplicatedSecret rejects at synthesis. Each message names the construct, the value and what to write instead."""

from __future__ import annotations

from typing import Any

from aws_cdk import Duration, Stack
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from constructs import Construct

from .forms import NOT_RESOLVED, differ, dynamic_reference, is_known, is_secure, may_be_removed, parameter_elsewhere
from .keys import ALIAS
from .places import check_app, is_out_of_reach, place
from .primary import environment, primary_key
from .props import ReplicaRemovalPolicy
from .replica import Replica

_ARN_COLONS = 5
# Seconds: what the function needs to describe the secret and to respond, and Lambda's limit.
_MIN_TIMEOUT, _MAX_TIMEOUT = 30, 900


def check_values(
    construct: Construct,
    *,
    secret: Any,
    encryption_key: Any,
    force_overwrite: object,
    replica_removal_policy: object,
    service_timeout: object,
    provider: Any,
) -> None:
    """Check every argument except the Regions.

    Raises:
        TypeError: If a value has the wrong type.
        ValueError: If two values exclude each other, or a value cannot work.
    """
    path = construct.node.path
    if not isinstance(replica_removal_policy, ReplicaRemovalPolicy):
        name = str(getattr(replica_removal_policy, "name", replica_removal_policy)).upper()
        ours = name if name in ReplicaRemovalPolicy.__members__ else ReplicaRemovalPolicy.DELETE.name
        raise TypeError(
            f"{path}: replica_removal_policy is {replica_removal_policy!r}: expected a ReplicaRemovalPolicy, for "
            f"example ReplicaRemovalPolicy.{ours}"
        )
    if not isinstance(force_overwrite, bool):
        raise TypeError(f"{path}: force_overwrite is {force_overwrite!r}: expected True or False")
    if provider is not None:
        _check_provider(construct, provider)
    if secret is not None:
        _check_secret(construct, secret)
    if encryption_key is not None:
        _check_primary_key(construct, secret, encryption_key)
    _check_timeout(path, service_timeout)


def _check_provider(construct: Construct, provider: Any) -> None:
    path, stack = construct.node.path, Stack.of(construct)
    if isinstance(provider, type) or not hasattr(provider, "service_token"):
        raise TypeError(
            f"{path}: provider is {provider!r}: expected a ReplicationProvider, for example from "
            "ReplicationProvider.from_service_token(...)"
        )
    token = provider.service_token
    if not isinstance(provider, Construct):
        return
    check_app(construct, "provider", provider)
    home = Stack.of(provider)
    if differ(home.region, stack.region) or is_out_of_reach(stack, token):
        raise ValueError(
            f"{path}: provider is {provider.node.path} of a stack in {place(home)}, but this stack is in "
            f"{place(stack)}: a ServiceToken must be in the stack's own Region; omit provider, or use one of "
            "this Region"
        )


def _check_secret(construct: Construct, secret: Any) -> None:
    path = construct.node.path
    if isinstance(secret, type) or not all(hasattr(secret, name) for name in ("secret_arn", "grant_read")):
        raise TypeError(f"{path}: secret is {secret!r}: expected a secret; {_instead_of_secret(secret)}")
    if not hasattr(secret, "secret_full_arn"):
        raise TypeError(f"{path}: secret is a {type(secret).__name__}: write its .secret")
    check_app(construct, "secret", secret)
    wrong = _wrong_with_secret(Stack.of(construct), secret)
    if wrong:
        raise ValueError(f"{path}: {wrong}")


def _instead_of_secret(value: object) -> str:
    if isinstance(value, sm.CfnSecret):
        return "write Secret.from_secret_complete_arn(..., resource.ref)"
    return "import it, for example with Secret.from_secret_name_v2(...) or Secret.from_secret_complete_arn(...)"


def _wrong_with_secret(stack: Stack, secret: sm.ISecret) -> str | None:
    if isinstance(secret, Replica):
        return f"secret is {secret.node.path}, which is a replica: replicate its primary to more Regions"
    arn = secret.secret_arn
    if is_out_of_reach(stack, arn):
        return (
            f"secret is {secret.node.path} of a stack in {place(Stack.of(secret))}, but this stack is in "
            f"{place(stack)}, which cannot know its generated name: declare the ReplicatedSecret in the secret's "
            "own stack, or give the secret a secret_name"
        )
    if may_be_removed(stack, arn):
        return (
            "secret may be AWS::NoValue, but a primary is required: give a secret for every case, or omit the construct"
        )
    found = dynamic_reference(stack, arn)
    if found:
        return (
            f"secret is imported by an ARN that is the dynamic reference {found}, which CloudFormation resolves "
            "too late for Fn::Split and Fn::Select: use ssm.StringParameter.value_for_string_parameter(...), or import "
            "by name"
        )
    name = arn.split(":", _ARN_COLONS + 1)[-1]
    if is_secure(stack, name):
        return f"secret is imported by the name {name}, {NOT_RESOLVED}"
    if is_known(name) and ":" in name:
        return (
            f"secret was imported by name, but the name is an ARN, {arn!r}: "
            "import it with Secret.from_secret_complete_arn(...)"
        )
    return None


def _check_primary_key(construct: Construct, secret: sm.ISecret | None, key: Any) -> None:
    path = construct.node.path
    if not hasattr(key, "key_arn"):
        raise TypeError(f"{path}: encryption_key is {key!r}: expected a key{_instead_of_key(key)}")
    check_app(construct, "encryption_key", key)
    if wrong := parameter_elsewhere(Stack.of(construct), key.key_arn):
        raise ValueError(f"{path}: encryption_key is {wrong}")
    if secret is not None and primary_key(secret):
        raise ValueError(
            f"{path}: encryption_key is for a new secret, or for an imported one whose key is not known, but the key "
            f"of {secret.node.path} is known: omit encryption_key (the key of a replica goes into ReplicaRegion)"
        )
    region = environment(secret)[1] if secret is not None else Stack.of(construct).region
    if differ(key.env.region, region):
        raise ValueError(
            f"{path}: encryption_key is in {key.env.region}, but the primary is in {region}: use a key in {region} "
            "(the key of a replica goes into ReplicaRegion)"
        )


def _instead_of_key(value: object) -> str:
    if isinstance(value, kms.CfnKey):
        return "; write kms.Key.from_cfn_key(resource)"
    if isinstance(value, str) and value.startswith(ALIAS):
        return f", for example kms.Alias.from_alias_name(..., {value!r})"
    return ", for example kms.Key.from_key_arn(...) (the key of a replica, in ReplicaRegion, can be a string)"


def _check_timeout(path: str, service_timeout: object) -> None:
    if service_timeout is None:
        return
    if not isinstance(service_timeout, Duration):
        raise TypeError(
            f"{path}: service_timeout is {service_timeout!r}: expected a Duration, for example Duration.minutes(5)"
        )
    if service_timeout.is_unresolved():
        return
    seconds = service_timeout.to_seconds(integral=False)
    if not _MIN_TIMEOUT <= seconds <= _MAX_TIMEOUT:
        raise ValueError(
            f"{path}: service_timeout is {seconds:g} s: must be between {_MIN_TIMEOUT} s and {_MAX_TIMEOUT} s "
            "(Lambda's limit)"
        )

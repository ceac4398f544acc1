"""The app that `cdk deploy` runs: replicate an existing or a new secret to other Regions.

Context, all of it optional (`cdk deploy -c secretId=app/database -c replicaRegions='["eu-west-3"]'`):
    secretId: the ARN or name of an existing secret. Default: the stack creates one.
    stackName: the stack's name. Default: see below.
    replicaRegions: a JSON list of Regions or of {"Region": ..., "KmsKeyId": ...}, or the AWS CLI's shorthand,
        `Region=eu-west-3,KmsKeyId=alias/app Region=us-east-1`. Default: two other Regions of the stack's partition.
    forceOverwriteReplicaSecret: true or false.
    replicaRemovalPolicy: Delete, Retain or Promote.
Any other key is rejected, except the CDK's own.

Each secret has its own stack, so no deployment touches the replicas of another secret, unless `stackName` names that
secret's stack. The stack of `app/database` is `ReplicatedSecret-app-database`. If a name is too long for a stack name,
or has characters other than letters, digits and single slashes (as in `app-database`), a digest of it is added. An ARN
gives the same stack as the name in it, unless it belongs to another Region or account, or ends in what may be a word
instead of a suffix (`-secret`). The secret that the app creates is in the stack `ReplicatedSecret`.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import re
import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.region_info import RegionInfo
from constructs import Construct

from cdk_replicated_secret import ReplicaRegion, ReplicaRemovalPolicy, ReplicatedSecret

STACK = "ReplicatedSecret"
# The default is the first two of these that are not the stack's own. They need no opt-in. Other partitions have few
# Regions.
DEFAULT_REGIONS = ("eu-west-3", "us-east-1", "us-west-2")
_CONTEXT = ("secretId", "stackName", "replicaRegions", "forceOverwriteReplicaSecret", "replicaRemovalPolicy")
# The CDK's own keys have a colon, except these, which its CLI writes into cdk.json.
_CDKS_CONTEXT = ("acknowledged-issue-numbers", "cli-telemetry")
_LONGEST_STACK_NAME = 128
_STACK_NAME = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,127}")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9]+(/[A-Za-z0-9]+)*")
_NAME = re.compile(r"[A-Za-z0-9/_+=.@!-]{1,512}")
_ARN = re.compile(r"arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]+")
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
# What looks like a suffix may be the end of a name.
_WORD = re.compile(r"-([a-z]{6}|[A-Z]{6}|[0-9]{6})$")
_REGIONS_ALLOWED = (
    'expected Regions such as eu-west-3,us-east-1, a JSON list such as ["eu-west-3"] or '
    '[{"Region": "eu-west-3", "KmsKeyId": "alias/app"}], '
    "or the AWS CLI's shorthand, such as Region=eu-west-3,KmsKeyId=alias/app Region=us-east-1"
)
_SECRETS_ALLOWED = (
    "expected the name or ARN of a secret, "
    "for example arn:aws:secretsmanager:us-west-2:111122223333:secret:app/database-a1B2c3"
)


class ContextError(Exception):
    """A context value is not allowed; the message names it and what is allowed."""

    def __init__(self, key: str, value: object, allowed: str) -> None:
        super().__init__(f"context {key} is {value!r}: {allowed}")


def main() -> None:
    """Synthesize the stack, or exit with a message that says what is wrong."""
    app = cdk.App()
    environment = cdk.Environment(
        account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=os.environ.get("CDK_DEFAULT_REGION")
    )
    try:
        build(app, environment)
    except (ContextError, ValueError, TypeError) as error:
        sys.exit(f"cdk-replicated-secret: {error}")
    app.synth()


def build(app: cdk.App, environment: cdk.Environment) -> cdk.Stack:
    """Build the stack that the context describes.

    Raises:
        ContextError: If a context key or value is not allowed.
        ValueError: If the construct rejects the values.
    """
    _reject_unknown(app.node.get_all_context())
    secret_id, name, regions, force, policy = (app.node.try_get_context(key) for key in _CONTEXT)
    _validate(secret_id, name)
    stack = cdk.Stack(app, name or name_of_stack(secret_id, environment.region, environment.account), env=environment)
    if name and secret_id is None:
        cdk.Annotations.of(stack).add_warning_v2(
            "cdk-replicated-secret:stackName",
            f"stackName is {name}, and secretId is not set: if that stack replicates an existing secret, this "
            "deployment switches it to a new secret, and removes the replicas of the existing one",
        )
    ReplicatedSecret(
        stack,
        "Secret",
        secret=None if secret_id is None else _secret(stack, secret_id),
        regions=_default_regions(stack.region) if regions is None else _regions(regions),
        force_overwrite=_boolean("forceOverwriteReplicaSecret", False if force is None else force),
        replica_removal_policy=_policy("Delete" if policy is None else policy),
    ).add_outputs()
    return stack


def name_of_stack(secret_id: str | None, region: str | None, account: str | None) -> str:
    """The stack's name, which is different for each secret.

    Args:
        secret_id: The secret's name or ARN. None: the app creates the secret.
        region: The stack's Region.
        account: The stack's account.
    """
    if secret_id is None:
        return STACK
    place, _, name = secret_id.rpartition(":")
    if place:
        # The colon, which no name has, gives it a dedicated stack.
        name = f"{name}:" if _WORD.search(name) else _SUFFIX.sub("", name)
        of_region, of_account = place.split(":")[3:5]
        if (of_region, of_account) != (region, account):
            name = f"{of_region}:{of_account}:{name}"
    stack_name = f"{STACK}-{re.sub('[^A-Za-z0-9]+', '-', name)}"
    if _PLAIN_NAME.fullmatch(name) and len(stack_name) <= _LONGEST_STACK_NAME:
        return stack_name
    digest = hashlib.sha256(name.encode()).hexdigest()[:8]
    return f"{stack_name[: _LONGEST_STACK_NAME - 1 - len(digest)].rstrip('-')}-{digest}"


def _reject_unknown(context: Mapping[str, object]) -> None:
    """Reject unknown keys: otherwise a misspelled one, for example with Retain, would be ignored silently."""
    lowered = {key.lower(): key for key in _CONTEXT}
    for key, value in context.items():
        if key in (*_CONTEXT, *_CDKS_CONTEXT) or ":" in key:
            continue
        close = [lowered[name] for name in difflib.get_close_matches(key.lower(), lowered, n=1)]
        if "key" in key.lower():
            close = ["replicaRegions, whose entries have a KmsKeyId"]
        hint = f"did you mean {close[0]}? The" if close else "the"
        raise ContextError(key, value, f"unknown key; {hint} keys are {', '.join(_CONTEXT)}")


def _validate(secret_id: object, stack_name: object) -> None:
    """Check what names the stack."""
    if secret_id is not None and not (
        isinstance(secret_id, str) and (_ARN.fullmatch(secret_id) or _NAME.fullmatch(secret_id))
    ):
        raise ContextError("secretId", secret_id, _SECRETS_ALLOWED)
    if stack_name is not None and not (isinstance(stack_name, str) and _STACK_NAME.fullmatch(stack_name)):
        raise ContextError(
            "stackName", stack_name, f"expected 1 to {_LONGEST_STACK_NAME} letters, digits and hyphens, a letter first"
        )


def _secret(scope: Construct, secret_id: str) -> sm.ISecret:
    if not _ARN.fullmatch(secret_id):
        return sm.Secret.from_secret_name_v2(scope, "Primary", secret_id)
    if _SUFFIX.search(secret_id):
        return sm.Secret.from_secret_complete_arn(scope, "Primary", secret_id)
    return sm.Secret.from_secret_partial_arn(scope, "Primary", secret_id)


def _default_regions(own: str) -> list[str]:
    """Two Regions of the stack's partition besides its own, or one if there are no more."""
    partition = None if cdk.Token.is_unresolved(own) else RegionInfo.get(own).partition
    known = [region.name for region in RegionInfo.regions if region.partition == partition]
    regions = DEFAULT_REGIONS if partition in (None, "aws") else sorted(known)
    return [region for region in regions if region != own][:2]


def _regions(value: object) -> list[ReplicaRegion]:
    entries = _shorthand(value) if isinstance(value, str) else value
    if not isinstance(entries, list):
        raise ContextError("replicaRegions", value, _REGIONS_ALLOWED)
    return [_region(entry, value) for entry in entries]


def _shorthand(text: str) -> Any:
    if not text.strip():
        raise ContextError("replicaRegions", text, f"for no replicas, use []; otherwise {_REGIONS_ALLOWED}")
    if text.lstrip().startswith(("[", "{", '"')):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ContextError("replicaRegions", text, f"not valid JSON ({error}); {_REGIONS_ALLOWED}") from None
    if "=" not in text:
        return re.split(r"[,\s]+", text.strip())
    entries = []
    for word in text.split():
        pairs = [pair.partition("=") for pair in word.split(",")]
        keys = {key for key, equals, value in pairs if key and equals and value}
        if len(keys) < len(pairs):
            raise ContextError("replicaRegions", text, f"{word!r} is not understood; {_REGIONS_ALLOWED}")
        entries.append({key: value for key, _, value in pairs})
    return entries


def _region(entry: object, given: object) -> ReplicaRegion:
    if isinstance(entry, str):
        entry = {"Region": entry}
    if isinstance(entry, Mapping) and "Region" in entry and set(entry) <= {"Region", "KmsKeyId"}:
        region, key = entry["Region"], entry.get("KmsKeyId")
        if isinstance(region, str) and (key is None or isinstance(key, str)):
            return ReplicaRegion(region, encryption_key=key or None)
    raise ContextError("replicaRegions", given, f"{entry!r} is not understood; {_REGIONS_ALLOWED}")


def _boolean(key: str, value: object) -> bool:
    if str(value).lower() not in ("true", "false"):
        raise ContextError(key, value, "expected true or false")
    return str(value).lower() == "true"


def _policy(value: object) -> ReplicaRemovalPolicy:
    try:
        return ReplicaRemovalPolicy(value)
    except ValueError:
        allowed = ", ".join(policy.value for policy in ReplicaRemovalPolicy)
        raise ContextError("replicaRemovalPolicy", value, f"expected one of {allowed}") from None


if __name__ == "__main__":
    main()

"""AWS's message for what failed, and what to do about it (F13), within what CloudFormation shows of a reason."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# Bytes for the Regions' reasons in a response; the error's code and a first sentence precede them.
_ROOM = 900


class Advice(NamedTuple):
    """What to do. ``retries`` is how often a retry makes sense: 0 for never, None for until the deadline."""

    retries: int | None
    text: str


_FEW = 3
# With the pauses between them (clock.rest) these retries take 185 s; a removal takes 40 to 90 s (F18).
_AS_LONG_AS_A_REMOVAL = 8
# These take five and a half minutes: a change of a key's alias or tags may need that long to apply (F33).
_AS_LONG_AS_KMS = 13
_TEMPLATE = " (in the provider template, by its parameters)"
# Names of secrets and roles, which may contain words such as key.
_NAMES = r"(?<=secret )(?:name )?\S*\w|\barn:[\w-]+:(?:secretsmanager|sts|iam):\S+"
_TAKEN = r"(?:secret name (?P<name>\S+) )?already exists in region ?(?P<region>[a-z0-9-]*)"
_KEY = r"\bkms\b|\bkey\b"
# The first entry whose pattern matches the message applies. A pattern is compiled only when there is a message.
_KNOWN: tuple[tuple[str, Advice], ...] = (
    (
        r"replicated to other region",
        Advice(0, "the secret there is a primary with replicas of its own: remove its replicas first"),
    ),
    (
        r"currently replicated from",
        Advice(0, "the secret there is a replica of another primary: remove that replica first"),
    ),
    # A removal that is still in progress looks the same (F18), so it is retried for longer than a removal takes.
    (
        r"with a different arn",
        Advice(
            _AS_LONG_AS_A_REMOVAL,
            "a replica of an earlier secret of this name is still there: "
            "call StopReplicationToReplica and then DeleteSecret in that Region, and redeploy",
        ),
    ),
    (
        r"invalid replica region|\bregion\b[^.]*\bnot enabled|\bopt.?in\b",
        Advice(_FEW, "check the name of the Region, and that it is enabled for this account and in the same partition"),
    ),
    # F36: who denied it. This precedes the entry for keys, because a policy may also deny calls to KMS.
    (
        r"deny in a (?:service|resource) control policy",
        Advice(None, "ask those who manage your AWS organization to allow it: one of their control policies denies it"),
    ),
    (
        r"permissions boundary",
        Advice(None, "allow it in the permissions boundary of the function's role"),
    ),
    (
        r"deny in a resource-based policy",
        Advice(None, "change the resource policy of the secret, or the key's policy, which denies it"),
    ),
    (
        r"perform: secretsmanager:DescribeSecret",
        Advice(
            None,
            "check SecretId (a name that does not exist looks the same), and allow the action for this secret in the "
            f"policy of the function's role{_TEMPLATE}. If the secret was imported into its stack (cdk import), it has "
            "no stack-id tag, or an old one: pass it to the construct by its name",
        ),
    ),
    (
        r"perform: secretsmanager:ReplicateSecretToRegions",
        Advice(
            None,
            "allow the action for this secret, for each of these Regions and, if it is set, for "
            f"ForceOverwriteReplicaSecret in the policy of the function's role{_TEMPLATE}",
        ),
    ),
    (
        r"perform: kms:DescribeKey",
        Advice(None, f"allow the action for this key in its policy and in that of the function's role{_TEMPLATE}"),
    ),
    (
        _KEY,
        Advice(
            _AS_LONG_AS_KMS,
            "check that the key exists in that Region and is enabled, and that its policy and the function's role "
            "allow kms:GenerateDataKey and kms:Encrypt with it, and kms:Decrypt with the primary's",
        ),
    ),
    (
        r"LimitExceeded|\btags\b",
        Advice(None, "a secret can have 50 tags and each replica uses one: remove some tags"),
    ),
    (
        r"AccessDenied|not authorized",
        Advice(
            None,
            f"allow the action for this secret in the policy of the function's role{_TEMPLATE}, and check that the "
            "secret's resource policy does not deny it",
        ),
    ),
)
# An unknown message: a network error, or a fault inside AWS.
_UNKNOWN = Advice(None, "follow AWS's message above, or wait and redeploy")


def advice_for(message: str, *, force: bool = False) -> Advice:
    """What to do about this StatusMessage or rejection. ``force``: ForceOverwriteReplicaSecret is set."""
    if taken := _found(_TAKEN, message):
        return _name_taken(taken["region"], taken["name"], force=force)
    message = _without_names(message)
    return next((advice for pattern, advice in _KNOWN if _found(pattern, message)), _UNKNOWN)


def _name_taken(region: str, name: str | None, *, force: bool) -> Advice:
    """A secret that is scheduled for deletion keeps its name (U6). The function's role may not see whether it is."""
    region, name = region or "REGION", name or "NAME"
    delete = f"(run {delete_command(region, name)}; its value is lost)"
    way = (
        f"delete that secret, which could not be overwritten {delete}"
        if force
        else f"delete that secret {delete}, or set ForceOverwriteReplicaSecret to true to overwrite it"
    )
    scheduled = (
        "If it is scheduled for deletion, only that command frees the name. To save its value first, restore it "
        f"(aws secretsmanager restore-secret --region {region} --secret-id {name})"
    )
    return Advice(_FEW if force else 0, f"{way}. {scheduled}")


def delete_command(region: str, secret_id: str) -> str:
    """The command that deletes a secret immediately. Its value is lost."""
    return f"aws secretsmanager delete-secret --region {region} --secret-id {secret_id} --force-delete-without-recovery"


def advised(message: str, aws_message: str = "", *, force: bool = False) -> str:
    """A message and what to do about it. If the message holds more than AWS's own part, that part decides."""
    advice = advice_for(aws_message or message, force=force)
    return f"{message.rstrip('. ') or 'Failed'}. To fix this, {advice.text}."


def of_regions(reasons: Mapping[str, str]) -> str:
    """The reasons of several Regions in one, sorted. If they are too long together, all names come first."""
    whole = "; ".join(f"{region}: {reason}" for region, reason in sorted(reasons.items()))
    if len(whole) <= _ROOM or len(reasons) == 1:
        return whole
    return f"{len(reasons)} Regions failed: {', '.join(sorted(reasons))}. {whole}"


def is_about_a_key(message: str) -> bool:
    """Whether AWS's message is about a KMS key."""
    return _found(_KEY, _without_names(message)) is not None


def _found(pattern: str, message: str) -> re.Match[str] | None:
    return re.search(pattern, message, re.IGNORECASE)


def _without_names(message: str) -> str:
    return re.sub(_NAMES, "", message, flags=re.IGNORECASE)

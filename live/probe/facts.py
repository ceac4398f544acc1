"""Facts of docs/design/aws-facts.md that a few calls can check."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from live.account import Reply
from live.caller import QUIET, SETTLES_WITHIN
from live.finding import Finding, SkipError, holds, moot
from live.lab import Lab
from live.secret import GONE_WITHIN, Secret, entry_of, said

_DEFAULT_KEY = "alias/aws/secretsmanager"
_SUCCEEDED = "Replication succeeded"
_SECONDS = 60.0


def f4(lab: Lab) -> Finding:
    """A primary with the default key has no KmsKeyId, and ListSecrets does not show its replicas."""
    secret = lab.replicated()
    listed = _listed(lab, secret)
    keys = (secret.describe().response.get("KmsKeyId"), listed.get("ReplicationStatus"))
    return holds(f"DescribeSecret's KmsKeyId: {keys[0]}; ListSecrets' ReplicationStatus: {keys[1]}", so=not any(keys))


def f5(lab: Lab) -> Finding:
    """A forced delete of a secret that does not exist is accepted."""
    reply = lab.call("secretsmanager", "delete_secret", SecretId=lab.name(), ForceDeleteWithoutRecovery=True)
    return holds(_words(reply), so=not reply.code)


def f6(lab: Lab) -> Finding:
    """Describe by an ARN without the suffix: a name that ends like one is not found."""
    codes = []
    for name in (lab.name(), f"{lab.name()}-secret"):
        partial_arn = lab.secret(name=name).arn[:-7]
        code = lab.settle(partial(_code, lab, partial_arn), lambda code: not code, within=QUIET)
        codes.append(code or "found")
    return holds(f"without: {codes[0]}; with: {codes[1]}", so=codes == ["found", "ResourceNotFoundException"])


def _code(lab: Lab, secret_id: str) -> str:
    return lab.call("secretsmanager", "describe_secret", SecretId=secret_id).code


def f10(lab: Lab) -> Finding:
    """The response to a first replication says InProgress, no message, and the default key."""
    reply = lab.secret().replicate(lab.first)
    entry = entry_of(reply, lab.first)
    so = entry == {"Region": lab.first, "Status": "InProgress", "KmsKeyId": _DEFAULT_KEY}
    return holds(reply.words if reply.code else f"{said(entry)}, key {entry.get('KmsKeyId')}", so=so)


def f11(lab: Lab) -> Finding:
    """A replica that is InSync says that the replication succeeded."""
    message = lab.replicated().settled(lab.first).get("StatusMessage")
    return holds(f"StatusMessage: {message}", so=message == _SUCCEEDED)


def f13(lab: Lab) -> Finding:
    """The message if the name is taken by a secret, by a primary with replicas, or by another secret's replica."""
    prefix = "Replication failed: "
    cases: tuple[tuple[str, Callable[[Lab, str], object], bool], ...] = (
        ("Secret name {name} already exists in region {first}.", _taken, False),
        ("Can't overwrite secret {name} that is currently replicated to other region(s).", _primary, True),
        ("Can't overwrite secret {name} that is currently replicated from {second}.", _replica, True),
    )
    wrong, messages = [], []
    for words, obstruct, force in cases:
        secret = lab.secret()
        obstruct(lab, secret.name)
        reply = secret.replicate(lab.first, force=force)
        entry = {} if reply.code else secret.settled(lab.first)
        message = reply.words if reply.code else str(entry.get("StatusMessage"))
        expected = prefix + words.format(name=secret.name, first=lab.first, second=lab.second)
        messages.append(message)
        wrong += [message] * (entry.get("Status") != "Failed" or message != expected)
    return holds("; ".join(wrong or messages), so=not wrong)


def _taken(lab: Lab, name: str) -> None:
    lab.secret(lab.first, name)


def _primary(lab: Lab, name: str) -> None:
    _replicate(lab, lab.secret(lab.first, name), lab.second)


def _replica(lab: Lab, name: str) -> None:
    _replicate(lab, lab.secret(lab.second, name), lab.first)


def _replicate(lab: Lab, secret: Secret, region: str) -> None:
    secret.replicate(region)
    if secret.settled(region).get("Status") != "InSync":
        raise SkipError(f"the replication from {secret.region} to {region} did not become InSync")


def f14(lab: Lab) -> Finding:
    """Replicate to the secret's own Region."""
    reply = lab.secret().replicate(lab.home)
    return _rejected(reply, "InvalidParameterException", "Invalid replica region.")


def f15(lab: Lab) -> Finding:
    """Replicate a replica."""
    secret = lab.replicated()
    more = {"SecretId": secret.arn_in(lab.first), "AddReplicaRegions": [{"Region": lab.second}]}
    reply = lab.call("secretsmanager", "replicate_secret_to_regions", lab.first, **more)
    message = "Operation not permitted on a replica secret. Call must be made in primary secret's region."
    return _rejected(reply, "InvalidParameterException", message)


def f16(lab: Lab) -> Finding:
    """Delete a primary that has replicas."""
    secret = lab.replicated()
    message = f"You can't delete secret {secret.arn} that still has replica regions [{lab.first}]."
    return _rejected(secret.delete(RecoveryWindowInDays=7), "InvalidParameterException", message)


def f17(lab: Lab) -> Finding:
    """Describe a secret that does not exist, and replicate one that is scheduled for deletion."""
    missing = lab.call("secretsmanager", "describe_secret", SecretId=lab.name())
    secret = lab.secret()
    secret.delete(RecoveryWindowInDays=7)
    deleted = secret.replicate(lab.first)
    not_found = "ResourceNotFoundException: Secrets Manager can't find the specified secret."
    marked = (
        "InvalidRequestException: You can't perform this operation on the secret because it was marked for deletion."
    )
    words = (_words(missing), _words(deleted))
    return holds("; ".join(words), so=words == (not_found, marked))


def f18(lab: Lab) -> Finding:
    """Remove the only Region: the entry disappears immediately, and the replica later."""
    secret = lab.replicated()
    reply, removed = secret.remove(lab.first), lab.now()
    if reply.code:
        return holds(reply.words, so=False)
    there = secret.exists(lab.first)
    response = lab.settle(lambda: _replication(secret), lambda described: not any(described))
    if not secret.gone(lab.first, since=removed):
        return holds(f"the replica was still there after {GONE_WITHIN:g} s", so=False)
    seconds = lab.timings.gone[-1]
    at_once = reply.response.get("ReplicationStatus") == [] and not any(response)
    did = f"the entry {'disappeared immediately' if at_once else 'stayed'}; the replica was gone after {seconds:.0f} s"
    return holds(did if there else f"{did}, and not there right after the call", so=at_once and there)


def _replication(secret: Secret) -> tuple[Any, Any]:
    response = secret.describe().response
    return response.get("ReplicationStatus"), response.get("PrimaryRegion")


def f19(lab: Lab) -> Finding:
    """A replica's own description."""
    secret = lab.replicated()
    described = lab.settle(lambda: secret.describe(lab.first), lambda reply: not reply.code).response
    wrong = {
        "PrimaryRegion": described.get("PrimaryRegion") != lab.home,
        "ARN": described.get("ARN") != secret.arn_in(lab.first),
        "KmsKeyId": "KmsKeyId" not in described,
        "ReplicationStatus": "ReplicationStatus" in described,
    }
    found = [name for name, is_wrong in wrong.items() if is_wrong]
    words = " and ".join(f"{name} {described.get(name)}" for name in found)
    return holds(words or "PrimaryRegion, ARN and KmsKeyId as expected, no ReplicationStatus", so=not found)


def f20(lab: Lab) -> Finding:
    """A new value, a description and a tag reach the replica."""
    secret = lab.replicated()
    lab.need("secretsmanager", "put_secret_value", SecretId=secret.arn, SecretString=secret.value[::-1])
    lab.need("secretsmanager", "update_secret", SecretId=secret.arn, Description="changed")
    lab.need("secretsmanager", "tag_resource", SecretId=secret.arn, Tags=[{"Key": "changed", "Value": "yes"}])
    seen = lab.settle(lambda: _content(lab, secret), lambda content: content == (secret.value[::-1], "changed", True))
    did = ", ".join(
        f"the {what} {'came' if came else 'did not come'}"
        for what, came in (
            ("value", seen[0] == secret.value[::-1]),
            ("description", seen[1] == "changed"),
            ("tag", seen[2]),
        )
    )
    return holds(did, so="did not" not in did)


def _content(lab: Lab, secret: Secret) -> tuple[str, str, bool]:
    replica = secret.arn_in(lab.first)
    value = lab.need("secretsmanager", "get_secret_value", lab.first, SecretId=replica)["SecretString"]
    described = lab.need("secretsmanager", "describe_secret", lab.first, SecretId=replica)
    return str(value), described.get("Description", ""), "changed" in {tag["Key"] for tag in described.get("Tags", [])}


def f21(lab: Lab) -> Finding:
    """With a customer key that is given by its ARN, the entry has this ARN."""
    key = lab.key(lab.first)
    secret = lab.secret()
    reply = secret.replicate(lab.first, key=key)
    entry = {} if reply.code else secret.settled(lab.first)
    used = entry.get("KmsKeyId")
    did = reply.words if reply.code else f"{said(entry)}, {'the same ARN' if used == key else used}"
    return holds(did, so=used == key and entry.get("Status") == "InSync")


def f22(lab: Lab) -> Finding:
    """A replica is InSync within seconds."""
    lab.replicated()
    (seconds,) = lab.timings.in_sync
    return holds(f"InSync after {seconds:.1f} s", so=seconds < _SECONDS)


def f23(lab: Lab) -> Finding:
    """Replicate to where the replica was promoted: the name is taken."""
    secret = lab.replicated()
    secret.promote(lab.first)
    if secret.settled(lab.first):
        return moot("the primary still lists a promoted replica's Region (U9), so replicating is not a first one")
    reply = secret.replicate(lab.first)
    entry = {} if reply.code else secret.settled(lab.first)
    expected = f"Replication failed: Secret name {secret.name} already exists in region {lab.first}."
    return holds(reply.words if reply.code else said(entry), so=entry.get("StatusMessage") == expected)


def f26(lab: Lab) -> Finding:
    """A promoted replica keeps its ARN, and is no longer a replica."""
    secret = lab.replicated()
    secret.promote(lab.first)
    described = lab.settle(lambda: _promoted(secret, lab.first), lambda described: described[1] is None)
    so = described == (secret.arn_in(lab.first), None)
    return holds("the same ARN, no PrimaryRegion" if so else f"ARN {described[0]}, PrimaryRegion {described[1]}", so=so)


def _promoted(secret: Secret, region: str) -> tuple[Any, Any]:
    response = secret.describe(region).response
    return response.get("ARN"), response.get("PrimaryRegion")


def f34(lab: Lab) -> Finding:
    """A role that may describe NAME-?????? gets ResourceNotFoundException for a NAME that does not exist."""
    name = lab.name()
    account, pattern = lab.identity().split(":")[4], f"{name}-??????"
    arn = f"arn:{lab.partition()}:secretsmanager:{lab.home}:{account}:secret:{pattern}"
    role = lab.assume(lab.role({"Effect": "Allow", "Action": "secretsmanager:DescribeSecret", "Resource": arn}))
    described: dict[str, Any] = {"SecretId": name, "credentials": role}
    code = lab.settle(
        lambda: lab.call("secretsmanager", "describe_secret", **described).code,
        lambda code: code == "ResourceNotFoundException",
        within=SETTLES_WITHIN,
    )
    return holds(code or "it was described", so=code == "ResourceNotFoundException")


def _listed(lab: Lab, secret: Secret) -> Mapping[str, Any]:
    filters = [{"Key": "name", "Values": [secret.name]}]

    def listed() -> list[Mapping[str, Any]]:
        return list(lab.need("secretsmanager", "list_secrets", Filters=filters)["SecretList"])

    found = lab.settle(listed, bool)
    if not found:
        raise SkipError("ListSecrets does not list the secret yet")
    return found[0]


def _rejected(reply: Reply, code: str, message: str) -> Finding:
    return holds(_words(reply), so=(reply.code, reply.message) == (code, message))


def _words(reply: Reply) -> str:
    return reply.words if reply.code else "the call was accepted"


FACTS = (f4, f5, f6, f10, f11, f13, f14, f15, f16, f17, f18, f19, f20, f21, f22, f23, f26, f34)

"""Customer keys: what happens without permission to use one, and what a key's policy can test."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from live.finding import Finding, holds, settled, settled_by, unexpected
from live.lab import Lab, key_policy
from live.secret import said
from local.secrets_manager.dialect import DecryptContext, KeyDenied

# F33 says minutes for aliases and tags; a change of a key's policy applies sooner.
_POLICY_COUNTS_AFTER = 60.0
_CONTEXT = "kms:EncryptionContext:SecretARN"


def u10(lab: Lab) -> Finding:
    """Replicate with a key whose policy denies encryption."""
    key = lab.key(lab.first, _deny(["kms:Encrypt", "kms:GenerateDataKey*", "kms:Decrypt", "kms:ReEncrypt*"]))
    secret = lab.secret()
    reply = secret.replicate(lab.first, key=key)
    if reply.code:
        return settled_by({KeyDenied.ERROR.value: KeyDenied.ERROR}, reply.code, reply.words)
    entry = secret.settled(lab.first)
    return settled_by({"Failed": KeyDenied.FAILED}, entry.get("Status", ""), said(entry))


def u18(lab: Lab) -> Finding:
    """Replicate three secrets, each with a key whose policy allows decrypting with one encryption context only."""
    passed, words = [], []
    secrets = {}
    for value in DecryptContext:
        key = lab.key(lab.home)
        secrets[value] = secret = lab.secret(KmsKeyId=key)
        conditions = {
            DecryptContext.PRIMARY: {"StringNotEquals": {_CONTEXT: secret.arn}},
            DecryptContext.REPLICA: {"StringNotEquals": {_CONTEXT: secret.arn_in(lab.first)}},
            DecryptContext.NONE: {"Null": {_CONTEXT: "false"}},
        }
        _guard(lab, key, conditions[value])
    lab.wait(_POLICY_COUNTS_AFTER)
    for value, secret in secrets.items():
        reply = secret.replicate(lab.first)
        entry = {} if reply.code else secret.settled(lab.first)
        passed += [value] * (entry.get("Status") == "InSync")
        words.append(f"key for {value.value}: {reply.words if reply.code else said(entry)}")
    did = "; ".join(words)
    return settled(passed[0], did) if len(passed) == 1 else unexpected(did)


def f32(lab: Lab) -> Finding:
    """Replicate with a key whose policy encrypts only through Secrets Manager of the replica's Region."""
    through = [f"secretsmanager.{lab.first}.{suffix}" for suffix in ("amazonaws.com", "amazonaws.com.cn")]
    only = {"Condition": {"StringNotEquals": {"kms:ViaService": through}}}
    key = lab.key(lab.first, _deny(["kms:Encrypt", "kms:GenerateDataKey"]) | only)
    secret = lab.secret()
    reply = secret.replicate(lab.first, key=key)
    entry = {} if reply.code else secret.settled(lab.first)
    return holds(reply.words if reply.code else said(entry), so=entry.get("Status") == "InSync")


def _guard(lab: Lab, key: str, condition: Mapping[str, Any]) -> None:
    account = lab.identity().split(":")[4]
    policy = key_policy(lab.partition(), account, _deny(["kms:Decrypt"]) | {"Condition": condition})
    lab.need("kms", "put_key_policy", KeyId=key, PolicyName="default", Policy=policy)


def _deny(actions: list[str]) -> dict[str, Any]:
    return {"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": actions, "Resource": "*"}

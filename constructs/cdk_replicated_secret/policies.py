"""The managed policies on the function's role. An update creates new ones, so that the old ones last until its end."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import jsii
from aws_cdk import IResolveContext, IStringProducer, Lazy, Stack, Token
from aws_cdk import aws_iam as iam
from aws_cdk.region_info import RegionInfo
from constructs import Construct, IValidation

# KMS's condition key for the secret whose value is decrypted; Secrets Manager binds this context to every value.
ENCRYPTION_CONTEXT = "kms:EncryptionContext:SecretARN"
# A managed policy holds 6,144 characters. The difference is for its frame, and for tokens that resolve to longer text
# than estimated.
_MAX_LENGTH = 6_050
# The longest values that these tokens can have. In a statement's conditions, any other token stands for a Region.
_PSEUDO = re.compile(r"\$\{Token\[AWS\.(Partition|AccountId|Region|StackId)\.\d+\]\}")
_LONGEST_VALUES = {
    "Partition": "aws-us-gov",
    "AccountId": "111122223333",
    "Region": "ap-northeast-1",
    "StackId": "?" * 128,
}
_LIST = re.compile(r"#\{Token\[[^\]]*\]\}")
# Any other token in an entry is the ARN of a key or the name of a secret, and few of these are longer than this.
_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
_TOKEN_VALUE = "?" * 128
# What a statement has around its list of entries: the element's or the condition key's name, and punctuation.
_FRAME = 40
# The longest readable part of a logical ID, as in the CDK: 255 characters hold it, the CDK's own hash, and ours.
_MAX_READABLE = 239
_HASH_LENGTH = 8


class Policies(Construct):
    """The managed policies of one stack on the function's role.

    The logical ID of a policy changes with its content. An update therefore creates new policies, and CloudFormation
    deletes the old ones at the very end, after the custom resources that depended on them: the function can still
    remove what the update drops or replaces, and a rollback finds the permissions that it had.
    """

    def __init__(self, scope: Construct, id: str, role: iam.IRole) -> None:
        super().__init__(scope, id)
        self._role = role
        self._policies: list[_Policy] = []
        self.node.add_validation(_NoFixedNames(self._policies))

    def add(self, statements: Sequence[iam.PolicyStatement]) -> list[iam.ManagedPolicy]:
        """Add statements, and return the policies that hold them."""
        holding: list[iam.ManagedPolicy] = []
        for statement in statements:
            kind, entries = _split(statement)
            holding += [self._holding(kind, statement, entry) for entry in entries]
        return list(dict.fromkeys(holding))

    def _holding(self, kind: str, statement: iam.PolicyStatement, entry: str) -> iam.ManagedPolicy:
        for policy in self._policies:
            if policy.has(kind, entry):
                return policy.managed
        if not self._policies or not self._policies[-1].fits(kind, entry):
            self._policies.append(_Policy(self, f"Policy{len(self._policies)}", self._role))
        self._policies[-1].add(kind, statement, entry)
        return self._policies[-1].managed


class _Policy:
    """A managed policy. Statements that differ only in one entry share a statement."""

    def __init__(self, scope: Construct, id: str, role: iam.IRole) -> None:
        self.managed = iam.ManagedPolicy(
            scope, id, roles=[role], description="Permissions of the function of Custom::ReplicatedSecret"
        )
        self._shared: dict[str, tuple[iam.PolicyStatement, list[str]]] = {}
        self._length = 0
        region = Stack.of(scope).region
        partition = None if Token.is_unresolved(region) else RegionInfo.get(region).partition
        self._values = _LONGEST_VALUES | ({"Partition": partition} if partition else {})
        resource: Any = self.managed.node.default_child
        self.resource: iam.CfnManagedPolicy = resource
        named = _NamedByContent(self.managed, Stack.of(scope).resolve(resource.logical_id))
        resource.override_logical_id(Lazy.uncached_string(named))
        # Otherwise an app that retains everything leaves each old policy on the role, which holds ten.
        for attribute in ("DeletionPolicy", "UpdateReplacePolicy"):
            resource.add_deletion_override(attribute)

    def has(self, kind: str, entry: str) -> bool:
        return kind in self._shared and entry in self._shared[kind][1]

    def fits(self, kind: str, entry: str) -> bool:
        return self._length + self._length_of(kind, entry) <= _MAX_LENGTH

    def add(self, kind: str, statement: iam.PolicyStatement, entry: str) -> None:
        self._length += self._length_of(kind, entry)
        shared, entries = self._shared.get(kind, (None, []))
        # Synthesis freezes a statement; tests synthesize more than once.
        if shared is None or shared.frozen:
            shared, entries = statement.copy(), []
            self.managed.add_statements(shared)
        entries = [*entries, entry]
        if _secrets(shared.to_statement_json()):
            shared.add_condition("StringLike", {ENCRYPTION_CONTEXT: entries})
        elif entry not in shared.resources:
            shared.add_resources(entry)
        self._shared[kind] = (shared, entries)

    def _length_of(self, kind: str, entry: str) -> int:
        frame = 0 if kind in self._shared else _FRAME + len(_LIST.sub(_TOKEN_VALUE, self._known(kind)))
        return frame + len(_TOKEN.sub(_TOKEN_VALUE, self._known(entry))) + len('"",')

    def _known(self, text: str) -> str:
        return _PSEUDO.sub(lambda found: self._values[found[1]], text)


def _split(statement: iam.PolicyStatement) -> tuple[str, list[str]]:
    """What statements have in common if they can share one, and the entries in which they may differ.

    These are the secrets whose value a key decrypts, or else the resources.
    """
    content = statement.to_statement_json()
    entries = _secrets(content)
    if entries:
        del content["Condition"]["StringLike"][ENCRYPTION_CONTEXT]
    else:
        entries = content.pop("Resource", [""])
    common = json.dumps(content, sort_keys=True, separators=(",", ":"), default=str)
    return common, entries if isinstance(entries, list) else [entries]


def _secrets(content: Mapping[str, Any]) -> Any:
    return content.get("Condition", {}).get("StringLike", {}).get(ENCRYPTION_CONTEXT)


@jsii.implements(IValidation)
class _NoFixedNames:
    """Fails synthesis if an Aspect has given a policy a name: during an update two versions of the policy exist."""

    def __init__(self, policies: Sequence[_Policy]) -> None:
        self._policies = policies

    def validate(self) -> list[str]:
        named = {
            policy.managed.node.id: policy.managed.stack.resolve(policy.resource.managed_policy_name)
            for policy in self._policies
        }
        return [
            f"{id} has the fixed name {name!r}: an update creates a second version of the policy before it deletes the "
            "first; remove the name"
            for id, name in named.items()
            if name is not None
        ]


@jsii.implements(IStringProducer)
class _NamedByContent:
    """A logical ID that ends in a digest of the policy, as that of a Lambda version in the CDK does."""

    def __init__(self, policy: iam.ManagedPolicy, logical_id: str) -> None:
        self._policy, self._logical_id = policy, logical_id

    def produce(self, context: IResolveContext) -> str:
        content = Stack.of(self._policy).resolve(self._policy.document)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]
        readable, path_hash = self._logical_id[:-_HASH_LENGTH], self._logical_id[-_HASH_LENGTH:]
        return f"{readable[:_MAX_READABLE]}{path_hash}{digest}"

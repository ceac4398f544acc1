"""The policies that hold the function's rights, so that each update has its own until it is over."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable

import jsii
from aws_cdk import CfnElement, IResolveContext, IStringProducer, Lazy, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from .permissions import Right

# A managed policy holds 6,144 characters; its frame, and tokens that turn out longer than they look, need the rest.
_MAX_LENGTH = 5_400
# AWS::Partition, AWS::AccountId and AWS::Region look longer than what comes of them.
_PSEUDO = re.compile(r"\$\{Token\[AWS\.(?:Partition|AccountId|Region)\.\d+\]\}")
_AS_LONG_AS = "111122223333"
# What else is known at deployment only: the ARN of a key, the name of a secret. Few are longer than this.
_TOKEN = re.compile(r"\$\{Token\[[^\]]*\]\}")
_AT_MOST = "?" * 128
# Around the conditions and the resources of a statement.
_FRAME = 120
_HASH_LENGTH = 8


class Policies(Construct):
    """The managed policies of one stack on the function's role.

    Their logical ids change with what they hold. So an update makes new ones and CloudFormation deletes the old ones at
    its very end, after the custom resources that depended on them: what the update drops, or replaces, can still be
    removed, and a rollback finds the rights that it had.
    """

    def __init__(self, scope: Construct, id: str, role: iam.IRole) -> None:  # noqa: A002 - CDK's name
        super().__init__(scope, id)
        self._role = role
        self._policies: list[_Policy] = []

    def add(self, rights: Iterable[Right]) -> list[iam.ManagedPolicy]:
        """Put rights into policies; those that hold them, for what needs them to depend on."""
        return list(dict.fromkeys(self._holding(right) for right in rights))

    def _holding(self, right: Right) -> iam.ManagedPolicy:
        for policy in self._policies:
            if policy.has(right):
                return policy.managed
        if not self._policies or not self._policies[-1].takes(right):
            self._policies.append(_Policy(self, f"Rights{len(self._policies)}", self._role))
        self._policies[-1].add(right)
        return self._policies[-1].managed


class _Policy:
    def __init__(self, scope: Construct, id: str, role: iam.IRole) -> None:  # noqa: A002 - CDK's name
        self.managed = iam.ManagedPolicy(
            scope, id, roles=[role], description="What the function may do for Custom::ReplicatedSecret"
        )
        self._statements: dict[str, tuple[iam.PolicyStatement, set[str]]] = {}
        self._length = 0
        resource = self.managed.node.default_child
        if isinstance(resource, CfnElement):
            stack = Stack.of(scope)
            named = _NamedByContent(self.managed, stack.resolve(resource.logical_id))
            resource.override_logical_id(Lazy.uncached_string(named))

    def has(self, right: Right) -> bool:
        return right.kind in self._statements and right.resource in self._statements[right.kind][1]

    def takes(self, right: Right) -> bool:
        return self._length + self._length_of(right) <= _MAX_LENGTH

    def add(self, right: Right) -> None:
        self._length += self._length_of(right)
        statement, resources = self._statements.get(right.kind, (None, set()))
        # One that was synthesized already, as tests do in between, takes nothing more.
        if statement is None or statement.frozen:
            statement = right.statement()
            self.managed.add_statements(statement)
        else:
            statement.add_resources(right.resource)
        self._statements[right.kind] = (statement, {*resources, right.resource})

    def _length_of(self, right: Right) -> int:
        frame = 0 if right.kind in self._statements else _FRAME + len(right.kind)
        return frame + len(_TOKEN.sub(_AT_MOST, _PSEUDO.sub(_AS_LONG_AS, right.resource))) + len('"",')


@jsii.implements(IStringProducer)
class _NamedByContent:
    """A logical id that ends in a digest of the policy, as CDK's Lambda versions have one of the function."""

    def __init__(self, policy: iam.ManagedPolicy, logical_id: str) -> None:
        self._policy, self._logical_id = policy, logical_id

    def produce(self, context: IResolveContext) -> str:
        content = Stack.of(self._policy).resolve(self._policy.document)
        digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:_HASH_LENGTH]
        return f"{self._logical_id}{digest}"

"""What a provider is to ReplicatedSecret, and one of which only the address is known."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from aws_cdk import Stack, Token
from constructs import Construct, IDependable

from .permissions import Right

_TOKEN = re.compile(
    r"arn:aws[a-z-]*:(?:lambda:([a-z0-9-]+):\d{12}:function|sns:([a-z0-9-]+):\d{12}):[\w-]+(?::[\w$-]+)?"
)


class IReplicationProvider(Protocol):
    """What ``ReplicatedSecret`` needs of the function: its address, and that it may do what is to be done."""

    @property
    def service_token(self) -> str:
        """What ``Custom::ReplicatedSecret`` takes as ServiceToken: the ARN of the function, or of its SNS topic."""
        ...

    def grant(self, scope: Construct, rights: Sequence[Right]) -> Sequence[IDependable]:
        """Give the function rights.

        Returns:
            What the custom resource is to depend on, so that the rights are there before the first call and until after
            the last.
        """
        ...


class DeployedProvider(Construct):
    """A provider that this app did not make: see ``ReplicationProvider.from_service_token``."""

    def __init__(self, scope: Construct, id: str, service_token: str) -> None:  # noqa: A002 - CDK's name
        super().__init__(scope, id)
        self._service_token = service_token
        if Token.is_unresolved(service_token):
            return
        found = _TOKEN.fullmatch(service_token) if isinstance(service_token, str) else None
        if not found:
            raise ValueError(
                f"{self.node.path}: service_token is {service_token!r}: give the ARN of a Lambda function or of an "
                "SNS topic, as arn:aws:lambda:us-west-2:111122223333:function:replication"
            )
        region, own = found[1] or found[2], Stack.of(self).region
        if not Token.is_unresolved(own) and region != own:
            raise ValueError(
                f"{self.node.path}: service_token is {service_token!r}, which is in {region}, and the stack in {own}: "
                "CloudFormation calls only functions of the stack's Region, so deploy a provider there"
            )

    @property
    def service_token(self) -> str:
        return self._service_token

    def grant(self, scope: Construct, rights: Sequence[Right]) -> Sequence[IDependable]:
        """Nothing: the owner of the function's role gives it its rights."""
        return []

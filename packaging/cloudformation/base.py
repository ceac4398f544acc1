"""What the templates' stacks have in common: the AWS CLI deploys them, in accounts that need no bootstrap."""

from __future__ import annotations

from typing import Any, TypeVar

import aws_cdk as cdk
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_replicated_secret.provider import DEFAULT_MEMORY_SIZE

# MiB: Lambda's limits.
_MIN_MEMORY_SIZE, _MAX_MEMORY_SIZE = 128, 10_240

_Resource = TypeVar("_Resource", bound=cdk.CfnResource)


class TemplateStack(cdk.Stack):
    """A stack with one function.

    Args:
        scope: The app.
        id: The construct ID.
        description: The description of the template.
    """

    def __init__(self, scope: Construct, id: str, *, description: str) -> None:
        synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
        super().__init__(scope, id, description=description, synthesizer=synthesizer)

    def memory_size(self) -> Any:
        """The parameter for the memory of the function, in MiB."""
        return cdk.CfnParameter(
            self,
            "MemorySize",
            type="Number",
            default=DEFAULT_MEMORY_SIZE,
            min_value=_MIN_MEMORY_SIZE,
            max_value=_MAX_MEMORY_SIZE,
            description="Memory of the function in MiB, which also decides its share of a CPU",
        ).value_as_number


def packaged(function: lambda_.Function, code: str) -> lambda_.CfnFunction:
    """The function's resource, with code that ``aws cloudformation package`` uploads.

    Args:
        function: The function.
        code: The path of its code.
    """
    resource = resource_of(function, lambda_.CfnFunction)
    resource.add_override("Properties.Code", code)
    # The reference to the role implies it, and the role may not exist.
    resource.add_deletion_override("DependsOn")
    return resource


def resource_of(construct: Any, kind: type[_Resource]) -> _Resource:
    """The resource of a construct."""
    resource = construct.node.default_child
    if not isinstance(resource, kind):
        raise TypeError(f"{construct.node.path} has no {kind.__name__}")
    return resource

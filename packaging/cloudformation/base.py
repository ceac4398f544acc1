"""What the templates' stacks have in common: the AWS CLI deploys them, in accounts that need no bootstrap."""

from __future__ import annotations

from typing import Any, TypeVar

import aws_cdk as cdk
from aws_cdk import Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_replicated_secret.provider import DEFAULT_MEMORY_SIZE

# MiB: Lambda's limits.
_MIN_MEMORY_SIZE, _MAX_MEMORY_SIZE = 128, 10_240
_POLICY_ARN = r"(arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+)?"

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

    def architecture(self) -> lambda_.Architecture:
        """The parameter for the architecture of the function."""
        names = [lambda_.Architecture.ARM_64.name, lambda_.Architecture.X86_64.name]
        parameter = cdk.CfnParameter(
            self, "Architecture", default=names[0], allowed_values=names, description="Architecture of the function"
        )
        return lambda_.Architecture.custom(parameter.value_as_string)

    def text(self, name: str, description: str, pattern: str = ".*", default: str = "") -> str:
        """A parameter for text, which may be omitted."""
        return cdk.CfnParameter(
            self, name, default=default, description=description, allowed_pattern=pattern
        ).value_as_string

    def is_given(self, name: str, value: str) -> str:
        """The name of a condition: whether a parameter's value is given."""
        expression = Fn.condition_not(Fn.condition_equals(value, ""))
        return cdk.CfnCondition(self, name, expression=expression).logical_id

    def limit(self, role: iam.IRole | None) -> iam.CfnRole:
        """The parameter for the permissions boundary of the function's role, and the role's resource."""
        boundary = self.text(
            "PermissionsBoundaryArn", "Permissions boundary for the role (optional)", pattern=_POLICY_ARN
        )
        resource = resource_of(role, iam.CfnRole)
        chosen = Fn.condition_if(self.is_given("HasBoundary", boundary), boundary, cdk.Aws.NO_VALUE)
        resource.add_property_override("PermissionsBoundary", chosen)
        return resource


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

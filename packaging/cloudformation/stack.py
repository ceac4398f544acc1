"""The stack of the provider template: the construct's own provider. Parameters say what its function can access."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_replicated_secret import ReplicationProvider
from cdk_replicated_secret.permissions import (
    DECRYPT,
    DESCRIBE,
    DESCRIBE_KEY,
    ENCRYPT,
    OWN_TAGS,
    PROMOTE,
    REMOVE,
    REPLICATE,
    TAG,
    request_conditions,
)
from cdk_replicated_secret.policies import ENCRYPTION_CONTEXT

from .base import TemplateStack, packaged, resource_of

# The export name of the ServiceToken, which users' templates import.
EXPORT = "ReplicatedSecretServiceToken"
_PRIMARY = r"arn:aws[a-z-]*:secretsmanager:\*:(\d{12}|\*):secret:.+"
_KEY_ARN = r"(arn:aws[a-z-]*:kms:[a-z0-9*-]+:(\d{12}|\*):key/.+)?"
_ROLE_ARN = r"(arn:aws[a-z-]*:iam::\d{12}:role/.+)?"


class ProviderStack(TemplateStack):
    """The function, its role, and the permissions that the parameters give it; by default, neither force nor promotion.

    Args:
        scope: The app.
        id: The construct ID.
        code: The path of the function's code, which ``aws cloudformation package`` uploads.
        description: The description of the template.
    """

    def __init__(self, scope: Construct, id: str, *, code: str, description: str) -> None:
        super().__init__(scope, id, description=description)
        self._parameters()
        provider = ReplicationProvider.get_or_create(
            self, memory_size=self.memory_size(), architecture=self.architecture()
        )
        self._choose_role(provider.function, code)
        self._add_permissions(provider.function.role)
        cdk.CfnOutput(
            self,
            "ServiceToken",
            value=provider.service_token,
            export_name=EXPORT,
            description="ServiceToken of Custom::ReplicatedSecret",
        )

    def _parameters(self) -> None:
        self._secrets = self._list(
            "SecretArns",
            "ARNs of the primaries that may be replicated, with * for the Region, because the function also reads the "
            "replicas. The name may contain wildcards as in IAM: arn:aws:secretsmanager:*:111122223333:secret:app/*",
            allowed_pattern=_PRIMARY,
            constraint_description="ARNs of secrets with * for the Region, separated by commas",
        )
        self._regions = self._list("ReplicaRegions", "Regions that may be replicated to, separated by commas")
        self._keys = self._list(
            "KmsKeyArns",
            "ARNs (not aliases) of the replicas' customer keys, separated by commas; "
            "empty if all replicas use aws/secretsmanager",
            default="",
            allowed_pattern=_KEY_ARN,
            constraint_description="ARNs of keys, separated by commas",
        )
        self._may_force = self._choice("AllowForce", "Allow overwriting an unrelated secret of the same name?")
        self._may_promote = self._choice("AllowPromote", "Allow ReplicaRemovalPolicy: Promote?")
        self._own_role = self.text("RoleArn", "Role to use instead of the one created here (optional)", _ROLE_ARN)

    def _list(self, name: str, description: str, **more: Any) -> list[str]:
        return cdk.CfnParameter(self, name, type="CommaDelimitedList", description=description, **more).value_as_list

    def _choice(self, name: str, description: str) -> cdk.CfnCondition:
        value = cdk.CfnParameter(
            self, name, allowed_values=["true", "false"], default="false", description=description
        ).value_as_string
        return self._condition(f"{name}IsTrue", Fn.condition_equals(value, "true"))

    def _condition(self, name: str, *expressions: Any) -> cdk.CfnCondition:
        """A condition, true if all expressions are. Other conditions are expressions too, though not by their types."""
        both = Fn.condition_and(*expressions) if len(expressions) > 1 else expressions[0]
        return cdk.CfnCondition(self, name, expression=both)

    def _choose_role(self, function: lambda_.Function, code: str) -> None:
        self._creates_role = self._condition("CreatesRole", Fn.condition_equals(self._own_role, ""))
        role = self.limit(function.role)
        role.cfn_options.condition = self._creates_role
        chosen = Fn.condition_if(self._creates_role.logical_id, role.attr_arn, self._own_role)
        packaged(function, code).add_property_override("Role", chosen)

    def _add_permissions(self, role: iam.IRole | None) -> None:
        force = Fn.condition_if(self._may_force.logical_id, "true", cdk.Aws.NO_VALUE)
        of_request = request_conditions(self._regions, force=("false", force))
        services = [f"secretsmanager.*.{suffix}" for suffix in ("amazonaws.com", cdk.Aws.URL_SUFFIX)]
        through = {"StringLike": {"kms:ViaService": services}}
        of_secrets = {"StringLike": {"kms:ViaService": services, ENCRYPTION_CONTEXT: self._secrets}}
        any_key = [self.format_arn(service="kms", region="*", account="*", resource="key/*")]
        has_keys = Fn.condition_not(Fn.condition_equals(Fn.join("", self._keys), ""))
        may_use_keys = self._condition("MayUseKeys", self._creates_role, has_keys)
        may_promote = self._condition("MayPromote", self._creates_role, self._may_promote)
        for name, actions, resources, conditions, when in (
            ("Replicate", (*DESCRIBE, *REPLICATE, *REMOVE), self._secrets, of_request, self._creates_role),
            ("Tag", TAG, self._secrets, OWN_TAGS, self._creates_role),
            ("Promote", PROMOTE, self._secrets, None, may_promote),
            ("Decrypt", DECRYPT, any_key, of_secrets, self._creates_role),
            ("UseKeys", ENCRYPT, self._keys, through, may_use_keys),
            ("DescribeKeys", DESCRIBE_KEY, self._keys, None, may_use_keys),
        ):
            statement = iam.PolicyStatement(actions=list(actions), resources=resources, conditions=conditions)
            policy = iam.ManagedPolicy(self, name, roles=[role] if role else [], statements=[statement])
            resource_of(policy, iam.CfnManagedPolicy).cfn_options.condition = when

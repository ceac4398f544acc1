"""The stack of the provider template: the construct's own provider, and what its owner lets it touch as parameters."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import Fn
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk_replicated_secret import ReplicationProvider
from cdk_replicated_secret.permissions import DECRYPT, DESCRIBE, ENCRYPT, PROMOTE, REPLICATE, limits

# The name under which the ServiceToken is exported: users' templates import it.
EXPORT = "ReplicatedSecretServiceToken"
_PRIMARY = r"arn:aws[a-z-]*:secretsmanager:\*:(\d{12}|\*):secret:.+"
_KEY_ARN = r"(arn:aws[a-z-]*:kms:[a-z0-9*-]+:(\d{12}|\*):key/.+)?"
_ROLE_ARN = r"(arn:aws[a-z-]*:iam::\d{12}:role/.+)?"
_POLICY_ARN = r"(arn:aws[a-z-]*:iam::(\d{12}|aws):policy/.+)?"


class ProviderStack(cdk.Stack):
    """The function, its role, and the rights that the parameters give it: none to force or to promote by default.

    Args:
        scope: an app.
        id: the stack's name in the app.
        code: what stands for the function's code, for ``aws cloudformation package`` to upload.
        description: of the template.
    """

    def __init__(self, scope: Construct, id: str, *, code: str, description: str) -> None:
        synthesizer = cdk.DefaultStackSynthesizer(generate_bootstrap_version_rule=False)
        super().__init__(scope, id, description=description, synthesizer=synthesizer)
        self._parameters()
        provider = ReplicationProvider.get_or_create(self)
        self._choose_the_role(provider.function, code)
        self._grant(provider.function.role)
        cdk.CfnOutput(
            self,
            "ServiceToken",
            value=provider.service_token,
            export_name=EXPORT,
            description="What Custom::ReplicatedSecret takes as its ServiceToken",
        )

    def _parameters(self) -> None:
        self._secrets = self._list(
            "SecretArns",
            "ARNs of the primaries that may be replicated, with * for the Region, because the replicas are asked too, "
            "and wildcards as in IAM: arn:aws:secretsmanager:*:111122223333:secret:app/*",
            allowed_pattern=_PRIMARY,
            constraint_description="ARNs of secrets with * for the Region, separated by commas",
        )
        self._regions = self._list("ReplicaRegions", "Regions that may be replicated to, separated by commas")
        self._keys = self._list(
            "KmsKeyArns",
            "ARNs of the customer keys of primaries and replicas, separated by commas, no aliases; "
            "empty where all use aws/secretsmanager",
            default="",
            allowed_pattern=_KEY_ARN,
            constraint_description="ARNs of keys, separated by commas",
        )
        self._may_force = self._choice("AllowForce", "May a resource overwrite an unrelated secret of that name?")
        self._may_promote = self._choice("AllowPromote", "May a resource make its replicas secrets of their own?")
        self._boundary = self._text("PermissionsBoundaryArn", "Managed policy that bounds the role", _POLICY_ARN)
        self._own_role = self._text("RoleArn", "Role to use in place of the one that is made here", _ROLE_ARN)

    def _list(self, name: str, description: str, **more: Any) -> list[str]:
        return cdk.CfnParameter(self, name, type="CommaDelimitedList", description=description, **more).value_as_list

    def _choice(self, name: str, description: str) -> cdk.CfnCondition:
        answer = cdk.CfnParameter(
            self, name, allowed_values=["true", "false"], default="false", description=description
        ).value_as_string
        return cdk.CfnCondition(self, f"{name}IsTrue", expression=Fn.condition_equals(answer, "true"))

    def _text(self, name: str, description: str, pattern: str) -> str:
        return cdk.CfnParameter(
            self, name, default="", description=f"{description} (optional)", allowed_pattern=pattern
        ).value_as_string

    def _choose_the_role(self, function: lambda_.Function, code: str) -> None:
        has_boundary = cdk.CfnCondition(
            self, "HasBoundary", expression=Fn.condition_not(Fn.condition_equals(self._boundary, ""))
        )
        self._makes_role = cdk.CfnCondition(self, "MakesRole", expression=Fn.condition_equals(self._own_role, ""))
        resource, role = function.node.default_child, function.role
        assert isinstance(resource, lambda_.CfnFunction)
        assert isinstance(role, iam.Role)
        made = role.node.default_child
        assert isinstance(made, iam.CfnRole)
        made.cfn_options.condition = self._makes_role
        bounded = Fn.condition_if(has_boundary.logical_id, self._boundary, cdk.Aws.NO_VALUE)
        made.add_property_override("PermissionsBoundary", bounded)
        chosen = Fn.condition_if(self._makes_role.logical_id, role.role_arn, self._own_role)
        resource.add_property_override("Role", chosen)
        resource.add_override("Properties.Code", code)
        # The role may not be there; where it is, the function's Role refers to it.
        resource.add_deletion_override("DependsOn")

    def _grant(self, role: iam.IRole | None) -> None:
        also_forced = Fn.condition_if(self._may_force.logical_id, "true", cdk.Aws.NO_VALUE)
        of_request = limits(self._regions, force=("false", also_forced))
        through = {"StringLike": {"kms:ViaService": f"secretsmanager.*.{cdk.Aws.URL_SUFFIX}"}}
        has_keys = Fn.condition_not(Fn.condition_equals(Fn.join("", self._keys), ""))
        may_use_keys = self._if_role_is_made("MayUseKeys", has_keys)
        may_promote = self._if_role_is_made("MayPromote", self._may_promote)
        for name, actions, resources, conditions, when in (
            ("Replicate", (*DESCRIBE, *REPLICATE), self._secrets, of_request, self._makes_role),
            ("Promote", PROMOTE, self._secrets, None, may_promote),
            ("UseKeys", (*DECRYPT, *ENCRYPT), self._keys, through, may_use_keys),
        ):
            statement = iam.PolicyStatement(actions=list(actions), resources=resources, conditions=conditions)
            policy = iam.ManagedPolicy(self, name, roles=[role] if role else [], statements=[statement])
            resource = policy.node.default_child
            assert isinstance(resource, iam.CfnManagedPolicy)
            resource.cfn_options.condition = when

    def _if_role_is_made(
        self, name: str, condition: cdk.ICfnConditionExpression | cdk.CfnCondition
    ) -> cdk.CfnCondition:
        both = Fn.condition_and(self._makes_role, condition)  # type: ignore[arg-type]  # jsii's protocols ask for more
        return cdk.CfnCondition(self, name, expression=both)

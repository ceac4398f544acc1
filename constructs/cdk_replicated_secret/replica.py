"""A replica as a secret in its own Region, for the stacks that read it there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import jsii
from aws_cdk import Resource, SecretValue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from constructs import Construct

from .keys import as_key, grant_decrypt
from .places import check_reader, stack_of
from .primary import complete_replica_arn, environment, literal_name, partial_replica_arn
from .props import ReplicaRegion


@jsii.implements(sm.ISecret)
class Replica(Resource):
    """A replica, which can only be read. Everything else is done with the primary.

    The CDK's own import would suffice, but its ``grant_read`` takes the Region of kms:ViaService from the stack of the
    import, and omits imported keys.

    Args:
        scope: The parent construct.
        id: The construct ID.
        primary: The secret that is replicated.
        replica: The replica's Region and key.
        deployed_arn: The replica's full ARN, as a token of the primary's stack.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        primary: sm.ISecret,
        replica: ReplicaRegion,
        deployed_arn: str,
    ) -> None:
        super().__init__(scope, id, account=environment(primary)[0], region=replica.region)
        complete = complete_replica_arn(primary, replica.region)
        partial = None if complete else partial_replica_arn(primary, replica.region)
        self._primary, self._replica = primary, replica
        self._name = literal_name(primary)
        self._deployed_arn = complete or deployed_arn
        self._import = sm.Secret.from_secret_attributes(
            self,
            "Import",
            encryption_key=as_key(self, replica.region, replica.encryption_key),
            secret_complete_arn=None if partial else self._deployed_arn,
            secret_partial_arn=partial,
        )

    @property
    def secret_arn(self) -> str:
        return self._import.secret_arn

    @property
    def secret_full_arn(self) -> str | None:
        return self._import.secret_full_arn

    @property
    def secret_name(self) -> str:
        return self._name or self._import.secret_name

    @property
    def secret_ref(self) -> Any:
        return self._import.secret_ref

    @property
    def secret_value(self) -> SecretValue:
        return self._import.secret_value

    @property
    def encryption_key(self) -> kms.IKey | None:
        return self._import.encryption_key

    def secret_value_from_json(self, key: str) -> SecretValue:
        return self._import.secret_value_from_json(key)

    def cfn_dynamic_reference_key(self, **options: Any) -> str:
        return self._import.cfn_dynamic_reference_key(**options)

    def add_to_resource_policy(self, statement: iam.PolicyStatement) -> iam.AddToResourcePolicyResult:
        return self._import.add_to_resource_policy(statement)

    def grant_read(self, grantee: iam.IGrantable, version_stages: Sequence[str] | None = None) -> iam.Grant:
        """Let a grantee read the replica and decrypt with its key."""
        stages = {"ForAnyValue:StringEquals": {"secretsmanager:VersionStage": list(version_stages or [])}}
        grant = iam.Grant.add_to_principal(
            grantee=grantee,
            actions=["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"],
            resource_arns=[self._arn_for(grantee)],
            conditions=stages if version_stages else None,
        )
        decrypt = grant_decrypt(self.stack, grantee, self._replica.region, self._replica.encryption_key)
        return grant.combine(decrypt) if decrypt else grant

    def _arn_for(self, grantee: iam.IGrantable) -> str:
        """The primary's stack knows the suffix. In another, the token would be a reference to the primary's stack."""
        reader = stack_of(grantee)
        if reader and reader.node.path == self.stack.node.path:
            return self._deployed_arn
        if self.secret_full_arn:
            check_reader(self.node.path, grantee, self._primary)
            return self._deployed_arn
        return f"{self.secret_arn}-??????"

    def grant_write(self, grantee: iam.IGrantable) -> iam.Grant:
        return self._reject()

    def attach(self, target: sm.ISecretAttachmentTarget) -> sm.ISecret:
        # RDS attaches the secret of Credentials.from_secret.
        return self._reject(
            "; to give the replica's password to a database, write rds.Credentials.from_password("
            '"admin", replica.secret_value_from_json("password"))'
        )

    def add_rotation_schedule(self, id: str, **options: Any) -> sm.RotationSchedule:
        return self._reject()

    def deny_account_root_delete(self) -> None:
        self._reject()

    def _reject(self, instead: str = "") -> NoReturn:
        # F15, F20: the API responds "Operation not permitted on a replica secret".
        raise ValueError(f"{self.node.path} is a replica, which can only be read: use the primary instead{instead}")

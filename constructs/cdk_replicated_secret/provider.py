"""The Lambda function behind the custom resource, one for each stack, and functions that are deployed elsewhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from .forms import as_text, is_known, may_be_removed
from .policies import Policies

# MiB. The handler needs a tenth of it, but a function's share of a CPU comes with its memory: more memory hardly
# shortens a cold start, as docs/design/benchmarks.md measures.
DEFAULT_MEMORY_SIZE = 512
_HANDLER = "secret_replication.main.handler"
# Lambda's limit: a replica can take minutes, and waiting costs next to nothing.
_TIMEOUT = Duration.minutes(15)
# A later response is useless: the ResponseURL expires after two hours.
_EVENT_AGE = Duration.hours(1)
# The newest runtime that the handler's tests have run under.
RUNTIME = lambda_.Runtime.PYTHON_3_13
LOG_RETENTION = logs.RetentionDays.THREE_MONTHS
LOG_ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents"]
# What Lambda needs of the role to run in a VPC. EC2 has no resource for the Describe actions, nor for an interface that
# does not exist yet.
_VPC_ACTIONS = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
_ID = "ReplicatedSecretProvider"
_POLICIES = "Policies"
# The namespace of all metrics, and the value of the dimension `service` of this function's.
NAMESPACE = "cdk-replicated-secret"
_SERVICE_TOKEN = re.compile(r"arn:aws[a-z-]*:lambda:([a-z0-9-]+):\d{12}:function:[\w-]+(?::[\w$-]+)?")


class IReplicationProvider(Protocol):
    """What ``ReplicatedSecret`` needs from a provider: its service token, and permissions for its function."""

    @property
    def service_token(self) -> str:
        """The ServiceToken of ``Custom::ReplicatedSecret``: the ARN of the function."""
        ...

    def add_permissions(self, scope: Construct, statements: Sequence[iam.PolicyStatement]) -> Sequence[IDependable]:
        """Add permissions to the role of the function.

        Args:
            scope: The construct that needs the permissions.
            statements: The permissions.

        Returns:
            The constructs that hold the permissions. The custom resource depends on them, so that the permissions exist
            from before the first call until after the last.
        """
        ...


class ReplicationProvider(Construct):
    """The Lambda function that replicates for the ``ReplicatedSecret`` constructs of a stack.

    ``ReplicatedSecret`` reuses the stack's provider or creates it. To configure it, call ``get_or_create`` with
    arguments before the first ``ReplicatedSecret``. A provider made with the constructor is separate; pass it as
    ``provider=``.

    Args:
        scope: The parent construct.
        id: The construct ID.
        memory_size: The function's memory in MiB, which also decides its share of a CPU. Default: 512.
        architecture: The function's architecture. Default: arm64.
        runtime: The function's Python runtime. Default: Python 3.13.
        vpc: The VPC to run in. From there the function must reach CloudFormation's S3 URLs, and Secrets Manager in
            every Region that it replicates to. Default: no VPC.
        vpc_subnets: The subnets to run in. Default: the CDK's choice of the VPC's subnets.
        security_groups: The security groups of the function. Default: a dedicated group.
        log_group: The log group to write to. Default: a dedicated group.
        log_retention: The retention of the dedicated log group. Default: three months.
        role: The function's role. It must allow writing logs and, in a VPC, managing network interfaces.
            Default: a dedicated role.
        manage_permissions: Whether to attach policies to the role that allow what the ``ReplicatedSecret`` constructs
            declare. Pass False if the role's owner manages its permissions, for example for an imported role.
            Default: True.
        on_failure: The destination for events that crashed the function. A failed replication is not a crash; it is
            reported to CloudFormation. Default: none.
        dead_letter_queue: The queue for events that crashed the function. Default: none.
        reserved_concurrent_executions: The function's reserved concurrency. Default: the account's concurrency.
        environment_encryption: The key that encrypts the function's environment. Default: Lambda's key.

    Raises:
        ValueError: If both ``log_group`` and ``log_retention`` are given, or the role belongs to another account.

    Example::

        ReplicationProvider.get_or_create(stack, memory_size=512, vpc=vpc)
        ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        memory_size: int | None = None,
        architecture: lambda_.Architecture | None = None,
        runtime: lambda_.Runtime | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        log_group: logs.ILogGroup | None = None,
        log_retention: logs.RetentionDays | None = None,
        role: iam.IRole | iam.Role | None = None,
        manage_permissions: bool = True,
        on_failure: lambda_.IDestination | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        reserved_concurrent_executions: int | None = None,
        environment_encryption: kms.IKey | kms.Key | None = None,
    ) -> None:
        super().__init__(scope, id)
        if log_group is not None and log_retention is not None:
            raise ValueError(
                f"{self.node.path}: log_group and log_retention exclude each other: "
                "omit one of them (a log group has its own retention)"
            )
        self._check_account(role)
        self._manages_permissions = manage_permissions
        log_group = log_group or logs.LogGroup(self, "Logs", retention=log_retention or LOG_RETENTION)
        self.function: lambda_.Function = lambda_.Function(
            self,
            "Handler",
            description="Replicates Secrets Manager secrets for Custom::ReplicatedSecret",
            code=lambda_.Code.from_asset(str(bundle())),
            handler=_HANDLER,
            timeout=_TIMEOUT,
            max_event_age=_EVENT_AGE,
            memory_size=DEFAULT_MEMORY_SIZE if memory_size is None else memory_size,
            architecture=architecture or lambda_.Architecture.ARM_64,
            runtime=runtime or RUNTIME,
            vpc=vpc,
            vpc_subnets=vpc_subnets,
            security_groups=security_groups,
            log_group=log_group,
            role=role or self._new_role(log_group, in_vpc=vpc is not None),
            on_failure=on_failure,
            dead_letter_queue=dead_letter_queue,
            reserved_concurrent_executions=reserved_concurrent_executions,
            environment_encryption=environment_encryption,
        )
        """The function, for example for alarms on its own metrics."""

    def _check_account(self, role: iam.IRole | None) -> None:
        own = Stack.of(self).account
        if role is None or Token.is_unresolved(role.env.account) or Token.is_unresolved(own):
            return
        if role.env.account != own:
            raise ValueError(
                f"{self.node.path}: role belongs to account {role.env.account} but the function to {own}; "
                "Lambda accepts only roles of its own account"
            )

    def _new_role(self, log_group: logs.ILogGroup, *, in_vpc: bool) -> iam.Role:
        """A role that may write only to this log group; AWS's managed policy would allow every group.

        These permissions are part of the role, so they exist as long as the function does, and longer.
        """
        allowed = {"Logs": iam.PolicyStatement(actions=LOG_ACTIONS, resources=[log_group.log_group_arn])}
        if in_vpc:
            allowed["Vpc"] = iam.PolicyStatement(actions=_VPC_ACTIONS, resources=["*"])
        return iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description="The function of Custom::ReplicatedSecret",
            inline_policies={name: iam.PolicyDocument(statements=[given]) for name, given in allowed.items()},
        )

    @classmethod
    def get_or_create(
        cls,
        scope: Construct,
        *,
        memory_size: int | None = None,
        architecture: lambda_.Architecture | None = None,
        runtime: lambda_.Runtime | None = None,
        vpc: ec2.IVpc | None = None,
        vpc_subnets: ec2.SubnetSelection | None = None,
        security_groups: Sequence[ec2.ISecurityGroup] | None = None,
        log_group: logs.ILogGroup | None = None,
        log_retention: logs.RetentionDays | None = None,
        role: iam.IRole | iam.Role | None = None,
        manage_permissions: bool = True,
        on_failure: lambda_.IDestination | None = None,
        dead_letter_queue: sqs.IQueue | None = None,
        reserved_concurrent_executions: int | None = None,
        environment_encryption: kms.IKey | kms.Key | None = None,
    ) -> ReplicationProvider:
        """Return the provider of the stack that ``scope`` is in. The first call creates it.

        The arguments are those of the constructor; only the first call can have any. The provider's logical ID is
        stable, because a ServiceToken must not change.

        Raises:
            ValueError: If arguments are given and the stack already has a provider.

        Example::

            crashes = ReplicationProvider.get_or_create(stack).function.metric_errors()
            crashes.create_alarm(stack, "Crashed", threshold=1, evaluation_periods=1)
        """
        props: dict[str, Any] = {
            "memory_size": memory_size,
            "architecture": architecture,
            "runtime": runtime,
            "vpc": vpc,
            "vpc_subnets": vpc_subnets,
            "security_groups": security_groups,
            "log_group": log_group,
            "log_retention": log_retention,
            "role": role,
            "manage_permissions": None if manage_permissions else False,
            "on_failure": on_failure,
            "dead_letter_queue": dead_letter_queue,
            "reserved_concurrent_executions": reserved_concurrent_executions,
            "environment_encryption": environment_encryption,
        }
        given = {name: value for name, value in props.items() if value is not None}
        stack = Stack.of(scope)
        found = stack.node.try_find_child(_ID)
        if not isinstance(found, ReplicationProvider):
            return cls(stack, _ID, **given)
        if given:
            raise ValueError(
                f"{scope.node.path}: {found.node.path} already exists, so {', '.join(given)} cannot be set: "
                "a stack has one provider; configure it once, before the first ReplicatedSecret"
            )
        return found

    @staticmethod
    def from_service_token(scope: Construct, id: str, service_token: str) -> IReplicationProvider:
        """Use a provider that is deployed elsewhere: with plain CloudFormation, or by another app.

        Its owner manages its permissions; ``add_permissions`` does nothing. Within one app, pass the
        ``ReplicationProvider`` itself to the other stacks; they then add the permissions for their secrets.

        Args:
            scope: The parent construct.
            id: The construct ID.
            service_token: The ARN of the function, in the stack's Region. CloudFormation would also accept an SNS
                topic, but the function cannot serve its events.

        Raises:
            ValueError: If this is not the ARN of a function, or the function is in another Region.

        Example::

            token = Fn.import_value("ReplicatedSecretServiceToken")
            provider = ReplicationProvider.from_service_token(self, "Provider", token)
        """
        return _ImportedProvider(scope, id, service_token)

    @property
    def service_token(self) -> str:
        """The ServiceToken of ``Custom::ReplicatedSecret``: the function's ARN."""
        return self.function.function_arn

    def add_permissions(self, scope: Construct, statements: Sequence[iam.PolicyStatement]) -> Sequence[IDependable]:
        """Add permissions to the function's role, as managed policies in the stack of ``scope``.

        Args:
            scope: The construct that needs the permissions.
            statements: The permissions.

        Returns:
            The policies; none with ``manage_permissions=False``. Make whatever needs the permissions depend on the
            policies, so that they exist from before the first call until after the last.
        """
        role, stack = self.function.role, Stack.of(scope)
        if role is None or not self._manages_permissions:
            return []
        place: Construct = self if Stack.of(self).node.path == stack.node.path else stack
        name = _POLICIES if place is self else f"{_ID}{_POLICIES}{self.node.addr}"
        found = place.node.try_find_child(name)
        policies = found if isinstance(found, Policies) else Policies(place, name, role)
        return policies.add(statements)

    def metric_responses_failed(self, **options: Any) -> cloudwatch.Metric:
        """The number of requests that failed, or whose response CloudFormation did not accept. Statistic: Sum.

        Like the other metrics, it covers every provider of the account in the Region.

        Args:
            **options: The arguments of ``cloudwatch.Metric``, for example ``period`` or ``statistic``.

        Example::

            failed = ReplicationProvider.get_or_create(stack).metric_responses_failed()
            failed.create_alarm(stack, "Failed", threshold=1, evaluation_periods=1)
        """
        return self._metric("ResponsesFailed", "Sum", options)

    def metric_replicas_in_sync(self, **options: Any) -> cloudwatch.Metric:
        """The number of declared replicas that were InSync at the end of a request. Statistic: Sum."""
        return self._metric("ReplicasInSync", "Sum", options)

    def metric_replicas_failed(self, **options: Any) -> cloudwatch.Metric:
        """The number of declared replicas that were Failed at the end of a request. Statistic: Sum."""
        return self._metric("ReplicasFailed", "Sum", options)

    def metric_replicas_unverified(self, **options: Any) -> cloudwatch.Metric:
        """The number of removed replicas that may still exist: their Regions did not respond. Statistic: Sum."""
        return self._metric("ReplicasUnverified", "Sum", options)

    def metric_replicas_unowned(self, **options: Any) -> cloudwatch.Metric:
        """The number of replicas whose tag has disappeared, so that they stay when dropped. Statistic: Sum."""
        return self._metric("ReplicasUnowned", "Sum", options)

    def metric_seconds_to_in_sync(self, **options: Any) -> cloudwatch.Metric:
        """How many seconds successful Creates and Updates took. Statistic: Average."""
        return self._metric("SecondsToInSync", "Average", options)

    def _metric(self, name: str, statistic: str, options: dict[str, Any]) -> cloudwatch.Metric:
        defaults = {"namespace": NAMESPACE, "dimensions_map": {"service": NAMESPACE}, "statistic": statistic}
        return cloudwatch.Metric(metric_name=name, **{**defaults, **options}).attach_to(self)


class _ImportedProvider(Construct):
    """A provider known only by its service token: see ``ReplicationProvider.from_service_token``."""

    def __init__(self, scope: Construct, id: str, service_token: str) -> None:
        super().__init__(scope, id)
        service_token = as_text(service_token)
        self._service_token: str = service_token
        if isinstance(service_token, str) and not is_known(service_token):
            if may_be_removed(Stack.of(self), service_token):
                raise ValueError(
                    f"{self.node.path}: service_token may be AWS::NoValue, but it is required: "
                    "write the ARN of a function for every case"
                )
            return
        found = _SERVICE_TOKEN.fullmatch(service_token) if isinstance(service_token, str) else None
        if not found:
            raise ValueError(
                f"{self.node.path}: service_token is {service_token!r}: expected the ARN of a Lambda function, "
                "for example arn:aws:lambda:us-west-2:111122223333:function:replication"
            )
        region, own = found[1], Stack.of(self).region
        if not Token.is_unresolved(own) and region != own:
            raise ValueError(
                f"{self.node.path}: service_token is {service_token!r}, which is in {region}, but the stack is in "
                f"{own}: a ServiceToken must be in the stack's own Region; deploy a provider there"
            )

    @property
    def service_token(self) -> str:
        return self._service_token

    def add_permissions(self, scope: Construct, statements: Sequence[iam.PolicyStatement]) -> Sequence[IDependable]:
        return []


def bundle() -> Path:
    """The handler with its dependencies: inside the wheel, or built in the checkout.

    Raises:
        FileNotFoundError: If the checkout's bundle has not been built yet.
    """
    here = Path(__file__).parent
    for path in (here / "_handler.zip", here.parent.parent / "build" / "handler.zip"):
        if path.is_file():
            return path
    raise FileNotFoundError("the Lambda's bundle is missing: run `make bundle` in the checkout, or install the wheel")

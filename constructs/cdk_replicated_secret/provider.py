"""The Lambda behind the custom resource: one for each stack."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict, Unpack

from aws_cdk import Duration, Stack, Token
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IDependable

from .deployed_provider import DeployedProvider, IReplicationProvider
from .permissions import Right
from .policies import Policies

_HANDLER = "secret_replication.main.handler"
# Lambda's longest: a replica can take minutes, and waiting costs next to nothing.
_TIMEOUT = Duration.minutes(15)
# An answer older than this is of no use to anybody: the ResponseURL expires after two hours.
_EVENT_AGE = Duration.hours(1)
# The newest runtime that the handler's tests have run under, and the one that the bundle has bytecode for.
_RUNTIME = lambda_.Runtime.PYTHON_3_13
# MiB. Measured: the handler peaks at 54 MiB and takes 0.6 s of a CPU, most of it to start. With Lambda's own share that
# would fit into 128, but the CPU comes with the memory: to start would take 8 s instead of 4.
_MEMORY = 256
_LOG_RETENTION = logs.RetentionDays.THREE_MONTHS
_LOG_ACTIONS = ["logs:CreateLogStream", "logs:PutLogEvents"]
# What Lambda needs of the role to run in a VPC. EC2 knows no resource for the Describe actions, nor for an interface
# before it is made.
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


class ReplicationProviderProps(TypedDict, total=False):
    """How the function runs. What is left out, or None, has its default.

    ``memory_size``: MiB; 256, which is plenty: it waits more than it works.
    ``vpc``, ``vpc_subnets``, ``security_groups``: where it runs; in no VPC. From there it must reach CloudFormation's
    S3 URLs and Secrets Manager in every Region that it replicates to.
    ``log_group``: where it logs; a group of its own. ``log_retention``: of its own group; three months.
    ``runtime``: a Python; 3.13.
    ``role``: a role that may write logs, and in a VPC manage network interfaces; a role of its own. It is given the
    rights to replicate.
    ``on_failure``, ``dead_letter_queue``: where events go that it crashed on; nowhere. A replication that fails is no
    crash: CloudFormation is told.
    ``reserved_concurrent_executions``: the most at a time; the account's.
    ``environment_encryption``: the key of its environment; Lambda's.
    """

    memory_size: int | None
    vpc: ec2.IVpc | None
    vpc_subnets: ec2.SubnetSelection | None
    security_groups: Sequence[ec2.ISecurityGroup] | None
    log_group: logs.ILogGroup | None
    log_retention: logs.RetentionDays | None
    runtime: lambda_.Runtime | None
    role: iam.IRole | iam.Role | None
    on_failure: lambda_.IDestination | None
    dead_letter_queue: sqs.IQueue | None
    reserved_concurrent_executions: int | None
    environment_encryption: kms.IKey | kms.Key | None


class ReplicationProvider(Construct):
    """The Lambda function that replicates for the ``ReplicatedSecret`` constructs of a stack.

    ``ReplicatedSecret`` finds or makes the stack's. To choose how that runs, call ``get_or_create`` with props before
    the first of them; one that is made with the constructor is another, for ``provider=``.

    Args:
        scope: the parent.
        id: the construct's id.
        **props: see ``ReplicationProviderProps``.

    Raises:
        ValueError: both ``log_group`` and ``log_retention`` are given, or a role of another account.

    Example::

        ReplicationProvider.get_or_create(stack, memory_size=512, vpc=vpc)
        ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    """

    def __init__(self, scope: Construct, id: str, **props: Unpack[ReplicationProviderProps]) -> None:  # noqa: A002 - CDK's name
        super().__init__(scope, id)
        given: dict[str, Any] = {name: value for name, value in props.items() if value is not None}
        if {"log_group", "log_retention"} <= set(given):
            raise ValueError(
                f"{self.node.path}: log_group and log_retention are given: "
                "leave one of the two out (a log group has a retention of its own)"
            )
        self._check_account(given.get("role"))
        retention: dict[str, Any] = {} if "log_group" in given else {"log_retention": _LOG_RETENTION}
        self._props: dict[str, Any] = {"memory_size": _MEMORY, "runtime": _RUNTIME} | retention | given
        options: dict[str, Any] = dict(self._props)
        if "log_retention" in options:
            options["log_group"] = logs.LogGroup(self, "Logs", retention=options.pop("log_retention"))
        if "role" not in options:
            options["role"] = self._role(options["log_group"], in_vpc="vpc" in options)
        self.function: lambda_.Function = lambda_.Function(
            self,
            "Handler",
            description="Replicates Secrets Manager secrets for Custom::ReplicatedSecret",
            code=lambda_.Code.from_asset(str(_bundle())),
            handler=_HANDLER,
            architecture=lambda_.Architecture.ARM_64,
            timeout=_TIMEOUT,
            max_event_age=_EVENT_AGE,
            **options,
        )
        """The function, for alarms and the like."""

    def _check_account(self, role: iam.IRole | None) -> None:
        own = Stack.of(self).account
        if role is None or Token.is_unresolved(role.env.account) or Token.is_unresolved(own):
            return
        if role.env.account != own:
            raise ValueError(
                f"{self.node.path}: role is of account {role.env.account}, and the function of {own}: "
                "give a role of the function's account, as Lambda takes no other"
            )

    def _role(self, log_group: logs.ILogGroup, *, in_vpc: bool) -> iam.Role:
        """A role that may log to its own group only, where the managed policy would allow every group.

        The rights are part of the role: the function depends on it, so they are there before it and until after it.
        """
        allowed = {"Logs": iam.PolicyStatement(actions=_LOG_ACTIONS, resources=[log_group.log_group_arn])}
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
    def get_or_create(cls, scope: Construct, **props: Unpack[ReplicationProviderProps]) -> ReplicationProvider:
        """The provider of the stack that ``scope`` is in. Its logical id never changes: a ServiceToken may not.

        Args:
            scope: any construct of the stack.
            **props: as for ``ReplicationProvider``; none, to take it as it is.

        Raises:
            ValueError: there is one already, with other props.

        Example::

            crashes = ReplicationProvider.get_or_create(stack).function.metric_errors()
            crashes.create_alarm(stack, "Crashed", threshold=1, evaluation_periods=1)
        """
        stack = Stack.of(scope)
        if unknown := sorted(props.keys() - ReplicationProviderProps.__annotations__.keys()):
            known = ", ".join(ReplicationProviderProps.__annotations__)
            raise TypeError(f"{scope.node.path}: there is no prop {unknown[0]!r}: the props are {known}")
        found = stack.node.try_find_child(_ID)
        if not isinstance(found, ReplicationProvider):
            return cls(stack, _ID, **props)
        for name, value in props.items():
            asked, there = _readable(value), _readable(found._props.get(name))  # noqa: SLF001 - its own class
            if value is not None and asked != there:
                raise ValueError(
                    f"{scope.node.path}: {name} is {asked!r}, and {found.node.path} was made with {there!r}: "
                    "a stack has one provider, so give all its props where it is first made, "
                    "before the first ReplicatedSecret"
                )
        return found

    @staticmethod
    def from_service_token(scope: Construct, id: str, service_token: str) -> IReplicationProvider:  # noqa: A002 - CDK's name
        """A provider that is deployed elsewhere: by plain CloudFormation, or in another stack.

        What it may do is for its owner to say: ``grant`` does nothing. Within one app pass the ``ReplicationProvider``
        itself to the other stacks, which then give it the rights to their secrets.

        Args:
            scope: the parent.
            id: the construct's id.
            service_token: the ARN of the function, or of an SNS topic in front of it, in the stack's Region.

        Raises:
            ValueError: it is no such ARN, or one of another Region.

        Example::

            token = Fn.import_value("ReplicatedSecretServiceToken")
            provider = ReplicationProvider.from_service_token(self, "Provider", token)
        """
        return DeployedProvider(scope, id, service_token)

    @property
    def service_token(self) -> str:
        """What ``Custom::ReplicatedSecret`` takes as ServiceToken: the function's ARN."""
        return self.function.function_arn

    def grant(self, scope: Construct, rights: Sequence[Right]) -> Sequence[IDependable]:
        """Give the function rights, by managed policies in the stack of ``scope``.

        Returns:
            The policies. What needs the rights has to depend on them: so they are there before the first call and until
            after the last.
        """
        role, stack = self.function.role, Stack.of(scope)
        if role is None or _is_immutable(role):
            return []
        place: Construct = self if Stack.of(self).node.path == stack.node.path else stack
        name = _POLICIES if place is self else f"{_ID}{_POLICIES}{self.node.addr}"
        found = place.node.try_find_child(name)
        policies = found if isinstance(found, Policies) else Policies(place, name, role)
        return policies.add(rights)


def _is_immutable(role: iam.IRole) -> bool:
    """Whether it was imported with mutable=False: its owner gives it its rights. CDK shows that by a sibling's id."""
    scope = role.node.scope
    return scope is not None and scope.node.try_find_child(f"MutableRole{role.node.id}") is not None


def _readable(value: Any) -> Any:
    """A prop to compare and to show: of one runtime there are unequal objects, and a construct's repr says nothing."""
    if isinstance(value, list | tuple):
        return [_readable(entry) for entry in value]
    if isinstance(value, lambda_.Runtime):
        return value.name
    return value.node.path if hasattr(value, "node") else value


def _bundle() -> Path:
    """The handler with its dependencies: inside the wheel, or built in the checkout.

    Raises:
        FileNotFoundError: the checkout's was not built yet.
    """
    here = Path(__file__).parent
    for bundle in (here / "_handler.zip", here.parent.parent / "build" / "handler.zip"):
        if bundle.is_file():
            return bundle
    raise FileNotFoundError("the Lambda's bundle is missing: run `make bundle` in the checkout, or install the wheel")

"""The Lambda function behind the custom resource, its permissions and its metrics."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Sequence
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template
from constructs import Construct, IDependable

from cdk_replicated_secret import IReplicationProvider, ReplicatedSecret, ReplicationProvider
from cdk_replicated_secret.provider import DEFAULT_MEMORY_SIZE

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:replication"
SECRET = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:"


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "App", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))


def properties(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    (resource,) = Template.from_stack(stack).find_resources(kind).values()
    return dict(resource["Properties"])


def test_the_defaults(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack)
    template = Template.from_stack(stack)
    function = properties(stack, "AWS::Lambda::Function")
    assert (function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]) == (
        "python3.13",
        ["arm64"],
        DEFAULT_MEMORY_SIZE,
        900,
    )
    assert properties(stack, "AWS::Lambda::EventInvokeConfig")["MaximumEventAgeInSeconds"] == 3600
    assert properties(stack, "AWS::Logs::LogGroup")["RetentionInDays"] == 90
    template.resource_count_is("AWS::IAM::Role", 1)
    assert not {"VpcConfig", "DeadLetterConfig", "ReservedConcurrentExecutions", "KmsKeyArn"} & set(function)


def test_every_prop_reaches_the_function(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc(stack, "Vpc", nat_gateways=1)
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    group = logs.LogGroup(stack, "Group")
    ReplicationProvider.get_or_create(
        stack,
        memory_size=512,
        architecture=lambda_.Architecture.X86_64,
        runtime=lambda_.Runtime.PYTHON_3_12,
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
        security_groups=[ec2.SecurityGroup(stack, "Outward", vpc=vpc)],
        log_group=group,
        role=role,
        dead_letter_queue=sqs.Queue(stack, "Dead"),
        on_failure=destinations.SqsDestination(sqs.Queue(stack, "Failed")),
        reserved_concurrent_executions=2,
        environment_encryption=kms.Key(stack, "Key"),
    )
    function = properties(stack, "AWS::Lambda::Function")
    assert (function["MemorySize"], function["Runtime"], function["ReservedConcurrentExecutions"]) == (
        512,
        "python3.12",
        2,
    )
    assert function["Architectures"] == ["x86_64"]
    assert function["LoggingConfig"]["LogGroup"] == stack.resolve(group.log_group_name)
    assert function["Role"] == stack.resolve(role.role_arn)
    assert {"VpcConfig", "DeadLetterConfig", "KmsKeyArn"} <= set(function)
    assert len(function["VpcConfig"]["SecurityGroupIds"]) == 1
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventInvokeConfig", {"DestinationConfig": {"OnFailure": Match.any_value()}}
    )
    Template.from_stack(stack).resource_count_is("AWS::Logs::LogGroup", 1)


def inline_policies(stack: cdk.Stack) -> dict[str, tuple[set[str], object]]:
    """The inline policies of the function's role: actions and resource by name."""
    granted = {}
    for policy in properties(stack, "AWS::IAM::Role")["Policies"]:
        (statement,) = policy["PolicyDocument"]["Statement"]
        granted[policy["PolicyName"]] = (set(statement["Action"]), statement["Resource"])
    return granted


@pytest.mark.parametrize("given", [False, True], ids=["its own", "given"])
def test_the_role_may_write_only_to_its_log_group(stack: cdk.Stack, *, given: bool) -> None:
    group = logs.LogGroup(stack, "Group") if given else None
    ReplicationProvider.get_or_create(stack, log_group=group)
    (logical_id,) = Template.from_stack(stack).find_resources("AWS::Logs::LogGroup")
    assert inline_policies(stack) == {
        "Logs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {"Fn::GetAtt": [logical_id, "Arn"]})
    }
    assert "ManagedPolicyArns" not in properties(stack, "AWS::IAM::Role")


def test_the_arn_of_an_imported_log_group_covers_its_streams(stack: cdk.Stack) -> None:
    group = logs.LogGroup.from_log_group_name(stack, "Group", "replication")
    ReplicationProvider.get_or_create(stack, log_group=group)
    assert ":log-group:replication:*" in str(inline_policies(stack)["Logs"][1])


def test_in_a_vpc_the_role_may_manage_network_interfaces(stack: cdk.Stack) -> None:
    """What AWSLambdaVPCAccessExecutionRole gives, without its permissions on every log group."""
    vpc = ec2.Vpc.from_vpc_attributes(
        stack, "Vpc", vpc_id="vpc-1", availability_zones=["us-west-2a"], private_subnet_ids=["subnet-1"]
    )
    ReplicationProvider.get_or_create(stack, vpc=vpc)
    actions = {
        "ec2:AssignPrivateIpAddresses",
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSubnets",
        "ec2:UnassignPrivateIpAddresses",
    }
    assert inline_policies(stack)["Vpc"] == (actions, "*")


def test_the_function_depends_on_its_role(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack)
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    (role,) = Template.from_stack(stack).find_resources("AWS::IAM::Role")
    assert function["DependsOn"] == [role]


def test_the_retention_of_the_dedicated_log_group(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack, log_retention=logs.RetentionDays.ONE_WEEK)
    assert properties(stack, "AWS::Logs::LogGroup")["RetentionInDays"] == 7


def test_a_log_group_and_a_retention_exclude_each_other(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="App/Mine: log_group and log_retention exclude each other: omit one of them"):
        ReplicationProvider(
            stack, "Mine", log_group=logs.LogGroup(stack, "L"), log_retention=logs.RetentionDays.ONE_WEEK
        )


def test_the_logical_id_does_not_depend_on_the_arguments(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack, memory_size=512, vpc=ec2.Vpc(stack, "Vpc"))
    assert list(Template.from_stack(stack).find_resources("AWS::Lambda::Function")) == [
        "ReplicatedSecretProviderHandler8D33F5B0"
    ]


def test_get_or_create_returns_the_stacks_provider(stack: cdk.Stack) -> None:
    created = ReplicationProvider.get_or_create(stack, memory_size=512)
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    assert ReplicationProvider.get_or_create(replicated) is created
    assert ReplicationProvider.get_or_create(stack, memory_size=None, manage_permissions=True) is created


@pytest.mark.parametrize(
    ("props", "names"),
    [
        ({"memory_size": 512}, "memory_size"),
        ({"manage_permissions": False}, "manage_permissions"),
        (
            {"reserved_concurrent_executions": 1, "architecture": lambda_.Architecture.ARM_64},
            "architecture, reserved_concurrent_executions",
        ),
    ],
)
def test_an_existing_provider_cannot_be_configured(stack: cdk.Stack, props: dict[str, Any], names: str) -> None:
    """Not even with the values that it has: nothing is compared."""
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    message = f"^App/Database: App/ReplicatedSecretProvider already exists, so {names} cannot be set: a stack has one"
    with pytest.raises(ValueError, match=message):
        ReplicationProvider.get_or_create(replicated, **props)


def test_get_or_create_takes_the_arguments_of_the_constructor() -> None:
    constructor, method = (
        {name: parameter for name, parameter in inspect.signature(make).parameters.items() if name != "id"}
        for make in (ReplicationProvider.__init__, ReplicationProvider.get_or_create)
    )
    del constructor["self"]
    assert constructor == method


def test_the_docstring_has_the_default_of_each_argument() -> None:
    arguments = (inspect.getdoc(ReplicationProvider) or "").partition("Args:\n")[2].partition("Raises:")[0]
    entries = dict(re.findall(r"^    (\w+): (.*?)(?=^    \w|\Z)", arguments, re.MULTILINE | re.DOTALL))
    assert [name for name, text in entries.items() if "Default: " not in text] == ["scope", "id"]
    assert f"Default: {DEFAULT_MEMORY_SIZE}." in entries["memory_size"]


def test_cloudformation_waits_longer_than_the_function_can_run(stack: cdk.Stack) -> None:
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    assert "ServiceTimeout" not in properties(stack, "Custom::ReplicatedSecret"), "an hour is CloudFormation's default"


def test_the_service_timeout_is_a_property_of_the_resource(stack: cdk.Stack) -> None:
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], service_timeout=cdk.Duration.minutes(15))
    assert properties(stack, "Custom::ReplicatedSecret")["ServiceTimeout"] == "900"


@pytest.mark.parametrize(
    "token",
    [
        FUNCTION,
        f"{FUNCTION}:live",
        f"{FUNCTION}:$LATEST",
        "arn:aws-cn:lambda:cn-north-1:000000000000:function:replication",
    ],
)
def test_an_imported_provider_is_a_service_token_without_permissions(token: str) -> None:
    environment = cdk.Environment(account=ACCOUNT, region=token.split(":")[3])
    stack = cdk.Stack(cdk.App(), "App", env=environment)
    provider = ReplicationProvider.from_service_token(stack, "Elsewhere", token)
    ReplicatedSecret(stack, "Database", regions=[], provider=provider)
    assert properties(stack, "Custom::ReplicatedSecret")["ServiceToken"] == provider.service_token == token
    for kind in ("AWS::Lambda::Function", "AWS::IAM::Policy", "AWS::IAM::Role"):
        Template.from_stack(stack).resource_count_is(kind, 0)


def test_a_service_token_may_be_a_token(stack: cdk.Stack) -> None:
    token = cdk.Fn.import_value("Provider")
    provider = ReplicationProvider.from_service_token(stack, "Elsewhere", token)
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], provider=provider)
    assert properties(stack, "Custom::ReplicatedSecret")["ServiceToken"] == {"Fn::ImportValue": "Provider"}


@pytest.mark.parametrize(
    "token",
    [
        "replication",
        "",
        f"arn:aws:iam::{ACCOUNT}:role/replication",
        f"arn:aws:sns:us-west-2:{ACCOUNT}:replication",
        FUNCTION + ":a:b",
    ],
)
def test_an_invalid_service_token_is_rejected(stack: cdk.Stack, token: str) -> None:
    with pytest.raises(
        ValueError, match=r"App/Elsewhere: service_token is '.*': expected the ARN of a Lambda function, for"
    ):
        ReplicationProvider.from_service_token(stack, "Elsewhere", token)


def test_a_service_token_of_another_region_is_rejected(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="is in eu-west-3, but the stack is in us-west-2: a ServiceToken must be in"):
        ReplicationProvider.from_service_token(stack, "Elsewhere", FUNCTION.replace("us-west-2", "eu-west-3"))


def test_an_environment_agnostic_stack_accepts_any_service_token() -> None:
    agnostic = cdk.Stack(cdk.App(), "Agnostic")
    assert ReplicationProvider.from_service_token(agnostic, "Elsewhere", FUNCTION).service_token == FUNCTION


@pytest.mark.parametrize("manages", [True, False])
def test_the_owner_of_a_role_may_manage_its_permissions(stack: cdk.Stack, *, manages: bool) -> None:
    role = iam.Role.from_role_arn(stack, "Role", f"arn:aws:iam::{ACCOUNT}:role/function")
    ReplicationProvider.get_or_create(stack, role=role, manage_permissions=manages)
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    Template.from_stack(stack).resource_count_is("AWS::IAM::ManagedPolicy", int(manages))


def test_a_provider_of_a_users_own_gets_policy_statements(stack: cdk.Stack) -> None:
    role = iam.Role(stack, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))

    class Own:
        service_token = FUNCTION

        def add_permissions(self, scope: Construct, statements: Sequence[iam.PolicyStatement]) -> Sequence[IDependable]:
            assert scope.node.path == "App/Database"
            added = [role.add_to_principal_policy(statement).policy_dependable for statement in statements]
            return [dependable for dependable in added if dependable]

    provider: IReplicationProvider = Own()
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], provider=provider)
    (policy,) = Template.from_stack(stack).find_resources("AWS::IAM::Policy")
    (resource,) = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    assert policy in resource["DependsOn"]
    assert "secretsmanager:ReplicateSecretToRegions" in str(properties(stack, "AWS::IAM::Policy"))


def test_permissions_are_added_once(stack: cdk.Stack) -> None:
    provider = ReplicationProvider.get_or_create(stack)
    for name in ("One", "One", "Two"):
        statement = iam.PolicyStatement(actions=["secretsmanager:DescribeSecret"], resources=[f"{SECRET}{name}"])
        (policy,) = provider.add_permissions(stack, [statement])
        assert isinstance(policy, iam.ManagedPolicy)
    (added,) = properties(stack, "AWS::IAM::ManagedPolicy")["PolicyDocument"]["Statement"]
    assert added["Resource"] == [f"{SECRET}One", f"{SECRET}Two"]


def test_what_differs_in_more_than_the_resource_is_not_merged(stack: cdk.Stack) -> None:
    provider = ReplicationProvider.get_or_create(stack)
    key = "arn:aws:kms:us-west-2:111122223333:key/1234abcd"
    for effect in (iam.Effect.ALLOW, iam.Effect.DENY):
        statement = iam.PolicyStatement(actions=["kms:Decrypt"], resources=[key], effect=effect)
        provider.add_permissions(stack, [statement])
    statements = properties(stack, "AWS::IAM::ManagedPolicy")["PolicyDocument"]["Statement"]
    assert [statement["Effect"] for statement in statements] == ["Allow", "Deny"]


@pytest.mark.parametrize(
    ("metric", "name", "statistic"),
    [
        (ReplicationProvider.metric_responses_failed, "ResponsesFailed", "Sum"),
        (ReplicationProvider.metric_replicas_in_sync, "ReplicasInSync", "Sum"),
        (ReplicationProvider.metric_replicas_failed, "ReplicasFailed", "Sum"),
        (ReplicationProvider.metric_replicas_unverified, "ReplicasUnverified", "Sum"),
        (ReplicationProvider.metric_replicas_unowned, "ReplicasUnowned", "Sum"),
        (ReplicationProvider.metric_seconds_to_in_sync, "SecondsToInSync", "Average"),
    ],
)
def test_the_metrics(stack: cdk.Stack, metric: Callable[..., cloudwatch.Metric], name: str, statistic: str) -> None:
    provider = ReplicationProvider.get_or_create(stack)
    found = metric(provider)
    assert (found.namespace, found.metric_name, found.statistic) == ("cdk-replicated-secret", name, statistic)
    assert found.dimensions == {"service": "cdk-replicated-secret"}
    minute = metric(provider, period=cdk.Duration.minutes(1), statistic="Maximum")
    assert (minute.period.to_seconds(), minute.statistic, minute.metric_name) == (60, "Maximum", name)


def test_a_role_of_another_account_is_rejected(stack: cdk.Stack) -> None:
    role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::999999999999:role/function")
    with pytest.raises(
        ValueError, match="role belongs to account 999999999999 but the function to 000000000000; Lambda accepts"
    ):
        ReplicationProvider.get_or_create(stack, role=role)


def test_a_service_token_that_is_not_a_string_is_rejected(stack: cdk.Stack) -> None:
    token: Any = None
    with pytest.raises(ValueError, match="service_token is None: expected the ARN"):
        ReplicationProvider.from_service_token(stack, "Provider", token)

"""The Lambda behind the custom resource: one for each stack, as it was asked for."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_destinations as destinations
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sqs as sqs
from aws_cdk.assertions import Match, Template

from cdk_replicated_secret import ReplicatedSecret, ReplicationProvider

ACCOUNT = "000000000000"
FUNCTION = f"arn:aws:lambda:us-west-2:{ACCOUNT}:function:replication"


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "App", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))


def properties(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    (resource,) = Template.from_stack(stack).find_resources(kind).values()
    return dict(resource["Properties"])


def test_what_it_is_when_nothing_is_asked(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack)
    template = Template.from_stack(stack)
    function = properties(stack, "AWS::Lambda::Function")
    assert (function["Runtime"], function["Architectures"], function["MemorySize"], function["Timeout"]) == (
        "python3.13",
        ["arm64"],
        256,
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
    assert function["LoggingConfig"]["LogGroup"] == stack.resolve(group.log_group_name)
    assert function["Role"] == stack.resolve(role.role_arn)
    assert {"VpcConfig", "DeadLetterConfig", "KmsKeyArn"} <= set(function)
    assert len(function["VpcConfig"]["SecurityGroupIds"]) == 1
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventInvokeConfig", {"DestinationConfig": {"OnFailure": Match.any_value()}}
    )
    Template.from_stack(stack).resource_count_is("AWS::Logs::LogGroup", 1)


def rights(stack: cdk.Stack) -> dict[str, tuple[set[str], object]]:
    """What the function's role may do by itself: actions and resource by the policy's name."""
    granted = {}
    for policy in properties(stack, "AWS::IAM::Role")["Policies"]:
        (statement,) = policy["PolicyDocument"]["Statement"]
        granted[policy["PolicyName"]] = (set(statement["Action"]), statement["Resource"])
    return granted


@pytest.mark.parametrize("given", [False, True], ids=["its own", "given"])
def test_its_role_may_log_to_its_log_group_and_nowhere_else(stack: cdk.Stack, *, given: bool) -> None:
    group = logs.LogGroup(stack, "Group") if given else None
    ReplicationProvider.get_or_create(stack, log_group=group)
    (logical_id,) = Template.from_stack(stack).find_resources("AWS::Logs::LogGroup")
    assert rights(stack) == {
        "Logs": ({"logs:CreateLogStream", "logs:PutLogEvents"}, {"Fn::GetAtt": [logical_id, "Arn"]})
    }
    assert "ManagedPolicyArns" not in properties(stack, "AWS::IAM::Role")


def test_an_imported_log_group_is_named_with_its_streams(stack: cdk.Stack) -> None:
    group = logs.LogGroup.from_log_group_name(stack, "Group", "replication")
    ReplicationProvider.get_or_create(stack, log_group=group)
    assert ":log-group:replication:*" in str(rights(stack)["Logs"][1])


def test_in_a_vpc_its_role_may_manage_network_interfaces(stack: cdk.Stack) -> None:
    """What AWSLambdaVPCAccessExecutionRole gives, without its rights to every log group."""
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
    assert rights(stack)["Vpc"] == (actions, "*")


def test_the_function_comes_after_its_role_and_goes_before_it(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack)
    (function,) = Template.from_stack(stack).find_resources("AWS::Lambda::Function").values()
    (role,) = Template.from_stack(stack).find_resources("AWS::IAM::Role")
    assert function["DependsOn"] == [role]


def test_the_retention_of_its_own_log_group(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack, log_retention=logs.RetentionDays.ONE_WEEK)
    assert properties(stack, "AWS::Logs::LogGroup")["RetentionInDays"] == 7


def test_a_log_group_and_a_retention_exclude_each_other(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="App/Mine: log_group and log_retention are given: leave one of the two out"):
        ReplicationProvider(
            stack, "Mine", log_group=logs.LogGroup(stack, "L"), log_retention=logs.RetentionDays.ONE_WEEK
        )


def test_whatever_it_is_asked_its_logical_id_stays(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack, memory_size=512, vpc=ec2.Vpc(stack, "Vpc"))
    assert list(Template.from_stack(stack).find_resources("AWS::Lambda::Function")) == [
        "ReplicatedSecretProviderHandler8D33F5B0"
    ]


def test_asked_again_with_the_same_props_it_is_the_same(stack: cdk.Stack) -> None:
    vpc = ec2.Vpc(stack, "Vpc")
    selection = ec2.SubnetType.PRIVATE_WITH_EGRESS

    def ask() -> ReplicationProvider:
        return ReplicationProvider.get_or_create(
            stack,
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=selection),
            memory_size=512,
            runtime=lambda_.Runtime.PYTHON_3_12,
        )

    assert ask() is ask()


@pytest.mark.parametrize("asked", [{}, {"memory_size": None}, {"memory_size": 256}])
def test_asked_again_without_props_or_with_those_it_has_it_is_the_same(stack: cdk.Stack, asked: Any) -> None:
    made = ReplicationProvider.get_or_create(stack, log_retention=logs.RetentionDays.ONE_WEEK)
    assert ReplicationProvider.get_or_create(stack, **asked) is made


def test_asked_again_with_other_props_it_refuses(stack: cdk.Stack) -> None:
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    with pytest.raises(
        ValueError,
        match="App/Database: memory_size is 512, and App/ReplicatedSecretProvider was made with 256: a stack has one",
    ):
        ReplicationProvider.get_or_create(replicated, memory_size=512)


def test_a_prop_that_was_left_out_cannot_be_added_later(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack, memory_size=512)
    with pytest.raises(ValueError, match=r"reserved_concurrent_executions is 1, and .* was made with None"):
        ReplicationProvider.get_or_create(stack, memory_size=512, reserved_concurrent_executions=1)


def test_cloudformation_waits_longer_than_the_function_can_run(stack: cdk.Stack) -> None:
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    assert "ServiceTimeout" not in properties(stack, "Custom::ReplicatedSecret"), "an hour is CloudFormation's default"


def test_a_timeout_reaches_the_function_as_a_service_timeout(stack: cdk.Stack) -> None:
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], timeout=cdk.Duration.minutes(15))
    assert properties(stack, "Custom::ReplicatedSecret")["ServiceTimeout"] == "900"


@pytest.mark.parametrize(
    "token",
    [
        FUNCTION,
        f"{FUNCTION}:live",
        f"{FUNCTION}:$LATEST",
        f"arn:aws:sns:us-west-2:{ACCOUNT}:replication",
        "arn:aws-cn:lambda:cn-north-1:000000000000:function:replication",
    ],
)
def test_a_provider_that_is_deployed_elsewhere_is_an_address_and_no_rights(token: str) -> None:
    environment = cdk.Environment(account=ACCOUNT, region=token.split(":")[3])
    stack = cdk.Stack(cdk.App(), "App", env=environment)
    provider = ReplicationProvider.from_service_token(stack, "Elsewhere", token)
    ReplicatedSecret(stack, "Database", regions=[], provider=provider)
    assert properties(stack, "Custom::ReplicatedSecret")["ServiceToken"] == provider.service_token == token
    for kind in ("AWS::Lambda::Function", "AWS::IAM::Policy", "AWS::IAM::Role"):
        Template.from_stack(stack).resource_count_is(kind, 0)


def test_its_address_may_be_a_token(stack: cdk.Stack) -> None:
    token = cdk.Fn.import_value("Provider")
    provider = ReplicationProvider.from_service_token(stack, "Elsewhere", token)
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], provider=provider)
    assert properties(stack, "Custom::ReplicatedSecret")["ServiceToken"] == {"Fn::ImportValue": "Provider"}


@pytest.mark.parametrize("token", ["replication", "", f"arn:aws:iam::{ACCOUNT}:role/replication", FUNCTION + ":a:b"])
def test_what_is_no_address_is_refused(stack: cdk.Stack, token: str) -> None:
    with pytest.raises(
        ValueError, match=r"App/Elsewhere: service_token is '.*': give the ARN of a Lambda function or of"
    ):
        ReplicationProvider.from_service_token(stack, "Elsewhere", token)


@pytest.mark.parametrize("service", ["lambda", "sns"])
def test_cloudformation_calls_nothing_in_another_region(stack: cdk.Stack, service: str) -> None:
    token = FUNCTION if service == "lambda" else f"arn:aws:sns:us-west-2:{ACCOUNT}:replication"
    with pytest.raises(ValueError, match="is in eu-west-3, and the stack in us-west-2: CloudFormation calls only"):
        ReplicationProvider.from_service_token(stack, "Elsewhere", token.replace("us-west-2", "eu-west-3"))


def test_in_a_stack_of_any_region_it_cannot_be_known() -> None:
    agnostic = cdk.Stack(cdk.App(), "Agnostic")
    assert ReplicationProvider.from_service_token(agnostic, "Elsewhere", FUNCTION).service_token == FUNCTION


def test_a_role_that_may_not_be_changed_is_not(stack: cdk.Stack) -> None:
    role = iam.Role.from_role_arn(stack, "Role", f"arn:aws:iam::{ACCOUNT}:role/function", mutable=False)
    ReplicationProvider.get_or_create(stack, role=role)
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    Template.from_stack(stack).resource_count_is("AWS::IAM::ManagedPolicy", 0)


def test_a_role_of_another_account_is_refused(stack: cdk.Stack) -> None:
    role = iam.Role.from_role_arn(stack, "Role", "arn:aws:iam::999999999999:role/function")
    with pytest.raises(ValueError, match="role is of account 999999999999, and the function of 000000000000: give a"):
        ReplicationProvider.get_or_create(stack, role=role)


def test_a_prop_that_is_none_is_named_with_those_that_are(stack: cdk.Stack) -> None:
    ReplicationProvider.get_or_create(stack)
    with pytest.raises(TypeError, match="App: there is no prop 'memory': the props are memory_size, vpc, "):
        ReplicationProvider.get_or_create(stack, memory=512)  # type: ignore[call-arg]


def test_a_service_token_that_is_no_text_is_refused(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="service_token is None: give the ARN"):
        ReplicationProvider.from_service_token(stack, "Provider", None)  # type: ignore[arg-type]

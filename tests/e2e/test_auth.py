"""The construct on local AWS with IAM enforced: the function has the permissions of its role, and no others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import boto3
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm

from cdk_replicated_secret import ReplicaRegion, ReplicaRemovalPolicy, ReplicatedSecret
from local.server import ACCOUNT, REGION
from tests.helpers.target import Target, target

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("auth")]
PARIS, VIRGINIA = "eu-west-3", "us-east-1"


@pytest.fixture(scope="module")
def aws(pytestconfig: pytest.Config) -> Iterator[Target]:
    with target(pytestconfig, auth=True) as started:
        yield started


@pytest.fixture(scope="module")
def deploy(aws: Target, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Callable[[cdk.Stack], Any]], None]:
    """Deploys a stack that a function builds."""
    command = aws.cdk(tmp_path_factory.mktemp("cli"))

    def deployed(build: Callable[[cdk.Stack], Any]) -> None:
        folder: Path = tmp_path_factory.mktemp("assembly")
        app = cdk.App(outdir=str(folder))
        build(cdk.Stack(app, aws.stack_name("App"), env=cdk.Environment(account=aws.account, region=aws.region)))
        app.synth()
        command.run("deploy", "--all", "--app", str(folder), "--require-approval", "never")

    return deployed


def replicas(aws: Target, name: str) -> list[str]:
    """The Regions in which the secret is InSync, by the primary; with what is left of tags of ours."""
    described = aws.client("secretsmanager").describe_secret(SecretId=name)
    tags = [tag["Key"] for tag in described.get("Tags", []) if tag["Key"].startswith("cdk-replicated-secret:")]
    listed = [e["Region"] for e in described.get("ReplicationStatus", []) if e["Status"] == "InSync"]
    assert sorted(tags) == [f"cdk-replicated-secret:{region}" for region in sorted(listed)]
    return sorted(listed)


def exists(aws: Target, name: str, region: str) -> bool:
    client = aws.client("secretsmanager", region)
    return any(found["Name"] == name for found in client.list_secrets()["SecretList"])


def events(aws: Target) -> list[str]:
    """What failed in the stack, clean-ups included."""
    told = aws.client("cloudformation").describe_stack_events(StackName=aws.stack_name("App"))["StackEvents"]
    return [event["ResourceStatusReason"] for event in told if event["ResourceStatus"].endswith("FAILED")]


@pytest.mark.live
def test_the_permissions_last_for_as_long_as_they_are_needed(
    aws: Target, deploy: Callable[[Callable[[cdk.Stack], Any]], None]
) -> None:
    """A Region is dropped, a secret is replaced by another, a whole replicated secret is taken out, one is promoted."""
    paris, virginia, _ = aws.replicas
    secrets = aws.client("secretsmanager")
    one, two, three, four = (aws.secret_name(name) for name in ("one", "two", "three", "four"))
    arns = {name: str(secrets.create_secret(Name=name, SecretString=name)["ARN"]) for name in (one, two, three, four)}

    def named(stack: cdk.Stack, logical_id: str, secret: sm.ISecret, *regions: str, **more: Any) -> None:
        ReplicatedSecret(stack, logical_id, secret=secret, regions=list(regions), **more)

    def first(stack: cdk.Stack) -> None:
        named(stack, "A", sm.Secret.from_secret_name_v2(stack, "One", one), paris, virginia)
        named(stack, "B", sm.Secret.from_secret_complete_arn(stack, "Two", arns[two]), paris)
        named(stack, "C", sm.Secret.from_secret_partial_arn(stack, "Three", arns[three][:-7]), virginia)
        ReplicatedSecret(stack, "Own", regions=[paris, virginia])
        promote = ReplicaRemovalPolicy.PROMOTE
        named(stack, "D", sm.Secret.from_secret_name_v2(stack, "Four", four), paris, replica_removal_policy=promote)

    def second(stack: cdk.Stack) -> None:
        named(stack, "A", sm.Secret.from_secret_name_v2(stack, "One", one), paris)
        named(stack, "B", sm.Secret.from_secret_partial_arn(stack, "Three", arns[three][:-7]), paris)
        ReplicatedSecret(stack, "Own", regions=[paris])

    deploy(first)
    assert [replicas(aws, name) for name in arns] == [[paris, virginia], [paris], [virginia], [paris]]
    deploy(second)
    assert [replicas(aws, name) for name in arns] == [[paris], [], [paris], []]
    assert (exists(aws, one, virginia), exists(aws, two, paris), exists(aws, four, paris)) == (False, False, True)
    assert events(aws) == []

    delete(aws)
    assert [replicas(aws, name) for name in arns] == [[], [], [], []]
    assert not any(exists(aws, name, paris) for name in (one, two, three))


@pytest.mark.live
def test_a_replica_is_given_another_key_and_another_resource_and_is_retained(
    aws: Target, deploy: Callable[[Callable[[cdk.Stack], Any]], None]
) -> None:
    paris, *_ = aws.replicas
    name = aws.secret_name("moved")
    arn = aws.client("secretsmanager").create_secret(Name=name, SecretString="value")["ARN"]
    key = aws.client("kms", paris).create_key()["KeyMetadata"]["Arn"]

    def declared(logical_id: str, region: str | ReplicaRegion, **more: Any) -> Callable[[cdk.Stack], Any]:
        return lambda stack: ReplicatedSecret(
            stack,
            logical_id,
            secret=sm.Secret.from_secret_complete_arn(stack, "Existing", arn),
            regions=[region],
            **more,
        )

    def with_key(stack: cdk.Stack) -> ReplicaRegion:
        return ReplicaRegion(paris, encryption_key=kms.Key.from_key_arn(stack, "InParis", key))

    deploy(declared("A", paris))
    assert replicas(aws, name) == [paris]
    deploy(lambda stack: declared("A", with_key(stack))(stack))
    (entry,) = aws.client("secretsmanager").describe_secret(SecretId=name)["ReplicationStatus"]
    assert (entry["Status"], entry["KmsKeyId"]) == ("InSync", key)
    made = created(aws, arn, paris)
    retain = ReplicaRemovalPolicy.RETAIN
    deploy(lambda stack: declared("B", with_key(stack), replica_removal_policy=retain)(stack))
    assert replicas(aws, name) == [paris]
    delete(aws)
    (entry,) = aws.client("secretsmanager").describe_secret(SecretId=name)["ReplicationStatus"]
    assert entry["Status"] == "InSync"
    assert created(aws, arn, paris) == made, "the same replica"


def created(aws: Target, arn: str, region: str) -> Any:
    replica = arn.replace(f":{aws.region}:", f":{region}:")
    return aws.client("secretsmanager", region).describe_secret(SecretId=replica)["CreatedDate"]


def delete(aws: Target) -> None:
    stacks, stack = aws.client("cloudformation"), aws.stack_name("App")
    stacks.delete_stack(StackName=stack)
    stacks.get_waiter("stack_delete_complete").wait(StackName=stack, WaiterConfig={"Delay": 1, "MaxAttempts": 600})


def test_customer_keys_on_both_sides_are_used_with_the_permissions_of_the_role(
    aws: Target, deploy: Callable[[Callable[[cdk.Stack], Any]], None]
) -> None:
    key_in_paris = aws.client("kms", PARIS).create_key()["KeyMetadata"]["Arn"]

    def with_keys(stack: cdk.Stack) -> None:
        secret = sm.Secret(stack, "Secret", secret_name="with-keys", encryption_key=kms.Key(stack, "Key"))
        regions = [ReplicaRegion(PARIS, encryption_key=kms.Key.from_key_arn(stack, "InParis", key_in_paris))]
        ReplicatedSecret(stack, "Replicated", secret=secret, regions=regions)

    deploy(with_keys)
    assert replicas(aws, "with-keys") == [PARIS]
    (entry,) = aws.client("secretsmanager").describe_secret(SecretId="with-keys")["ReplicationStatus"]
    assert entry["KmsKeyId"] == key_in_paris


@pytest.mark.live
def test_an_existing_secret_with_a_customer_key_is_replicated_without_naming_the_key(
    aws: Target, deploy: Callable[[Callable[[cdk.Stack], Any]], None]
) -> None:
    paris, *_ = aws.replicas
    name = aws.secret_name("with-a-key")
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    aws.client("secretsmanager").create_secret(Name=name, SecretString="value", KmsKeyId=key)

    def by_name(stack: cdk.Stack) -> None:
        secret = sm.Secret.from_secret_name_v2(stack, "Existing", name)
        ReplicatedSecret(stack, "Replicated", secret=secret, regions=[paris])

    deploy(by_name)
    assert replicas(aws, name) == [paris]


def client_of(aws: Target, user: str, service: str, statements: Sequence[object]) -> Any:
    """A new user's client: it may do what the statements allow."""
    iam = aws.client("iam")
    iam.create_user(UserName=user)
    document = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_user_policy(UserName=user, PolicyName="Policy", PolicyDocument=document)
    made = iam.create_access_key(UserName=user)["AccessKey"]
    return boto3.client(
        service,
        region_name=REGION,
        endpoint_url=aws.endpoint,
        aws_access_key_id=made["AccessKeyId"],
        aws_secret_access_key=made["SecretAccessKey"],
    )


def test_local_aws_checks_each_of_many_ssm_parameters(aws: Target) -> None:
    """The CDK's functions that pass values to another Region name several in one call."""
    own = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/own/*"
    allow = {"Effect": "Allow", "Action": ["ssm:GetParameters", "ssm:DeleteParameters"], "Resource": own}
    client = client_of(aws, "own-parameters", "ssm", [allow])
    names = ["/own/one", "/own/two", "/another"]
    for name in names:
        aws.client("ssm").put_parameter(Name=name, Value="value", Type="String")
    for call in (client.get_parameters, client.delete_parameters):
        with pytest.raises(client.exceptions.ClientError, match=r"AccessDeniedException.*parameter/another"):
            call(Names=names)
    assert [found["Name"] for found in client.get_parameters(Names=names[:2])["Parameters"]] == names[:2]
    assert client.delete_parameters(Names=names[:2])["DeletedParameters"] == names[:2]


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ({"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}, True),
        ({"kms:ViaService": f"secretsmanager.{PARIS}.amazonaws.com"}, False),
        ({"kms:EncryptionContext:SecretARN": "its own"}, True),
        ({"kms:EncryptionContext:SecretARN": "another"}, False),
    ],
)
def test_local_aws_enforces_the_conditions_on_decrypting(
    aws: Target, condition: dict[str, str], allowed: bool, request: pytest.FixtureRequest
) -> None:
    key = aws.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = f"condition-{request.node.callspec.indices['condition']}"
    arn = aws.client("secretsmanager").create_secret(Name=name, SecretString="value", KmsKeyId=key)["ARN"]
    ((condition_key, value),) = condition.items()
    value = {"its own": arn, "another": f"{arn[:-7]}-AbCdEf"}.get(value, value)
    statements = [
        {"Effect": "Allow", "Action": "secretsmanager:*", "Resource": "*"},
        {
            "Effect": "Allow",
            "Action": "kms:Decrypt",
            "Resource": "*",
            "Condition": {"StringEquals": {condition_key: value}},
        },
    ]
    client = client_of(aws, name, "secretsmanager", statements)
    client.replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": PARIS}])
    status = "InProgress"
    while status == "InProgress":
        (entry,) = aws.client("secretsmanager").describe_secret(SecretId=arn)["ReplicationStatus"]
        status = entry["Status"]
    assert status == ("InSync" if allowed else "Failed")


def test_a_hundred_in_one_stack(aws: Target, deploy: Callable[[Callable[[cdk.Stack], Any]], None]) -> None:
    def hundred(stack: cdk.Stack) -> None:
        for number in range(100):
            ReplicatedSecret(stack, f"Replicated{number}", regions=[PARIS])

    deploy(hundred)
    secrets = aws.client("secretsmanager").get_paginator("list_secrets").paginate()
    names = [found["Name"] for page in secrets for found in page["SecretList"]]
    made = [name for name in names if name.startswith("App-Replicated")]
    assert len(made) == 100
    assert all(replicas(aws, name) == [PARIS] for name in made)

"""The construct: what it synthesizes, and what it rejects."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.assertions import Match, Template
from constructs import Construct

from cdk_replicated_secret import ReplicaRegion, ReplicaRemovalPolicy, ReplicatedSecret, ReplicationProvider

ACCOUNT = "000000000000"
ARN = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:app/database-AbCdEf"


@pytest.fixture
def stack() -> cdk.Stack:
    return cdk.Stack(cdk.App(), "App", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))


def resources(stack: cdk.Stack, kind: str) -> dict[str, Any]:
    return dict(Template.from_stack(stack).find_resources(kind))


def test_the_resource_has_the_properties_of_the_contract(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_complete_arn(stack, "Imported", ARN)
    ReplicatedSecret(
        stack,
        "Database",
        secret=secret,
        regions=["us-east-1", ReplicaRegion("eu-west-3", encryption_key="alias/app")],
        force_overwrite=True,
        replica_removal_policy=ReplicaRemovalPolicy.PROMOTE,
        service_timeout=cdk.Duration.minutes(5),
    )
    (resource,) = resources(stack, "Custom::ReplicatedSecret").values()
    token = resource["Properties"].pop("ServiceToken")
    assert list(token) == ["Fn::GetAtt"]
    assert resource["Properties"] == {
        "SecretId": ARN,
        "ReplicaRegions": ["us-east-1", {"Region": "eu-west-3", "KmsKeyId": "alias/app"}],
        "ForceOverwriteReplicaSecret": True,
        "ReplicaRemovalPolicy": "Promote",
        "ServiceTimeout": "300",
    }


def test_without_a_secret_it_creates_one(stack: cdk.Stack) -> None:
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    (logical_id,) = resources(stack, "AWS::SecretsManager::Secret")
    (resource,) = resources(stack, "Custom::ReplicatedSecret").values()
    assert resource["Properties"]["SecretId"] == {"Ref": logical_id}
    assert stack.resolve(replicated.secret.secret_arn) == {"Ref": logical_id}


def test_the_function_runs_the_bundle(stack: cdk.Stack) -> None:
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Handler": "secret_replication.main.handler",
            "Runtime": "python3.13",
            "Architectures": ["arm64"],
            "Timeout": 900,
            "LoggingConfig": {"LogGroup": Match.any_value()},
        },
    )
    Template.from_stack(stack).has_resource_properties(
        "AWS::Lambda::EventInvokeConfig", {"MaximumEventAgeInSeconds": 3600}
    )


def test_each_stack_has_one_function_with_a_stable_logical_id(stack: cdk.Stack) -> None:
    for name in ("One", "Two"):
        ReplicatedSecret(stack, name, regions=["eu-west-3"])
    assert ReplicationProvider.get_or_create(stack) is ReplicationProvider.get_or_create(stack)
    assert list(resources(stack, "AWS::Lambda::Function")) == ["ReplicatedSecretProviderHandler8D33F5B0"]


def test_a_secret_imported_by_name_is_addressed_by_its_name(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_name_v2(stack, "Imported", "app/database")
    ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"])
    (resource,) = resources(stack, "Custom::ReplicatedSecret").values()
    assert resource["Properties"]["SecretId"] == "app/database"


def test_outputs_and_attributes(stack: cdk.Stack) -> None:
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    replicated.add_outputs()
    outputs = Template.from_stack(stack).find_outputs("*")
    assert set(outputs) == {"DatabaseArn", "DatabaseReplicationStatus", "DatabaseStatusEuWest3"}
    (resource,) = resources(stack, "Custom::ReplicatedSecret")
    assert outputs["DatabaseStatusEuWest3"]["Value"] == {"Fn::GetAtt": [resource, "Status.eu-west-3"]}
    arn = json.dumps(stack.resolve(replicated.replica_arn("eu-west-3")))
    assert ":eu-west-3:" in arn
    with pytest.raises(ValueError, match="App/Database is not replicated to sa-east-1: its Regions are eu-west-3"):
        replicated.status("sa-east-1")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"regions": "eu-west-3"}, r"regions is 'eu-west-3': expected a list"),
        ({"regions": None}, "regions is None: expected a list"),
        ({"regions": [True]}, "regions contains True: expected Region names"),
        ({"regions": ["eu-west-3"], "replica_removal_policy": "Retain"}, "expected a ReplicaRemovalPolicy"),
        ({"regions": ["eu-west-3"], "force_overwrite": "false"}, "expected True or False"),
        (
            {"regions": [ReplicaRegion("eu-west-3", encryption_key="arn:aws:kms:us-east-1:000000000000:key/1")]},
            "the encryption_key for eu-west-3 is in us-east-1",
        ),
        ({"regions": ["Europe"]}, "'Europe', which is not a Region name"),
        ({"regions": ["eu-west-3", ReplicaRegion("eu-west-3")]}, "eu-west-3 twice"),
        ({"regions": ["us-west-2"]}, "'us-west-2', which is the primary's own Region"),
        ({"regions": ["eu-west-3"], "service_timeout": cdk.Duration.seconds(5)}, "service_timeout is 5 s"),
        ({"regions": ["eu-west-3"], "service_timeout": cdk.Duration.hours(2)}, "service_timeout is 7200 s"),
        ({"regions": ["eu-west-3"], "service_timeout": cdk.Duration.millis(500)}, "service_timeout is 0.5 s"),
    ],
)
def test_invalid_arguments_are_rejected_at_synthesis(stack: cdk.Stack, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        ReplicatedSecret(stack, "Database", **arguments)


def test_a_replica_declared_twice_in_one_app_fails_synthesis(stack: cdk.Stack) -> None:
    secret = sm.Secret(stack, "Mine")
    ReplicatedSecret(stack, "One", secret=secret, regions=["eu-west-3"])
    ReplicatedSecret(stack, "Two", secret=secret, regions=["us-east-1"])
    ReplicatedSecret(stack, "Three", secret=secret, regions=["us-east-1"])
    app: Any = stack.node.root
    message = r"\[App/Three\] App/Two already replicates App/Mine to us-east-1: declare each replica once"
    with pytest.raises(RuntimeError, match=message) as raised:
        app.synth()
    assert str(raised.value).count("declare each replica once") == 1


def test_replicated_secrets_may_depend_on_each_other_and_share_a_provider(stack: cdk.Stack) -> None:
    app: Any = stack.node.root
    first = ReplicatedSecret(stack, "First", regions=["eu-west-3"])
    second = ReplicatedSecret(stack, "Second", regions=["eu-west-3"])
    second.node.add_dependency(first)
    other = cdk.Stack(app, "Other", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))
    ReplicatedSecret(other, "Third", regions=["eu-west-3"], provider=ReplicationProvider.get_or_create(stack))
    Template.from_stack(other)
    (function,) = resources(stack, "AWS::Lambda::Function").values()
    assert "Secret" not in "".join(function["DependsOn"]).replace("ReplicatedSecretProvider", "")
    Template.from_stack(stack).resource_count_is("AWS::Lambda::Function", 1)


def test_the_main_resource_is_called_resource(stack: cdk.Stack) -> None:
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    assert replicated.node.default_child is replicated.node.find_child("Resource")
    (logical_id,) = resources(stack, "Custom::ReplicatedSecret")
    assert logical_id == "DatabaseB269D8BB"


def test_the_cdks_own_replica_region_is_accepted(stack: cdk.Stack) -> None:
    key = kms.Key.from_key_arn(stack, "Key", f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/1234")
    regions = [sm.ReplicaRegion(region="eu-west-3", encryption_key=key), sm.ReplicaRegion(region="us-east-1")]
    ReplicatedSecret(stack, "Database", regions=regions)
    (resource,) = resources(stack, "Custom::ReplicatedSecret").values()
    assert resource["Properties"]["ReplicaRegions"] == [
        {"Region": "eu-west-3", "KmsKeyId": key.key_arn},
        "us-east-1",
    ]


def test_outputs_of_constructs_with_the_same_id_differ(stack: cdk.Stack) -> None:
    for place in ("One", "Two"):
        ReplicatedSecret(Construct(stack, place), "Inner", regions=["eu-west-3"]).add_outputs()
    assert {"OneInnerArn", "TwoInnerArn"} <= set(Template.from_stack(stack).find_outputs("*"))


@pytest.mark.parametrize("how", ["new", "imported with a key"])
def test_a_key_beside_a_secret_whose_key_is_known_is_rejected(stack: cdk.Stack, how: str) -> None:
    key = kms.Key(stack, "Key")
    secret: sm.ISecret = sm.Secret(stack, "New")
    if how != "new":
        secret = sm.Secret.from_secret_attributes(stack, "Imported", secret_complete_arn=ARN, encryption_key=key)
    with pytest.raises(ValueError, match=r"whose key is not known, but the key of App/\w+ is known: omit"):
        ReplicatedSecret(stack, "Database", secret=secret, encryption_key=key, regions=["eu-west-3"])


def test_tokens_are_not_checked() -> None:
    agnostic = cdk.Stack(cdk.App(), "Agnostic")
    region = cdk.CfnParameter(agnostic, "Region").value_as_string
    replicated = ReplicatedSecret(agnostic, "Database", regions=[region, "eu-west-3"])
    replicated.add_outputs()
    Template.from_stack(agnostic).has_resource_properties(
        "Custom::ReplicatedSecret", {"ReplicaRegions": [{"Ref": "Region"}, "eu-west-3"]}
    )

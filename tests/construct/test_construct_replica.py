"""A replica as a secret: for the stacks in its Region, and for readers in the primary's stack."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.assertions import Template

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret
from tests.helpers.cdk_stacks import ACCOUNT, reader, stack_in

ARN = f"arn:aws:secretsmanager:us-west-2:{ACCOUNT}:secret:app/database-AbCdEf"
IN_PARIS = ARN.replace("us-west-2", "eu-west-3")
KEY = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
EVERY_KEY = f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/*"


@pytest.fixture
def app() -> cdk.App:
    return cdk.App()


@pytest.fixture
def primary(app: cdk.App) -> cdk.Stack:
    return stack_in("us-west-2", app)


@pytest.fixture
def paris(app: cdk.App) -> cdk.Stack:
    return stack_in("eu-west-3", app)


def imported(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret.from_secret_complete_arn(stack, "Imported", ARN)


def named(stack: cdk.Stack) -> sm.ISecret:
    return sm.Secret.from_secret_name_v2(stack, "Named", "app/database")


def plain(value: object) -> object:
    """The partition and the URL suffix that AWS has outside China."""
    if isinstance(value, dict):
        if value.keys() == {"Fn::Join"} and all(
            isinstance(part, str) or part.get("Ref") in ("AWS::Partition", "AWS::URLSuffix")
            for part in value["Fn::Join"][1]
        ):
            known = {"AWS::Partition": "aws", "AWS::URLSuffix": "amazonaws.com"}
            return "".join(part if isinstance(part, str) else known[part["Ref"]] for part in value["Fn::Join"][1])
        return {name: plain(inner) for name, inner in value.items()}
    return [plain(inner) for inner in value] if isinstance(value, list) else value


def permissions(role: iam.Role) -> list[dict[str, Any]]:
    stack = cdk.Stack.of(role)
    policies = Template.from_stack(stack).find_resources("AWS::IAM::Policy").values()
    found: list[dict[str, Any]] = []
    for policy in policies:
        if policy["Properties"]["Roles"] == [stack.resolve(role.role_name)]:
            statements: Any = plain(policy["Properties"]["PolicyDocument"]["Statement"])
            found += statements
    return found


def of(action: str, role: iam.Role) -> list[dict[str, Any]]:
    return [statement for statement in permissions(role) if action in statement["Action"]]


def readable(role: iam.Role) -> list[Any]:
    return [statement["Resource"] for statement in of("secretsmanager:GetSecretValue", role)]


def test_a_primary_with_a_complete_arn_has_replicas_with_literal_arns(primary: cdk.Stack, paris: cdk.Stack) -> None:
    replica = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=["eu-west-3"]).replica(
        "eu-west-3"
    )
    role = reader(paris)
    assert replica.grant_read(role).success
    assert (replica.secret_arn, replica.secret_full_arn, replica.secret_name) == (IN_PARIS, IN_PARIS, "app/database")
    assert (replica.env.region, replica.env.account) == ("eu-west-3", ACCOUNT)
    assert readable(role) == [IN_PARIS]


def test_a_name_makes_a_partial_arn_and_no_reference_to_the_primarys_stack(
    primary: cdk.Stack, paris: cdk.Stack
) -> None:
    replica = ReplicatedSecret(primary, "Database", secret=named(primary), regions=["eu-west-3"]).replica("eu-west-3")
    role = reader(paris)
    replica.grant_read(role)
    assert plain(paris.resolve(replica.secret_arn)) == IN_PARIS.removesuffix("-AbCdEf")
    assert replica.secret_full_arn is None
    assert readable(role) == [IN_PARIS.replace("AbCdEf", "??????")]


def test_the_name_of_a_new_secret_makes_a_partial_arn_too(primary: cdk.Stack, paris: cdk.Stack) -> None:
    secret = sm.Secret(primary, "Mine", secret_name="app/mine")
    replica = ReplicatedSecret(primary, "Database", secret=secret, regions=["eu-west-3"]).replica("eu-west-3")
    assert str(plain(paris.resolve(replica.secret_arn))).endswith(":secret:app/mine")


@pytest.mark.parametrize("is_new", [True, False])
def test_a_name_that_ends_like_a_suffix_makes_no_partial_arn(primary: cdk.Stack, is_new: bool) -> None:
    """Secrets Manager would take it for a complete one, of another secret."""
    name = "app/my-secret"
    secret = (
        sm.Secret(primary, "Mine", secret_name=name) if is_new else sm.Secret.from_secret_name_v2(primary, "Mine", name)
    )
    replicated = ReplicatedSecret(primary, "Database", secret=secret, regions=["eu-west-3"])
    replica = replicated.replica("eu-west-3")
    assert primary.resolve(replica.secret_arn) == primary.resolve(replicated.replica_arn("eu-west-3"))
    assert replica.secret_full_arn == replica.secret_arn
    assert replica.secret_name == name


def test_a_generated_name_is_a_reference_across_regions(app: cdk.App) -> None:
    primary, paris = (stack_in(region, app, cross_region_references=True) for region in ("us-west-2", "eu-west-3"))
    replica = ReplicatedSecret(primary, "Database", regions=["eu-west-3"]).replica("eu-west-3")
    role = reader(paris)
    replica.grant_read(role)
    app.synth()
    assert "Custom::CrossRegionExportWriter" in json.dumps(Template.from_stack(primary).to_json())
    assert "Custom::CrossRegionExportReader" in json.dumps(Template.from_stack(paris).to_json())
    assert ":eu-west-3:" in json.dumps(readable(role))


def test_a_cross_region_reference_needs_explicit_regions(app: cdk.App, paris: cdk.Stack) -> None:
    replica = ReplicatedSecret(cdk.Stack(app, "Agnostic"), "Database", regions=["eu-west-3"]).replica("eu-west-3")
    with pytest.raises(ValueError, match="set cross_region_references=True in both stacks, each with its Region"):
        replica.grant_read(reader(paris))


def test_the_same_region_is_the_same_secret(primary: cdk.Stack) -> None:
    replicated = ReplicatedSecret(primary, "Database", regions=["eu-west-3", "us-east-1"])
    assert replicated.replica("eu-west-3") is replicated.replica("eu-west-3")
    assert replicated.replica("eu-west-3") is not replicated.replica("us-east-1")


def test_a_region_that_is_not_declared_has_no_replica(primary: cdk.Stack) -> None:
    replicated = ReplicatedSecret(primary, "Database", regions=["eu-west-3", "us-east-1"])
    with pytest.raises(
        ValueError, match="us-west-2/Database is not replicated to sa-east-1: its Regions are eu-west-3, u"
    ):
        replicated.replica("sa-east-1")


def test_ecs_takes_it_and_may_read_it(primary: cdk.Stack, paris: cdk.Stack) -> None:
    replicated = ReplicatedSecret(
        primary, "Database", secret=imported(primary), regions=[ReplicaRegion("eu-west-3", encryption_key=KEY)]
    )
    task = ecs.FargateTaskDefinition(paris, "Task")
    task.add_container(
        "App",
        image=ecs.ContainerImage.from_registry("app"),
        secrets={"PASSWORD": ecs.Secret.from_secrets_manager(replicated.replica("eu-west-3"), "password")},
    )
    (definition,) = Template.from_stack(paris).find_resources("AWS::ECS::TaskDefinition").values()
    (container,) = definition["Properties"]["ContainerDefinitions"]
    assert container["Secrets"] == [{"Name": "PASSWORD", "ValueFrom": f"{IN_PARIS}:password::"}]
    (policy,) = Template.from_stack(paris).find_resources("AWS::IAM::Policy").values()
    assert [s["Resource"] for s in policy["Properties"]["PolicyDocument"]["Statement"]] == [IN_PARIS, KEY]


def test_a_lambda_function_has_it_in_its_environment(primary: cdk.Stack, paris: cdk.Stack) -> None:
    replica = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=["eu-west-3"]).replica(
        "eu-west-3"
    )
    lambda_.Function(
        paris,
        "Function",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
        environment={
            "SECRET": replica.secret_arn,
            "PASSWORD": replica.secret_value_from_json("password").unsafe_unwrap(),
        },
    )
    Template.from_stack(paris).has_resource_properties(
        "AWS::Lambda::Function",
        {
            "Environment": {
                "Variables": {
                    "SECRET": IN_PARIS,
                    "PASSWORD": "{{resolve:secretsmanager:" + IN_PARIS + ":SecretString:password::}}",
                }
            }
        },
    )


@pytest.mark.parametrize(
    ("key", "resource", "alias"),
    [
        (KEY, KEY, None),
        (KEY.rpartition("/")[2], KEY, None),
        ("alias/app", EVERY_KEY, "alias/app"),
        (KEY.replace("key/1234abcd-12ab-34cd-56ef-1234567890ab", "alias/app"), EVERY_KEY, "alias/app"),
    ],
)
def test_a_key_in_any_form_is_used_through_secrets_manager_in_its_region(
    primary: cdk.Stack, paris: cdk.Stack, key: str, resource: str, alias: str | None
) -> None:
    regions = [ReplicaRegion("eu-west-3", encryption_key=key)]
    replica = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=regions).replica("eu-west-3")
    role = reader(paris)
    replica.grant_read(role)
    (decrypt,) = of("kms:Decrypt", role)
    assert decrypt["Resource"] == resource
    assert decrypt["Condition"].pop("StringEquals") == {"kms:ViaService": ["secretsmanager.eu-west-3.amazonaws.com"]}
    assert decrypt["Condition"] == ({"ForAnyValue:StringEquals": {"kms:ResourceAliases": alias}} if alias else {})
    assert replica.encryption_key is not None
    assert ":eu-west-3:" in str(paris.resolve(replica.encryption_key.key_arn))


@pytest.mark.parametrize("key", [None, "", "alias/aws/secretsmanager"])
def test_the_default_key_needs_no_permission(primary: cdk.Stack, paris: cdk.Stack, key: str | None) -> None:
    regions = [ReplicaRegion("eu-west-3", encryption_key=key)]
    replica = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=regions).replica("eu-west-3")
    role = reader(paris)
    replica.grant_read(role)
    assert replica.encryption_key is None
    assert not of("kms:Decrypt", role)


def test_a_key_of_the_readers_stack_is_referred_to(app: cdk.App) -> None:
    primary, paris = (stack_in(region, app, cross_region_references=True) for region in ("us-west-2", "eu-west-3"))
    key = kms.Key(paris, "Key")
    regions = [ReplicaRegion("eu-west-3", encryption_key=key)]
    replica = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=regions).replica("eu-west-3")
    role = reader(paris)
    replica.grant_read(role)
    assert replica.encryption_key is key
    assert of("kms:Decrypt", role)[0]["Resource"] == paris.resolve(key.key_arn)


def test_only_some_version_stages(primary: cdk.Stack, paris: cdk.Stack) -> None:
    replica = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=["eu-west-3"]).replica(
        "eu-west-3"
    )
    role = reader(paris)
    replica.grant_read(role, ["AWSCURRENT"])
    assert permissions(role)[0]["Condition"] == {
        "ForAnyValue:StringEquals": {"secretsmanager:VersionStage": ["AWSCURRENT"]}
    }


def test_a_replica_can_only_be_read(primary: cdk.Stack) -> None:
    replica = ReplicatedSecret(primary, "Database", regions=["eu-west-3"]).replica("eu-west-3")
    for write in (
        lambda: replica.grant_write(reader(primary)),
        lambda: replica.add_rotation_schedule("Rotation"),
        replica.deny_account_root_delete,
    ):
        with pytest.raises(ValueError, match=r"us-west-2/Database/Replica.* is a replica, which can only be read"):
            write()


def test_one_grant_is_for_the_primary_and_all_replicas_with_exact_arns(primary: cdk.Stack) -> None:
    replicated = ReplicatedSecret(primary, "Database", regions=["eu-west-3", "us-east-1"])
    role = reader(primary)
    grant = replicated.grant_read(role)
    assert grant.success
    assert len(grant.principal_statements) == 3
    first, *others = readable(role)
    assert first == primary.resolve(replicated.secret.secret_arn)
    assert others == [primary.resolve(replicated.replica_arn(region)) for region in ("eu-west-3", "us-east-1")]


def test_the_replicas_of_a_named_secret_are_exact_in_the_primarys_stack(primary: cdk.Stack) -> None:
    replicated = ReplicatedSecret(primary, "Database", secret=named(primary), regions=["eu-west-3"])
    role = reader(primary)
    replicated.grant_read(role)
    assert readable(role)[1] == primary.resolve(replicated.replica_arn("eu-west-3"))


def test_one_grant_covers_all_keys(primary: cdk.Stack) -> None:
    primary_key = kms.Key.from_key_arn(primary, "Key", KEY.replace("eu-west-3", "us-west-2"))
    replicated = ReplicatedSecret(
        primary,
        "Database",
        encryption_key=primary_key,
        regions=[ReplicaRegion("eu-west-3", encryption_key=KEY), "us-east-1"],
    )
    role = reader(primary)
    replicated.grant_read(role)
    assert [(s["Resource"], s["Condition"]["StringEquals"]["kms:ViaService"]) for s in of("kms:Decrypt", role)] == [
        (KEY.replace("eu-west-3", "us-west-2"), ["secretsmanager.us-west-2.amazonaws.com"]),
        (KEY, ["secretsmanager.eu-west-3.amazonaws.com"]),
    ]


def test_regions_limit_the_grant(primary: cdk.Stack) -> None:
    replicated = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=["eu-west-3", "us-east-1"])
    role = reader(primary)
    replicated.grant_read(role, regions=["eu-west-3"])
    assert readable(role) == [ARN, IN_PARIS]


def test_a_grant_with_an_undeclared_region_is_rejected_as_a_whole(primary: cdk.Stack) -> None:
    replicated = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=["eu-west-3", "us-east-1"])
    role = reader(primary)
    with pytest.raises(ValueError, match="is not replicated to sa-east-1: its Regions are eu-west-3, us-east-1"):
        replicated.grant_read(role, regions=["eu-west-3", "sa-east-1"])
    assert not permissions(role)
    with pytest.raises(TypeError, match=r"regions is 'eu-west-3': expected a list"):
        replicated.grant_read(role, regions="eu-west-3")


def test_with_a_list_token_a_grant_has_to_name_the_regions(primary: cdk.Stack) -> None:
    parameter = cdk.CfnParameter(primary, "Regions", type="CommaDelimitedList")
    replicated = ReplicatedSecret(primary, "Database", secret=imported(primary), regions=parameter.value_as_list)
    role = reader(primary)
    with pytest.raises(ValueError, match=r"us-west-2/Database: its Regions are known only at deployment: name those"):
        replicated.grant_read(role)
    replicated.grant_read(role, regions=["eu-west-3"])
    assert readable(role) == [ARN, IN_PARIS]
    assert replicated.replica("eu-west-3").secret_arn == IN_PARIS

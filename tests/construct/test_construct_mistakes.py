"""First mistakes: each fails at synthesis, or warns, in this package's own words, with the value and what to write."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as sm
from aws_cdk import aws_ssm as ssm
from aws_cdk.assertions import Annotations, Match, Template

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret, ReplicationProvider
from tests.helpers.cdk_stacks import ACCOUNT, reader, stack_in


@pytest.fixture
def app() -> cdk.App:
    return cdk.App()


@pytest.fixture
def stack(app: cdk.App) -> cdk.Stack:
    return stack_in("us-west-2", app)


@pytest.fixture
def paris(app: cdk.App) -> cdk.Stack:
    return stack_in("eu-west-3", app)


def imported_instance(stack: cdk.Stack) -> rds.IDatabaseInstance:
    return rds.DatabaseInstance.from_database_instance_attributes(
        stack, "Db", instance_identifier="db", instance_endpoint_address="db", port=3306, security_groups=[]
    )


@pytest.mark.parametrize(
    ("region", "nearest"),
    [("eu-wset-3", "eu-west-3"), ("us-esat-1", "us-east-1"), ("ap-norteast-1", "ap-northeast-1"), ("xx-1", None)],
)
def test_a_region_that_the_cdk_does_not_know_warns_with_the_nearest(
    stack: cdk.Stack, region: str, nearest: str | None
) -> None:
    ReplicatedSecret(stack, "Database", regions=["eu-west-3", region])
    message = f"regions contains '{region}', which this version of aws-cdk-lib does not know"
    meant = f": did you mean '{nearest}'\\?" if nearest else ""
    Annotations.from_stack(stack).has_warning("/us-west-2/Database", Match.string_like_regexp(f"{message}{meant} \\["))


def test_known_regions_do_not_warn(stack: cdk.Stack) -> None:
    token = cdk.CfnParameter(stack, "Region").value_as_string
    ReplicatedSecret(stack, "Database", regions=["eu-west-3", "ap-southeast-2", token])
    Annotations.from_stack(stack).has_no_warning("*", Match.any_value())


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (cdk.RemovalPolicy.RETAIN, "RETAIN"),
        ("Retain", "RETAIN"),
        ("promote", "PROMOTE"),
        (cdk.RemovalPolicy.DESTROY, "DELETE"),
        (None, "DELETE"),
    ],
)
def test_another_removal_policy_names_ours(stack: cdk.Stack, given: Any, name: str) -> None:
    with pytest.raises(TypeError, match=rf"expected a ReplicaRemovalPolicy, for example ReplicaRemovalPolicy\.{name}$"):
        ReplicatedSecret(stack, "Database", regions=["eu-west-3"], replica_removal_policy=given)


def test_outputs_are_added_once(stack: cdk.Stack) -> None:
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    replicated.add_outputs()
    with pytest.raises(ValueError, match="us-west-2/Database already has its outputs: call add_outputs once"):
        replicated.add_outputs()


def test_the_generated_secret_of_another_region_is_rejected(stack: cdk.Stack, paris: cdk.Stack) -> None:
    secret = sm.Secret(paris, "Secret")
    message = (
        f"us-west-2/Database: secret is eu-west-3/Secret of a stack in Region eu-west-3 of account {ACCOUNT}, but this "
        f"stack is in Region us-west-2 of account {ACCOUNT}, .*: declare the ReplicatedSecret in the secret's own "
        "stack, or give the secret a secret_name"
    )
    with pytest.raises(ValueError, match=message):
        ReplicatedSecret(stack, "Database", secret=secret, regions=["us-east-1"])


def test_a_cross_region_reference_to_the_primary_is_accepted(app: cdk.App) -> None:
    primary, stack = (stack_in(region, app, cross_region_references=True) for region in ("eu-west-3", "us-west-2"))
    ReplicatedSecret(stack, "Database", secret=sm.Secret(primary, "Secret"), regions=["us-east-1"])
    app.synth()


def test_a_provider_of_another_region_is_rejected(stack: cdk.Stack, paris: cdk.Stack) -> None:
    provider = ReplicationProvider.get_or_create(paris)
    message = (
        "us-west-2/Database: provider is eu-west-3/ReplicatedSecretProvider of a stack in Region eu-west-3 .*, but "
        "this stack is in Region us-west-2 .*: a ServiceToken must be in the stack's own Region; omit provider, or use"
    )
    with pytest.raises(ValueError, match=message):
        ReplicatedSecret(stack, "Database", regions=["us-east-1"], provider=provider)


def test_an_imported_provider_of_another_regions_stack_is_rejected(stack: cdk.Stack, paris: cdk.Stack) -> None:
    token = f"arn:aws:lambda:eu-west-3:{ACCOUNT}:function:replication"
    provider = ReplicationProvider.from_service_token(paris, "Provider", token)
    with pytest.raises(ValueError, match="provider is eu-west-3/Provider of a stack in Region eu-west-3"):
        ReplicatedSecret(stack, "Database", regions=["us-east-1"], provider=provider)


@pytest.mark.parametrize("argument", ["secret", "provider", "encryption_key", "key of a replica"])
def test_what_belongs_to_another_app_is_rejected(stack: cdk.Stack, argument: str) -> None:
    other = stack_in("us-west-2")
    given: dict[str, Any] = {"regions": ["eu-west-3"]}
    if argument == "secret":
        given["secret"] = sm.Secret(other, "It")
    elif argument == "provider":
        given["provider"] = ReplicationProvider(other, "It")
    elif argument == "encryption_key":
        given["encryption_key"] = kms.Key(other, "It")
    else:
        given["regions"] = [ReplicaRegion("eu-west-3", encryption_key=kms.Key(stack_in("eu-west-3"), "It"))]
    named = argument if argument != "key of a replica" else "the encryption_key for eu-west-3"
    message = f"us-west-2/Database: {named} is .*/It, which belongs to another App: create or import it in this one"
    with pytest.raises(ValueError, match=message):
        ReplicatedSecret(stack, "Database", **given)


@pytest.mark.parametrize("imported", [False, True])
def test_a_reader_in_another_region_cannot_be_granted_a_generated_primary(
    stack: cdk.Stack, paris: cdk.Stack, imported: bool
) -> None:
    replicated = ReplicatedSecret(stack, "Database", regions=["eu-west-3"])
    role: iam.IGrantable = reader(paris)
    if imported:
        role = iam.Role.from_role_arn(paris, "Imported", f"arn:aws:iam::{ACCOUNT}:role/reader")
    message = (
        f"us-west-2/Database: the grantee is in eu-west-3, a stack in Region eu-west-3 of account {ACCOUNT}, "
        r"which cannot know the primary's generated name: grant only the replica, with "
        r"replica\(\.\.\.\)\.grant_read\(\.\.\.\), "
        "and set cross_region_references=True in both stacks, each with its Region in env, or give"
    )
    with pytest.raises(ValueError, match=message):
        replicated.grant_read(role)


def test_a_reader_of_a_generated_replica_needs_cross_region_references(stack: cdk.Stack, paris: cdk.Stack) -> None:
    replica = ReplicatedSecret(stack, "Database", regions=["eu-west-3"]).replica("eu-west-3")
    message = (
        "us-west-2/Database/Replica0: the grantee is in eu-west-3, a stack in Region eu-west-3 of .*, which "
        "cannot know the primary's generated name: set cross_region_references=True in both stacks, each"
    )
    with pytest.raises(ValueError, match=message):
        replica.grant_read(reader(paris))


def test_a_reader_in_another_region_may_be_granted_a_named_primary(
    app: cdk.App, stack: cdk.Stack, paris: cdk.Stack
) -> None:
    secret = sm.Secret(stack, "Secret", secret_name="app/database")
    ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"]).grant_read(reader(paris))
    app.synth()


@pytest.mark.parametrize("cross_region_references", [False, True])
@pytest.mark.parametrize("role_name", [None, "reader"])
def test_a_reader_in_another_region_needs_a_name_for_the_policy_of_the_primarys_key(
    role_name: str | None, cross_region_references: bool
) -> None:
    app = cdk.App()
    home, paris = (
        cdk.Stack(
            app,
            region,
            env=cdk.Environment(account=ACCOUNT, region=region),
            cross_region_references=cross_region_references,
        )
        for region in ("us-west-2", "eu-west-3")
    )
    secret = sm.Secret(home, "Secret", secret_name="app/database", encryption_key=kms.Key(home, "Key"))
    replicated = ReplicatedSecret(home, "Database", secret=secret, regions=["eu-west-3"])
    role = iam.Role(paris, "Reader", assumed_by=iam.AccountRootPrincipal(), role_name=role_name)
    replicated.replica("eu-west-3").grant_read(role)
    if role_name and not cross_region_references:
        # Not synthesized: older versions of the CDK cannot refer to the key from there.
        replicated.grant_read(role)
    else:
        with pytest.raises(
            ValueError, match="the policy of the primary's key cannot name its role: grant only the rep"
        ):
            replicated.grant_read(role)
        app.synth()


def test_credentials_from_a_replica_name_the_way_that_works(stack: cdk.Stack, paris: cdk.Stack) -> None:
    """RDS attaches the secret of Credentials.from_secret, and a replica cannot be attached."""
    secret = sm.Secret.from_secret_name_v2(stack, "Secret", "app/database")
    replica = ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"]).replica("eu-west-3")
    arguments: dict[str, Any] = {"engine": rds.DatabaseInstanceEngine.POSTGRES, "vpc": ec2.Vpc(paris, "Vpc")}
    arguments["removal_policy"] = cdk.RemovalPolicy.DESTROY
    message = (
        "us-west-2/Database/Replica0 is a replica, which can only be read.*to give the replica's password to a "
        "database, write "
        r'rds\.Credentials\.from_password\("admin", replica\.secret_value_from_json\("password"\)\)'
    )
    password = replica.secret_value_from_json("password")
    rds.DatabaseInstance(paris, "Two", credentials=rds.Credentials.from_password("admin", password), **arguments)
    (instance,) = Template.from_stack(paris).find_resources("AWS::RDS::DBInstance").values()
    assert "eu-west-3" in str(instance["Properties"]["MasterUserPassword"])
    with pytest.raises((ValueError, RuntimeError), match=message):
        rds.DatabaseInstance(paris, "One", credentials=rds.Credentials.from_secret(replica), **arguments)


def test_a_replica_cannot_be_attached(stack: cdk.Stack) -> None:
    replica = ReplicatedSecret(stack, "Database", regions=["eu-west-3"]).replica("eu-west-3")
    instance: Any = imported_instance(stack)
    with pytest.raises(ValueError, match="is a replica, which can only be read"):
        replica.attach(instance)


@pytest.mark.parametrize("how", ["attach", "SecretTargetAttachment", "import of an attachment"])
def test_an_attachment_is_replicated_as_its_secret(stack: cdk.Stack, how: str) -> None:
    instance: Any = imported_instance(stack)
    secret: sm.ISecret = sm.Secret(stack, "Secret")
    if how == "attach":
        secret = secret.attach(instance)
    elif how == "SecretTargetAttachment":
        secret = sm.SecretTargetAttachment(stack, "Attachment", secret=secret, target=instance)
    else:
        arn = sm.SecretTargetAttachment(stack, "Attachment", secret=secret, target=instance).secret_arn
        secret = sm.SecretTargetAttachment.from_secret_target_attachment_secret_arn(stack, "Imported", arn)
    ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"])
    (resource,) = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    assert list(resource["Properties"]["SecretId"]) == ["Ref"]


@pytest.mark.parametrize(
    "wrong", [sm.SecretTargetAttachment, sm.Secret, "L1 attachment", cdk.SecretValue.unsafe_plain_text("x")]
)
def test_a_value_that_is_not_a_secret_is_rejected(stack: cdk.Stack, wrong: Any) -> None:
    if wrong == "L1 attachment":
        wrong = sm.CfnSecretTargetAttachment(
            stack, "L1", secret_id="a", target_id="b", target_type="AWS::RDS::DBInstance"
        )
    with pytest.raises(TypeError, match=r"us-west-2/Database: secret is .*: expected a secret; import it, for example"):
        ReplicatedSecret(stack, "Database", secret=wrong, regions=["eu-west-3"])


@pytest.mark.parametrize("by", ["complete ARN", "attributes", "name"])
def test_the_replica_of_an_included_secret_has_a_computed_arn(stack: cdk.Stack, paris: cdk.Stack, by: str) -> None:
    """CloudFormation's Ref is a token, but the name of the resource is in the template."""
    raw = sm.CfnSecret(stack, "Raw", name="app/database")
    if by == "complete ARN":
        secret = sm.Secret.from_secret_complete_arn(stack, "Imported", raw.ref)
    elif by == "attributes":
        secret = sm.Secret.from_secret_attributes(stack, "Imported", secret_complete_arn=raw.attr_id)
    else:
        secret = sm.Secret.from_secret_name_v2(stack, "Imported", str(raw.name))
    replica = ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"]).replica("eu-west-3")
    replica.grant_read(reader(paris))
    (policy,) = Template.from_stack(paris).find_resources("AWS::IAM::Policy").values()
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Resource"] == {
        "Fn::Join": [
            "",
            ["arn:", {"Ref": "AWS::Partition"}, f":secretsmanager:eu-west-3:{ACCOUNT}:secret:app/database-??????"],
        ]
    }


def test_the_own_region_of_an_included_secret_is_rejected(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_complete_arn(stack, "Imported", sm.CfnSecret(stack, "Raw").ref)
    with pytest.raises(ValueError, match="'us-west-2', which is the primary's own Region"):
        ReplicatedSecret(stack, "Database", secret=secret, regions=["us-west-2"])


def test_a_conditional_key_is_not_for_readers_in_other_stacks(app: cdk.App, stack: cdk.Stack, paris: cdk.Stack) -> None:
    cdk.CfnCondition(stack, "HasKey", expression=cdk.Fn.condition_equals("yes", "yes"))
    key = cdk.Token.as_string(cdk.Fn.condition_if("HasKey", f"arn:aws:kms:eu-west-3:{ACCOUNT}:key/1", cdk.Aws.NO_VALUE))
    secret = sm.Secret.from_secret_name_v2(stack, "Secret", "app/database")
    regions = [ReplicaRegion("eu-west-3", encryption_key=key)]
    replica = ReplicatedSecret(stack, "Database", secret=secret, regions=regions).replica("eu-west-3")
    replica.grant_read(reader(stack))
    message = (
        "depends on a condition or a blank parameter of us-west-2, to which eu-west-3 cannot refer: allow kms:Decrypt"
    )
    with pytest.raises(ValueError, match=message):
        replica.grant_read(reader(paris))


def test_the_regions_to_read_are_named_if_a_condition_may_remove_one(stack: cdk.Stack) -> None:
    cdk.CfnCondition(stack, "InParis", expression=cdk.Fn.condition_equals("yes", "yes"))
    region = cdk.Token.as_string(cdk.Fn.condition_if("InParis", "eu-west-3", cdk.Aws.NO_VALUE))
    replicated = ReplicatedSecret(stack, "Database", regions=[region])
    with pytest.raises(ValueError, match="its Regions are known only at deployment: name those to read"):
        replicated.grant_read(reader(stack))
    replicated.replica("eu-west-3").grant_read(iam.Role(stack, "Other", assumed_by=iam.AccountRootPrincipal()))


@pytest.mark.parametrize("slot", ["replica", "primary"])
@pytest.mark.parametrize("kind", ["neighbor", "nested"])
def test_a_blank_parameter_of_another_stack_is_not_for_a_key(
    app: cdk.App, stack: cdk.Stack, kind: str, slot: str
) -> None:
    """CloudFormation exports no blank value, and a nested stack has no condition of its parent."""
    key = cdk.CfnParameter(stack, "Key", default="").value_as_string
    other: cdk.Stack = cdk.NestedStack(stack, "Other")
    if kind == "neighbor":
        other = cdk.Stack(app, "Neighbor", env=cdk.Environment(account=ACCOUNT, region="us-west-2"))
    given: dict[str, Any] = {"regions": [ReplicaRegion("eu-west-3", encryption_key=key)]}
    if slot == "primary":
        given = {"regions": ["eu-west-3"], "encryption_key": kms.Key.from_key_arn(other, "Imported", key)}
    message = "is us-west-2/Key, a parameter of another stack with a blank default: declare it in this stack"
    with pytest.raises(ValueError, match=message):
        ReplicatedSecret(other, "Database", **given)


def test_a_class_is_not_a_provider(stack: cdk.Stack) -> None:
    wrong: Any = ReplicationProvider
    with pytest.raises(TypeError, match=r"provider is <class .*: expected a ReplicationProvider, for example from"):
        ReplicatedSecret(stack, "Database", regions=["eu-west-3"], provider=wrong)


@pytest.mark.parametrize("form", ["parameter", "lookup", "dynamic reference"])
def test_the_replica_has_a_key_of_any_form(stack: cdk.Stack, form: str) -> None:
    key = "{{resolve:ssm:/app/key}}"
    if form == "parameter":
        key = cdk.CfnParameter(stack, "Key", default="").value_as_string
    elif form == "lookup":
        key = ssm.StringParameter.value_from_lookup(stack, "/app/key")
    replicated = ReplicatedSecret(stack, "Database", regions=[ReplicaRegion("eu-west-3", encryption_key=key)])
    replicated.grant_read(reader(stack))
    found = replicated.replica("eu-west-3").encryption_key
    assert found
    assert stack.resolve(found.key_arn) == stack.resolve(key)
    Template.from_stack(stack)


def test_an_alias_begins_with_alias_in_small_letters(stack: cdk.Stack) -> None:
    with pytest.raises(ValueError, match="Alias/app"):
        ReplicatedSecret(stack, "Database", regions=[ReplicaRegion("eu-west-3", encryption_key="Alias/app")])

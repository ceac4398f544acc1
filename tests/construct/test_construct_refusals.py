"""What ReplicatedSecret rejects at synthesis, and the tokens that it cannot check."""

from __future__ import annotations

import json
from typing import Any

import aws_cdk as cdk
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as sm
from aws_cdk.assertions import Template

from cdk_replicated_secret import ReplicaRegion, ReplicatedSecret

ACCOUNT = "000000000000"
WRONG: Any = 5


def stack_in(region: str | None, app: cdk.App | None = None, name: str = "App") -> cdk.Stack:
    return cdk.Stack(app or cdk.App(), name, env=cdk.Environment(account=region and ACCOUNT, region=region))


@pytest.fixture
def stack() -> cdk.Stack:
    return stack_in("us-west-2")


def token(stack: cdk.Stack, name: str = "Text") -> str:
    return cdk.CfnParameter(stack, name).value_as_string


def properties(stack: cdk.Stack) -> dict[str, Any]:
    (resource,) = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    return dict(resource["Properties"])


def arn(region: str, name: str = "app/database-AbCdEf", partition: str = "aws") -> str:
    return f"arn:{partition}:secretsmanager:{region}:{ACCOUNT}:secret:{name}"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"regions": "eu-west-3"}, "regions is 'eu-west-3': expected a list"),
        ({"regions": {"eu-west-3"}}, "regions is {'eu-west-3'}: expected a list"),
        (
            {"regions": ["Europe"]},
            "regions contains 'Europe', which is not a Region name; expected something like 'eu-west-3'",
        ),
        (
            {"regions": ["eu-west-3"], "secret": "app/database"},
            "secret is 'app/database': expected a secret; import it, for example with Secret.from_secret",
        ),
        ({"regions": ["eu-west-3"], "service_timeout": 300}, "service_timeout is 300: expected a Duration"),
        ({"regions": ["eu-west-3"], "secret": 3}, "secret is 3: expected a secret; import it"),
        ({"regions": ["eu-west-3"], "encryption_key": "alias/app"}, "encryption_key is 'alias/app': expected a key"),
        ({"regions": ["eu-west-3"], "provider": "arn:aws"}, "provider is 'arn:aws': expected a ReplicationProvider"),
        (
            {"regions": [ReplicaRegion("eu-west-3", encryption_key=WRONG)]},
            "the encryption_key for eu-west-3 is 5: expected a key, or its ARN, ID or alias",
        ),
    ],
)
def test_an_error_names_the_construct_the_value_and_the_fix(
    stack: cdk.Stack, arguments: dict[str, Any], error: str
) -> None:
    with pytest.raises((TypeError, ValueError)) as error_info:
        ReplicatedSecret(stack, "Database", **arguments)
    assert str(error_info.value).startswith(f"App/Database: {error}")


def test_a_single_token_is_not_a_list(stack: cdk.Stack) -> None:
    with pytest.raises(
        TypeError, match=r'App/Database: regions is .*Token.*: expected a list, for example regions=\["eu-west-3"\]'
    ):
        ReplicatedSecret(stack, "Database", regions=token(stack))


@pytest.mark.parametrize(
    ("own", "region", "partitions"),
    [
        ("us-west-2", "cn-north-1", ("aws-cn", "aws")),
        ("us-west-2", "us-gov-west-1", ("aws-us-gov", "aws")),
        ("cn-north-1", "eu-west-3", ("aws", "aws-cn")),
    ],
)
def test_replicas_stay_in_the_primarys_partition(own: str, region: str, partitions: tuple[str, str]) -> None:
    with pytest.raises(
        ValueError, match=f"{region}', which is in partition {partitions[0]}, .* {own} of {partitions[1]}: list only"
    ):
        ReplicatedSecret(stack_in(own), "Database", regions=[region])


def test_the_partition_is_that_of_an_imported_primary() -> None:
    agnostic = stack_in(None)
    secret = sm.Secret.from_secret_complete_arn(agnostic, "Imported", arn("cn-north-1", partition="aws-cn"))
    with pytest.raises(ValueError, match="in partition aws, but the primary is in cn-north-1"):
        ReplicatedSecret(agnostic, "Database", secret=secret, regions=["eu-west-3"])


@pytest.mark.parametrize("region", ["eu-central-9", "cn-northwest-1"])
def test_a_new_region_and_one_of_the_same_partition_are_fine(region: str) -> None:
    stack = stack_in("cn-north-1" if region.startswith("cn") else "us-west-2")
    ReplicatedSecret(stack, "Database", regions=[region])
    assert properties(stack)["ReplicaRegions"] == [region]


def test_an_imported_primary_has_its_own_region(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_complete_arn(stack, "Imported", arn("eu-west-3"))
    ReplicatedSecret(stack, "Here", secret=secret, regions=["us-west-2"])
    with pytest.raises(ValueError, match="'eu-west-3', which is the primary's own Region"):
        ReplicatedSecret(stack, "There", secret=secret, regions=["eu-west-3"])


def test_an_environment_agnostic_stack_is_not_checked() -> None:
    agnostic = stack_in(None)
    ReplicatedSecret(agnostic, "Database", regions=["eu-west-3", "cn-north-1"])
    assert len(properties(agnostic)["ReplicaRegions"]) == 2


def test_a_region_may_be_a_token_and_only_the_same_one_is_listed_twice(stack: cdk.Stack) -> None:
    region = token(stack)
    ReplicatedSecret(stack, "Database", regions=[region, "eu-west-3"])
    assert properties(stack)["ReplicaRegions"] == [{"Ref": "Text"}, "eu-west-3"]
    with pytest.raises(ValueError, match="twice: list it once"):
        ReplicatedSecret(stack, "Twice", regions=[region, region])


def test_a_region_token_has_an_arn_but_no_status(stack: cdk.Stack) -> None:
    region = token(stack)
    replicated = ReplicatedSecret(stack, "Database", regions=[region])
    assert {"Ref": "Text"} in stack.resolve(replicated.replica_arn(region))["Fn::Join"][1]
    with pytest.raises(
        ValueError, match=r"App/Database: region is .* known only at deployment: .* use replication_status"
    ):
        replicated.status(region)


@pytest.mark.parametrize("as_list", ["parameter", "split"])
def test_the_list_itself_may_be_a_token(stack: cdk.Stack, as_list: str) -> None:
    parameter = cdk.CfnParameter(stack, "Regions", type="CommaDelimitedList")
    regions = parameter.value_as_list if as_list == "parameter" else cdk.Fn.split(" ", token(stack))
    replicated = ReplicatedSecret(stack, "Database", regions=regions)
    replicated.add_outputs()
    expected = {"Ref": "Regions"} if as_list == "parameter" else {"Fn::Split": [" ", {"Ref": "Text"}]}
    assert properties(stack)["ReplicaRegions"] == expected
    assert set(Template.from_stack(stack).find_outputs("*")) == {"DatabaseArn", "DatabaseReplicationStatus"}
    assert stack.resolve(replicated.status("eu-west-3"))["Fn::GetAtt"][1] == "Status.eu-west-3"
    assert ":eu-west-3:" in json.dumps(stack.resolve(replicated.replica_arn("eu-west-3")))


def test_a_service_timeout_may_be_a_token(stack: cdk.Stack) -> None:
    seconds = cdk.CfnParameter(stack, "Seconds", type="Number").value_as_number
    ReplicatedSecret(stack, "Database", regions=["eu-west-3"], service_timeout=cdk.Duration.seconds(seconds))
    assert properties(stack)["ServiceTimeout"] == {"Ref": "Seconds"}


def test_a_key_may_be_a_token_and_of_a_token_region(stack: cdk.Stack) -> None:
    regions = [ReplicaRegion("eu-west-3", encryption_key=token(stack, "Key"))]
    ReplicatedSecret(stack, "Database", regions=regions)
    assert properties(stack)["ReplicaRegions"] == [{"Region": "eu-west-3", "KmsKeyId": {"Ref": "Key"}}]


def test_a_key_construct_of_another_region_is_rejected(stack: cdk.Stack) -> None:
    key = kms.Key(stack, "Key")
    with pytest.raises(
        ValueError, match="App/Database: the encryption_key for eu-west-3 is in us-west-2: use a key in"
    ):
        ReplicatedSecret(stack, "Database", regions=[ReplicaRegion("eu-west-3", encryption_key=key)])


def imports(stack: cdk.Stack, how: str, name: str = "One") -> sm.ISecret:
    if how == "complete":
        return sm.Secret.from_secret_complete_arn(stack, name, arn("us-west-2"))
    if how == "partial":
        return sm.Secret.from_secret_partial_arn(stack, name, arn("us-west-2", "app/database"))
    return sm.Secret.from_secret_name_v2(stack, name, "app/database")


@pytest.mark.parametrize("first", ["complete", "partial", "name"])
@pytest.mark.parametrize("second", ["complete", "partial", "name"])
def test_one_secret_imported_in_two_ways_and_two_stacks_is_one(first: str, second: str) -> None:
    app = cdk.App()
    one, two = stack_in("us-west-2", app, "A"), stack_in("us-west-2", app, "B")
    ReplicatedSecret(one, "Database", secret=imports(one, first), regions=["eu-west-3"])
    ReplicatedSecret(two, "Database", secret=imports(two, second), regions=["eu-west-3"])
    message = r"\[B/Database\] A/Database already replicates B/One to eu-west-3: declare each replica once"
    with pytest.raises(RuntimeError, match=message):
        app.synth()


def test_the_same_name_in_two_places_means_two_secrets() -> None:
    app = cdk.App()
    for region in ("us-west-2", "us-east-1"):
        other = stack_in(region, app, region)
        ReplicatedSecret(other, "Database", secret=imports(other, "name"), regions=["eu-west-3"])
    for name in ("Agnostic1", "Agnostic2"):
        other = stack_in(None, app, name)
        ReplicatedSecret(other, "Database", secret=imports(other, "name"), regions=["eu-west-3"])
    app.synth()


def test_a_name_that_ends_like_a_suffix_is_not_cut(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_partial_arn(stack, "Mine", arn("us-west-2", "my-secret"))
    ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"])
    other = sm.Secret.from_secret_name_v2(stack, "My", "my")
    ReplicatedSecret(stack, "Other", secret=other, regions=["eu-west-3"])
    found = Template.from_stack(stack).find_resources("Custom::ReplicatedSecret").values()
    assert [resource["Properties"]["SecretId"] for resource in found] == ["my-secret", "my"]


def test_a_partial_arn_of_another_region_stays_an_arn(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_partial_arn(stack, "Mine", arn("eu-west-3", "app/database"))
    ReplicatedSecret(stack, "Database", secret=secret, regions=["us-east-1"])
    assert properties(stack)["SecretId"] == arn("eu-west-3", "app/database")


def test_the_same_token_is_the_same_secret(stack: cdk.Stack) -> None:
    text = token(stack)
    one, two = (sm.Secret.from_secret_complete_arn(stack, name, text) for name in ("One", "Two"))
    ReplicatedSecret(stack, "First", secret=one, regions=["eu-west-3"])
    ReplicatedSecret(stack, "Second", secret=two, regions=["eu-west-3"])
    with pytest.raises(RuntimeError, match=r"\[App/Second\] App/First already replicates App/Two to eu-west-3"):
        Template.from_stack(stack)


def test_an_attached_secret_is_the_secret_that_was_attached(stack: cdk.Stack) -> None:
    secret = sm.Secret(stack, "Mine")
    instance = rds.DatabaseInstance.from_database_instance_attributes(
        stack, "Db", instance_identifier="db", instance_endpoint_address="db", port=3306, security_groups=[]
    )
    ReplicatedSecret(stack, "One", secret=secret.attach(instance), regions=["eu-west-3"])
    ReplicatedSecret(stack, "Two", secret=secret, regions=["eu-west-3"])
    with pytest.raises(RuntimeError, match=r"\[App/Two\] App/One already replicates App/Mine to eu-west-3"):
        Template.from_stack(stack)


def test_a_secret_that_rds_generated_can_be_replicated(stack: cdk.Stack) -> None:
    cluster = rds.DatabaseCluster(
        stack,
        "Db",
        engine=rds.DatabaseClusterEngine.AURORA_MYSQL,
        vpc=ec2.Vpc(stack, "Vpc"),
        writer=rds.ClusterInstance.serverless_v2("Writer"),
    )
    ReplicatedSecret(stack, "Database", secret=cluster.secret, regions=["eu-west-3"])
    (attachment,) = Template.from_stack(stack).find_resources("AWS::SecretsManager::SecretTargetAttachment")
    assert properties(stack)["SecretId"] == {"Ref": attachment}


def native(stack: cdk.Stack, how: str) -> sm.Secret:
    region = sm.ReplicaRegion(region="eu-west-3")
    secret = sm.Secret(stack, "Mine", replica_regions=[region] if how == "prop" else None)
    if how == "property of the resource":
        cfn: Any = secret.node.default_child
        cfn.replica_regions = [sm.CfnSecret.ReplicaRegionProperty(region="eu-west-3")]
    return secret


@pytest.mark.parametrize("how", ["prop", "property of the resource", "method, afterwards"])
def test_a_native_replica_of_the_same_region_fails_synthesis(stack: cdk.Stack, how: str) -> None:
    secret = native(stack, how)
    ReplicatedSecret(stack, "Database", secret=secret, regions=["us-east-1", "eu-west-3"])
    if how == "method, afterwards":
        secret.add_replica_region("eu-west-3")
    app: Any = stack.node.root
    message = r"\[App/Database\] eu-west-3 is in regions, and also in replica_regions of App/Mine: remove it from one"
    with pytest.raises(RuntimeError, match=message):
        app.synth()


def test_native_replicas_of_other_regions_or_tokens_are_accepted(stack: cdk.Stack) -> None:
    secret = sm.Secret(stack, "Mine", replica_regions=[sm.ReplicaRegion(region="ca-central-1")])
    ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"])
    secret.add_replica_region(token(stack))
    assert properties(stack)["ReplicaRegions"] == ["eu-west-3"]


def test_a_replica_cannot_be_replicated(stack: cdk.Stack) -> None:
    replica = ReplicatedSecret(stack, "Database", regions=["eu-west-3"]).replica("eu-west-3")
    with pytest.raises(
        ValueError, match="Again: secret is App/Database/Replica0, which is a replica: replicate its primary"
    ):
        ReplicatedSecret(stack, "Again", secret=replica, regions=["us-east-1"])


def test_an_l1_secret_is_rejected(stack: cdk.Stack) -> None:
    raw: Any = sm.CfnSecret(stack, "Raw")
    with pytest.raises(TypeError, match=r"secret is <.*CfnSecret.*expected a secret"):
        ReplicatedSecret(stack, "Database", secret=raw, regions=["eu-west-3"])


def test_a_name_that_is_an_arn_is_rejected(stack: cdk.Stack) -> None:
    secret = sm.Secret.from_secret_name_v2(stack, "Imported", arn("us-west-2"))
    with pytest.raises(ValueError, match=r"imported by name, but the name is an ARN, .*from_secret_complete_arn"):
        ReplicatedSecret(stack, "Database", secret=secret, regions=["eu-west-3"])


def test_a_list_token_has_to_be_the_only_entry(stack: cdk.Stack) -> None:
    regions = cdk.CfnParameter(stack, "Regions", type="CommaDelimitedList").value_as_list
    with pytest.raises(ValueError, match="a list that is known only at deployment: pass it alone"):
        ReplicatedSecret(stack, "Database", regions=[*regions, "eu-west-3"])

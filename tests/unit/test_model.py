"""The model of Secrets Manager, as far as the demo and the handler lean on it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError, ParamValidationError

from local.clock import VirtualClock
from local.secrets_manager import ApiError, Dialect, SecretsManager
from local.secrets_manager.dialect import AfterStop
from local.wire import Endpoint
from tests.helpers.world import PRIMARY, VALUE, World


def replicate(world: World, region: str = "eu-west-3", **more: Any) -> list[dict[str, Any]]:
    response = world.client().replicate_secret_to_regions(
        SecretId=world.arn, AddReplicaRegions=[{"Region": region}], **more
    )
    return list(response["ReplicationStatus"])


def entries(world: World) -> list[dict[str, Any]]:
    return list(world.client().describe_secret(SecretId=world.arn).get("ReplicationStatus", []))


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    return str(error.value.response["Error"]["Code"] + ": " + error.value.response["Error"]["Message"])


def test_f1_a_list_is_never_empty_and_a_region_is_well_formed(world: World) -> None:
    with pytest.raises(ParamValidationError):
        world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[])
    assert refused(lambda: replicate(world, "Europe")).startswith("ValidationException: 1 validation error detected")


def test_f2_every_call_can_be_throttled_denied_or_fail(world: World) -> None:
    for code, status in (("ThrottlingException", 400), ("AccessDeniedException", 400), ("InternalServiceError", 500)):
        world.model.script.error(code, operation="DescribeSecret", status=status)
        assert refused(lambda: entries(world)).startswith(code)
        entries(world)


def test_f3_a_status_entry_has_the_five_fields(world: World) -> None:
    replicate(world)
    world.clock.sleep(5)
    world.client("eu-west-3").get_secret_value(SecretId="app/database")
    assert set(entries(world)[0]) == {"Region", "KmsKeyId", "Status", "StatusMessage", "LastAccessedDate"}


def test_f4_a_primary_with_the_default_key_names_none(world: World) -> None:
    assert "KmsKeyId" not in world.client().describe_secret(SecretId=world.arn)
    world.client().update_secret(SecretId=world.arn, KmsKeyId="key-1")
    assert world.client().describe_secret(SecretId=world.arn)["KmsKeyId"] == "key-1"


@pytest.mark.parametrize(("name", "found"), [("app/orders", True), ("my-secret", False), ("my-secrets", True)])
def test_f6_a_partial_arn_that_ends_like_a_suffix_is_a_complete_one(world: World, name: str, found: bool) -> None:
    arn = world.create(name)
    for operation in ("DescribeSecret", "GetSecretValue"):
        assert world.model.call(PRIMARY, operation, {"SecretId": arn})["ARN"] == arn
        assert world.model.call(PRIMARY, operation, {"SecretId": name})["ARN"] == arn
        if found:
            assert world.model.call(PRIMARY, operation, {"SecretId": arn[:-7]})["ARN"] == arn
        else:
            with pytest.raises(ApiError, match="ResourceNotFoundException: Secrets Manager can't find"):
                world.model.call(PRIMARY, operation, {"SecretId": arn[:-7]})


def test_f10_a_fresh_region_is_in_progress_with_the_default_key_and_no_message(world: World) -> None:
    assert replicate(world) == [{"Region": "eu-west-3", "KmsKeyId": "alias/aws/secretsmanager", "Status": "InProgress"}]


def test_f11_then_in_sync(world: World) -> None:
    replicate(world)
    world.clock.sleep(5)
    assert (entries(world)[0]["Status"], entries(world)[0]["StatusMessage"]) == ("InSync", "Replication succeeded")


def test_f12_a_failure_comes_later_after_a_200(world: World) -> None:
    world.create(region="eu-west-3")
    assert replicate(world)[0]["Status"] == "InProgress"
    world.clock.sleep(5)
    assert entries(world)[0]["Status"] == "Failed"


def test_f13_a_name_that_exists(world: World) -> None:
    world.create(region="eu-west-3")
    replicate(world)
    world.clock.sleep(5)
    assert entries(world)[0]["StatusMessage"] == (
        "Replication failed: Secret name app/database already exists in region eu-west-3."
    )


@pytest.mark.parametrize(
    ("here", "message"),
    [
        ("primary", "Can't overwrite secret app/database that is currently replicated to other region(s)."),
        ("replica", "Can't overwrite secret app/database that is currently replicated from sa-east-1."),
    ],
)
def test_f13_force_does_not_overwrite_a_secret_with_replicas(world: World, here: str, message: str) -> None:
    where, to = ("eu-west-3", "sa-east-1") if here == "primary" else ("sa-east-1", "eu-west-3")
    arn = world.create(region=where)
    world.client(where).replicate_secret_to_regions(SecretId=arn, AddReplicaRegions=[{"Region": to}])
    replicate(world, ForceOverwriteReplicaSecret=True)
    world.clock.sleep(5)
    assert entries(world)[0]["StatusMessage"] == f"Replication failed: {message}"


def test_f14_the_primarys_region_is_rejected_immediately(world: World) -> None:
    assert refused(lambda: replicate(world, PRIMARY)) == "InvalidParameterException: Invalid replica region."


def test_f15_a_replica_is_read_only(world: World) -> None:
    replicate(world)
    there = world.client("eu-west-3")
    message = (
        "InvalidParameterException: Operation not permitted on a replica secret. "
        "Call must be made in primary secret's region."
    )
    for call in (
        lambda: there.put_secret_value(SecretId="app/database", SecretString="x"),
        lambda: there.tag_resource(SecretId="app/database", Tags=[{"Key": "a", "Value": "b"}]),
        lambda: there.delete_secret(SecretId="app/database", ForceDeleteWithoutRecovery=True),
        lambda: there.replicate_secret_to_regions(SecretId="app/database", AddReplicaRegions=[{"Region": "sa-east-1"}]),
    ):
        assert refused(call) == message


def test_f16_a_primary_with_replicas_cannot_be_deleted(world: World) -> None:
    replicate(world)
    replicate(world, "us-east-1")
    assert refused(lambda: world.client().delete_secret(SecretId=world.arn, ForceDeleteWithoutRecovery=True)) == (
        f"InvalidParameterException: You can't delete secret {world.arn} that still has replica regions "
        "[eu-west-3, us-east-1]."
    )


def test_f18_a_removal_empties_the_list_immediately_and_the_region_later(world: World) -> None:
    replicate(world)
    world.clock.sleep(5)
    response = world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    assert response["ReplicationStatus"] == []
    described = world.client().describe_secret(SecretId=world.arn)
    assert "ReplicationStatus" not in described
    assert "PrimaryRegion" not in described
    world.clock.sleep(40)
    assert world.exists("eu-west-3")
    world.clock.sleep(50)
    assert not world.exists("eu-west-3")


def test_f18_adding_a_region_that_is_being_removed_fails(world: World) -> None:
    replicate(world)
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    replicate(world)
    world.clock.sleep(5)
    assert entries(world)[0]["StatusMessage"] == (
        "Replication failed: Secret name app/database is currently replicated to eu-west-3 with a different arn"
    )


def test_f19_a_replica_has_the_primarys_arn_with_the_region_changed(world: World) -> None:
    replicate(world)
    replica = world.client("eu-west-3").describe_secret(SecretId="app/database")
    assert replica["ARN"] == world.arn.replace(PRIMARY, "eu-west-3")
    assert replica["PrimaryRegion"] == PRIMARY
    assert replica["KmsKeyId"] == "alias/aws/secretsmanager"
    assert "ReplicationStatus" not in replica


def test_f20_value_and_tags_flow_from_the_primary(world: World) -> None:
    replicate(world)
    world.client().put_secret_value(SecretId=world.arn, SecretString="new")
    world.client().tag_resource(SecretId=world.arn, Tags=[{"Key": "a", "Value": "b"}])
    there = world.client("eu-west-3")
    assert there.get_secret_value(SecretId="app/database")["SecretString"] == "new"
    assert there.describe_secret(SecretId="app/database")["Tags"] == [{"Key": "a", "Value": "b"}]
    previous = there.get_secret_value(SecretId="app/database", VersionStage="AWSPREVIOUS")
    assert previous["SecretString"] == VALUE


def test_f20_the_resource_policy_flows_and_rotation_is_the_primarys(world: World) -> None:
    replicate(world)
    policy = '{"Version": "2012-10-17", "Statement": []}'
    world.client().put_resource_policy(SecretId=world.arn, ResourcePolicy=policy)
    there = world.client("eu-west-3")
    assert there.get_resource_policy(SecretId="app/database")["ResourcePolicy"] == policy
    assert "on a replica secret" in refused(lambda: there.rotate_secret(SecretId="app/database"))


@pytest.mark.parametrize("key", ["alias/app", "1234", "arn:aws:kms:eu-west-3:000000000000:key/1234"])
def test_f21_a_customer_key_is_named_as_it_was_given(world: World, key: str) -> None:
    world.client().replicate_secret_to_regions(
        SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3", "KmsKeyId": key}]
    )
    assert entries(world)[0]["KmsKeyId"] == key
    assert world.client("eu-west-3").describe_secret(SecretId="app/database")["KmsKeyId"] == key


def test_f22_the_replica_appears_immediately_and_can_stay_in_progress(world: World) -> None:
    world.model.script.stall("eu-west-3", times=1)
    replicate(world)
    assert world.exists("eu-west-3")
    world.clock.sleep(1e6)
    assert entries(world)[0]["Status"] == "InProgress"


def test_f24_a_replica_that_fails_later_stays_readable_and_stale(world: World) -> None:
    replicate(world)
    world.clock.sleep(5)
    world.model.break_off(PRIMARY, world.arn, "eu-west-3", "KMS key is disabled.")
    world.client().put_secret_value(SecretId=world.arn, SecretString="new")
    assert entries(world)[0]["Status"] == "Failed"
    there = world.client("eu-west-3")
    assert there.get_secret_value(SecretId="app/database")["SecretString"] == VALUE
    replicate(world)
    world.clock.sleep(5)
    assert entries(world)[0]["Status"] == "InSync"
    assert there.get_secret_value(SecretId="app/database")["SecretString"] == "new"


def test_f23_a_promoted_replica_is_a_standalone_secret(world: World) -> None:
    replicate(world)
    there = world.client("eu-west-3")
    there.stop_replication_to_replica(SecretId="app/database")
    there.put_secret_value(SecretId="app/database", SecretString="own")
    assert world.client().get_secret_value(SecretId=world.arn)["SecretString"] == VALUE
    replicate(world)
    world.clock.sleep(5)
    assert "already exists in region eu-west-3" in entries(world)[0]["StatusMessage"]


def test_f4_list_secrets_agrees_in_every_region(world: World) -> None:
    replicate(world)
    for region in (PRIMARY, "eu-west-3"):
        (listed,) = world.client(region).list_secrets()["SecretList"]
        assert listed["Name"] == "app/database"
        assert listed["PrimaryRegion"] == PRIMARY
        assert "ReplicationStatus" not in listed
    found = world.client("eu-west-3").list_secrets(Filters=[{"Key": "primary-region", "Values": [PRIMARY]}])
    assert len(found["SecretList"]) == 1
    assert world.client("sa-east-1").list_secrets()["SecretList"] == []


def test_f5_f17_deletion(world: World) -> None:
    client = world.client()
    client.delete_secret(SecretId=world.arn, RecoveryWindowInDays=7)
    assert "DeletedDate" in client.describe_secret(SecretId=world.arn)
    assert "marked for deletion" in refused(lambda: client.get_secret_value(SecretId=world.arn))
    client.restore_secret(SecretId=world.arn)
    assert client.get_secret_value(SecretId=world.arn)["SecretString"] == VALUE
    client.delete_secret(SecretId=world.arn, ForceDeleteWithoutRecovery=True)
    client.delete_secret(SecretId=world.arn, ForceDeleteWithoutRecovery=True)
    assert refused(lambda: client.describe_secret(SecretId=world.arn)) == (
        "ResourceNotFoundException: Secrets Manager can't find the specified secret."
    )


def test_f40_a_secret_has_at_most_fifty_tags(world: World) -> None:
    tags = [{"Key": str(n), "Value": ""} for n in range(51)]
    assert "at most 50 tags" in refused(lambda: world.client().tag_resource(SecretId=world.arn, Tags=tags))


def test_a_rejected_create_leaves_no_secret(world: World) -> None:
    with pytest.raises(ClientError):
        world.client().create_secret(Name="new", AddReplicaRegions=[{"Region": PRIMARY}])
    assert world.model.find(PRIMARY, "new") is None


def test_the_model_rejects_what_the_api_rejects(world: World) -> None:
    client = world.client()
    client.put_secret_value(SecretId=world.arn, SecretString="a", ClientRequestToken="t" * 32)
    for call in (
        lambda: client.put_secret_value(SecretId=world.arn, SecretString="b", ClientRequestToken="t" * 32),
        lambda: client.put_secret_value(SecretId=world.arn),
        lambda: client.delete_secret(SecretId=world.arn, RecoveryWindowInDays=1),
        lambda: client.delete_secret(SecretId=world.arn, RecoveryWindowInDays=7, ForceDeleteWithoutRecovery=True),
    ):
        refused(call)


def test_a_promoted_secret_that_is_deleted_stays_deleted(world: World) -> None:
    world.model.replication.dialect = Dialect(after_stop=AfterStop.IN_SYNC)
    replicate(world)
    there = world.client("eu-west-3")
    there.stop_replication_to_replica(SecretId="app/database")
    there.delete_secret(SecretId="app/database", ForceDeleteWithoutRecovery=True)
    assert not world.exists("eu-west-3")


def test_an_unknown_call_is_reported(world: World) -> None:
    with pytest.raises(ApiError) as refusal:
        world.model.call(PRIMARY, "Frobnicate", {})
    assert "local AWS has no Frobnicate" in str(refusal.value)


def test_a_boto3_client_can_be_pointed_at_it() -> None:
    with Endpoint(SecretsManager(VirtualClock())) as endpoint:
        clients = [
            boto3.client("secretsmanager", region_name=region, endpoint_url=endpoint.url)
            for region in (PRIMARY, "eu-west-3")
        ]
        clients[0].create_secret(Name="a", SecretString="b", AddReplicaRegions=[{"Region": "eu-west-3"}])
        assert clients[1].get_secret_value(SecretId="a")["SecretString"] == "b"
        for client in clients:
            client.close()


def test_f25_a_read_reports_any_moment_of_the_last_seconds_in_any_order() -> None:
    world = World(direct=True, lag=3.0)
    world.clock.sleep(10)
    replicate(world)
    seen: dict[bool, list[float]] = {True: [], False: []}
    order = []
    for _ in range(80):
        world.clock.sleep(0.1)
        order.append(bool(entries(world)))
        seen[order[-1]].append(world.clock.now())
    start = world.clock.now() - 8
    assert min(seen[True]) < start + 1 < max(seen[False]) <= start + 3.1
    assert "".join(str(int(one)) for one in order).count("10") > 2, "an earlier moment is reported after a later one"


def test_f25_writes_are_made_to_the_secret_as_it_is() -> None:
    world = World(direct=True, lag=3.0)
    world.clock.sleep(10)
    for key in ("a", "b"):
        world.client().tag_resource(SecretId=world.arn, Tags=[{"Key": key, "Value": ""}])
    assert [tag["Key"] for tag in world.model.describe(PRIMARY, world.arn)["Tags"]] == ["a", "b"]


def test_f25_what_time_changes_lags_too() -> None:
    """A replica that was added or removed: what is reported is what was so at one moment, never a mixture."""
    world = World(direct=True, lag=3.0)
    world.clock.sleep(10)
    replicate(world)
    world.clock.sleep(3.5)
    statuses = {entries(world)[0]["Status"] for _ in range(40)}
    assert statuses == {"InProgress", "InSync"}
    world.clock.sleep(10)
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.clock.sleep(61)
    found = set()
    for _ in range(40):
        try:
            found.add(world.client("eu-west-3").describe_secret(SecretId="app/database")["PrimaryRegion"])
        except ClientError as error:
            found.add(error.response["Error"]["Code"])
    assert found == {PRIMARY, "ResourceNotFoundException"}

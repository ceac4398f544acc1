"""One request at a time, over the model: what happens to the replicas, and what the response says."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from local.secrets_manager import Dialect
from local.secrets_manager.dialect import OtherKey
from secret_replication.errors import AccessDeniedError
from secret_replication.model import Description, SecretArn
from tests.helpers.world import OTHER_STACK, PRIMARY, VALUE, Crash, World, event, status_of


def test_create_replicates_and_reports_every_attribute(world: World) -> None:
    response = world.succeed(event(regions=("us-east-1", "eu-west-3")))
    assert response.physical_id == world.arn
    assert response.data == {
        "ARN": world.arn,
        "PrimaryRegion": "us-west-2",
        "Regions": "eu-west-3,us-east-1",
        "ReplicationStatus": (
            '[{"Region":"eu-west-3","Status":"InSync","KmsKeyId":"alias/aws/secretsmanager",'
            '"StatusMessage":"Replication succeeded"},'
            '{"Region":"us-east-1","Status":"InSync","KmsKeyId":"alias/aws/secretsmanager",'
            '"StatusMessage":"Replication succeeded"}]'
        ),
        "Status.eu-west-3": "InSync",
        "Status.us-east-1": "InSync",
        "ReplicaArn.eu-west-3": world.arn.replace("us-west-2", "eu-west-3"),
        "ReplicaArn.us-east-1": world.arn.replace("us-west-2", "us-east-1"),
        "KmsKeyId.eu-west-3": "alias/aws/secretsmanager",
        "KmsKeyId.us-east-1": "alias/aws/secretsmanager",
    }
    assert world.statuses() == {"eu-west-3": "InSync", "us-east-1": "InSync"}
    assert world.journal.writes == ["tag eu-west-3 us-east-1", "replicate eu-west-3 us-east-1"]


def test_the_tag_is_written_before_the_replica_is_touched(world: World) -> None:
    world.succeed(event())
    assert world.journal.writes == ["tag eu-west-3", "replicate eu-west-3"]
    assert world.tags() == {"eu-west-3": "created by Replication"}


def test_nothing_to_change_means_one_read_and_no_write(world: World) -> None:
    created = world.succeed(event())
    again = world.succeed(event("Update", PhysicalResourceId=world.arn))
    assert world.journal.calls == ["describe us-west-2"]
    assert again == created


def test_update_adds_first_and_drops_only_when_everything_declared_is_in_sync(world: World) -> None:
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    response = world.succeed(event("Update", ("eu-west-3", "ap-southeast-2"), PhysicalResourceId=world.arn))
    assert status_of(response) == {"ap-southeast-2": "InSync", "eu-west-3": "InSync"}
    assert world.journal.writes == [
        "tag ap-southeast-2", "replicate ap-southeast-2", "remove us-east-1", "untag us-east-1",
    ]  # fmt: skip
    assert not world.exists("us-east-1")


def test_a_removal_is_over_when_the_replica_region_says_so(world: World) -> None:
    world.succeed(event())
    started = world.clock.now()
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert not world.exists("eu-west-3")
    assert world.clock.now() - started >= 60
    assert world.tags() == {}
    assert world.exists(PRIMARY)


def test_a_failed_update_has_lost_nothing(world: World) -> None:
    world.succeed(event(regions=("eu-west-3", "us-east-1")))
    world.create(region="ap-southeast-2")
    reason = world.fail(event("Update", ("eu-west-3", "ap-southeast-2"), PhysicalResourceId=world.arn))
    assert "ap-southeast-2" in reason
    assert world.statuses()["us-east-1"] == "InSync"
    # CloudFormation's rollback.
    world.succeed(event("Update", ("eu-west-3", "us-east-1"), PhysicalResourceId=world.arn))
    assert world.statuses() == {"eu-west-3": "InSync", "us-east-1": "InSync"}
    assert world.exists("ap-southeast-2"), "the secret that was in the way is not ours"


def test_a_name_that_exists_fails_immediately_with_advice(world: World) -> None:
    world.create(region="eu-west-3")
    started = world.clock.now()
    reason = world.fail(event())
    assert "eu-west-3: Replication failed: Secret name app/database already exists in region eu-west-3." in reason
    assert "ForceOverwriteReplicaSecret" in reason
    assert world.clock.now() - started < 30


@pytest.mark.parametrize("saved_first", [False, True])
def test_a_name_of_a_secret_that_is_scheduled_for_deletion_is_freed_by_the_commands_in_the_reason(
    world: World, saved_first: bool
) -> None:
    world.create(region="eu-west-3")
    there = world.client("eu-west-3")
    there.delete_secret(SecretId="app/database")
    reason = world.fail(event())
    if saved_first:
        assert "aws secretsmanager restore-secret --region eu-west-3 --secret-id app/database" in reason
        there.restore_secret(SecretId="app/database")
        assert there.get_secret_value(SecretId="app/database")["SecretString"]
    command = "aws secretsmanager delete-secret --region eu-west-3 --secret-id app/database"
    assert f"{command} --force-delete-without-recovery" in reason
    there.delete_secret(SecretId="app/database", ForceDeleteWithoutRecovery=True)
    assert status_of(world.succeed(event())) == {"eu-west-3": "InSync"}


def test_every_failing_region_is_named(world: World) -> None:
    world.create(region="eu-west-3")
    world.create(region="us-east-1")
    reason = world.fail(event(regions=("eu-west-3", "us-east-1", "ap-southeast-2")))
    assert "eu-west-3: Replication failed" in reason
    assert "us-east-1: Replication failed" in reason


def test_a_failed_create_returns_the_real_id_and_its_delete_cleans_up(world: World) -> None:
    world.create(region="us-east-1")
    response = world.serve(event(regions=("eu-west-3", "us-east-1")))
    assert response.physical_id == world.arn
    world.succeed(event("Delete", ("eu-west-3", "us-east-1"), PhysicalResourceId=response.physical_id))
    assert world.statuses() == {}
    assert world.tags() == {}
    assert not world.exists("eu-west-3")
    assert world.exists("us-east-1"), "the secret that was in the way is not ours"


def test_force_overwrites_the_conflicting_secret(world: World) -> None:
    world.create(region="eu-west-3")
    world.succeed(event(ForceOverwriteReplicaSecret="true"))
    assert world.client("eu-west-3").describe_secret(SecretId="app/database")["PrimaryRegion"] == PRIMARY


def test_an_existing_replica_is_adopted_and_left_as_found(world: World) -> None:
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3"}])
    world.succeed(event())
    assert world.tags() == {"eu-west-3": "adopted by Replication"}
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.journal.writes == ["untag eu-west-3"]
    assert world.statuses() == {"eu-west-3": "InSync"}


def test_an_adopted_replica_is_not_rekeyed(world: World) -> None:
    world.client().replicate_secret_to_regions(
        SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3", "KmsKeyId": "key-1"}]
    )
    reason = world.fail(event(regions=[{"Region": "eu-west-3", "KmsKeyId": "key-2"}]))
    assert "existed before this resource, with key key-1" in reason


def test_undeclared_replicas_are_never_touched(world: World) -> None:
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "sa-east-1"}])
    world.succeed(event())
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.statuses() == {"sa-east-1": "InSync"}


def test_another_stacks_replica_is_rejected_with_the_release_command(world: World) -> None:
    world.succeed(event(StackId=OTHER_STACK))
    reason = world.fail(event())
    assert "belongs to Replication of stack other" in reason
    assert (
        f"untag-resource --region us-west-2 --secret-id {world.arn} --tag-keys cdk-replicated-secret:eu-west-3"
        in reason
    )
    assert world.journal.writes == []


def test_a_delete_by_another_stack_removes_nothing(world: World) -> None:
    world.succeed(event())
    world.succeed(event("Delete", StackId=OTHER_STACK, PhysicalResourceId=world.arn))
    assert world.statuses() == {"eu-west-3": "InSync"}


def test_a_renamed_logical_id_joins_and_the_old_ones_delete_leaves(world: World) -> None:
    world.succeed(event())
    world.succeed(event(LogicalResourceId="Renamed"))
    assert world.tags() == {"eu-west-3": "created by Replication/Renamed"}
    world.succeed(event("Delete", PhysicalResourceId=world.arn))
    assert world.tags() == {"eu-west-3": "created by Renamed"}
    assert world.statuses() == {"eu-west-3": "InSync"}
    world.succeed(event("Delete", LogicalResourceId="Renamed", PhysicalResourceId=world.arn))
    assert world.statuses() == {}


def test_a_rename_that_is_rolled_back_also_returns_a_replica_that_it_had_to_add_again(world: World) -> None:
    world.succeed(event())
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.succeed(event(LogicalResourceId="Renamed"))
    world.succeed(event("Delete", LogicalResourceId="Renamed", PhysicalResourceId=world.arn))
    assert world.tags() == {"eu-west-3": "created by Replication"}
    assert world.statuses() == {"eu-west-3": "InSync"}


def test_retain_leaves_the_replica_replicating_and_unowned(world: World) -> None:
    world.succeed(event(ReplicaRemovalPolicy="Retain"))
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Retain"))
    assert world.statuses() == {"eu-west-3": "InSync"}
    assert world.tags() == {}


def test_promote_makes_the_replica_standalone(world: World) -> None:
    world.succeed(event(ReplicaRemovalPolicy="Promote"))
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy="Promote"))
    assert world.statuses() == {}
    assert world.tags() == {}
    promoted = world.client("eu-west-3").describe_secret(SecretId="app/database")
    assert "PrimaryRegion" not in promoted
    assert world.client("eu-west-3").get_secret_value(SecretId="app/database")["SecretString"] == VALUE


def test_a_secret_that_is_scheduled_for_deletion_fails_even_if_nothing_is_declared(world: World) -> None:
    world.client().delete_secret(SecretId=world.arn)
    assert "scheduled for deletion: restore it" in world.fail(event(regions=[]))


def test_delete_addresses_the_arn_and_not_a_recreated_secret_of_the_same_name(world: World) -> None:
    old = world.arn
    world.client().delete_secret(SecretId=old, ForceDeleteWithoutRecovery=True)
    world.arn = world.create()
    assert world.succeed(event()).physical_id == world.arn != old
    world.succeed(event("Delete", PhysicalResourceId=old))
    assert world.statuses() == {"eu-west-3": "InSync"}


@pytest.mark.parametrize("seconds_after_the_tag", [0, 1])
def test_a_create_whose_delete_runs_concurrently_stops_and_leaves_nothing(
    world: World, seconds_after_the_tag: int
) -> None:
    """Immediately: the Delete sees the tag and no replica. A second later: it sees a replica that is InProgress."""

    def delete_after(call: str) -> None:
        if call == ("tag eu-west-3" if seconds_after_the_tag == 0 else "replicate eu-west-3"):
            world.journal.after = lambda _: None
            world.succeed(event("Delete", PhysicalResourceId="app-Replication-1X2Y3Z"))

    world.journal.after = delete_after
    reason = world.fail(event())
    assert "this resource was deleted, or another resource or person changed it, during the deployment" in reason
    assert world.statuses() == {}
    removed = [(text, keys) for text, keys in world.log.lines if keys["action"] == "REMOVE"]
    assert ("eu-west-3: remove it from replication", "eu-west-3", world.arn) in [
        (text, keys["region"], keys["secret"]) for text, keys in removed
    ]
    assert world.tags() == {}
    world.clock.sleep(61)
    assert not world.exists("eu-west-3")


def test_one_stale_read_is_not_mistaken_for_a_delete(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh, looks = world.journal.inner.describe, []

    def describe(secret: SecretArn | str) -> Description:
        looks.append(fresh(secret))
        return looks[0] if len(looks) == 2 else looks[-1]

    monkeypatch.setattr(world.journal.inner, "describe", describe)
    world.succeed(event())
    assert world.journal.writes == ["tag eu-west-3", "replicate eu-west-3"]


def test_a_key_change_is_made_in_place_where_aws_allows_it(world: World) -> None:
    world.succeed(event(regions=[{"Region": "eu-west-3", "KmsKeyId": "key-1"}]))
    changed = event("Update", [{"Region": "eu-west-3", "KmsKeyId": "key-2"}], PhysicalResourceId=world.arn)
    response = world.succeed(changed)
    assert response.data["KmsKeyId.eu-west-3"] == "key-2"
    assert world.journal.writes == ["replicate eu-west-3"]
    world.succeed(changed)
    assert world.journal.writes == []


KEY_1, KEY_2 = (f"arn:aws:kms:eu-west-3:000000000000:key/{number}" for number in (1, 2))


@pytest.fixture
def aliased(world: World) -> World:
    """A replica with ``alias/one``; AWS calls keys by their ARNs, so that an alias cannot be compared with them."""
    world.model.script.point_alias("alias/one", KEY_1)
    world.model.script.point_alias("alias/two", KEY_2)
    world.succeed(event(regions=with_key("alias/one")))
    return world


def with_key(key: str) -> list[dict[str, str]]:
    return [{"Region": "eu-west-3", "KmsKeyId": key}]


def update(key: str, **changes: Any) -> dict[str, Any]:
    return event("Update", with_key(key), **changes)


@pytest.mark.parametrize("other_key", OtherKey)
def test_an_alias_of_another_key_changes_the_key(aliased: World, other_key: OtherKey) -> None:
    aliased.model.replication.dialect = Dialect(other_key=other_key)
    assert aliased.succeed(update("alias/two")).data["KmsKeyId.eu-west-3"] == KEY_2
    aliased.succeed(update("alias/two"))
    assert aliased.journal.calls == ["describe us-west-2", "key of alias/two eu-west-3"]
    assert aliased.succeed(update("alias/one")).data["KmsKeyId.eu-west-3"] == KEY_1


def test_an_alias_that_is_pointed_at_another_key_is_drift_that_the_next_update_corrects(aliased: World) -> None:
    aliased.model.script.point_alias("alias/one", KEY_2)
    assert aliased.succeed(update("alias/one")).data["KmsKeyId.eu-west-3"] == KEY_2


@pytest.mark.parametrize("name", [KEY_1, "1", "alias/one"])
def test_another_name_of_the_same_key_changes_nothing(aliased: World, name: str) -> None:
    assert aliased.succeed(update(name)).data["KmsKeyId.eu-west-3"] == KEY_1
    assert aliased.journal.writes == []


def test_a_key_that_cannot_be_compared_fails_and_says_what_to_declare(aliased: World) -> None:
    aliased.fail_calls("key of", AccessDeniedError("AccessDeniedException: not authorized"))
    reason = aliased.fail(update("alias/two"))
    assert reason.startswith("AccessDenied: eu-west-3: KMS did not return the key behind alias/two")
    assert "Allow kms:DescribeKey, or set KmsKeyId to the key's ARN" in reason
    assert aliased.journal.writes == []


def test_an_adopted_replica_whose_key_the_alias_stands_for_stays_as_it_is(world: World) -> None:
    world.model.script.point_alias("alias/one", KEY_1)
    world.client().replicate_secret_to_regions(
        SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3", "KmsKeyId": KEY_1}]
    )
    world.succeed(event(regions=with_key("alias/one")))
    assert world.journal.writes == ["tag eu-west-3"]


def test_a_logical_id_that_is_renamed_together_with_its_alias_gets_the_new_key(aliased: World) -> None:
    response = aliased.succeed(event("Create", with_key("alias/two"), LogicalResourceId="Renamed"))
    assert response.data["KmsKeyId.eu-west-3"] == KEY_2


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_alias_change_that_crashes_and_is_rolled_back_has_the_old_key(aliased: World, when: str) -> None:
    """Lambda is killed before or after the call."""
    replica = aliased.model.find("eu-west-3", "app/database")

    def crash(call: str) -> None:
        if call.startswith("replicate"):
            raise Crash

    setattr(aliased.journal, when, crash)
    with pytest.raises(Crash):
        aliased.serve(update("alias/two"))
    setattr(aliased.journal, when, lambda _: None)
    response = aliased.succeed(update("alias/one"))
    assert response.data["KmsKeyId.eu-west-3"] == KEY_1
    assert aliased.journal.writes == ([] if when == "before" else ["replicate eu-west-3"])
    assert aliased.model.find("eu-west-3", "app/database") is replica


def test_a_removed_replica_is_gone_before_it_is_added_again(world: World) -> None:
    world.succeed(event())
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.succeed(event("Update", PhysicalResourceId=world.arn))
    assert world.statuses() == {"eu-west-3": "InSync"}


def test_a_failed_replica_that_can_heal_is_retried(world: World) -> None:
    foreign = world.create(region="eu-west-3")
    world.serve(event())
    world.client("eu-west-3").delete_secret(SecretId=foreign, ForceDeleteWithoutRecovery=True)
    # The message still says that the name exists; with force it can be tried again.
    world.succeed(event(ForceOverwriteReplicaSecret="true"))
    assert world.statuses() == {"eu-west-3": "InSync"}


def test_the_deadline_names_every_region_with_its_status_and_the_time_waited(world: World) -> None:
    world.model.script.stall()
    reason = world.fail(event(regions=("eu-west-3", "us-east-1")), seconds=100)
    assert reason == "NotStabilized: not finished after 85 s: eu-west-3 InProgress; us-east-1 InProgress"


def test_the_deadline_says_what_to_do_about_what_failed(world: World) -> None:
    world.model.script.fail("Access to KMS key alias/app is not allowed.", region="us-east-1")
    reason = world.fail(event(regions=("eu-west-3", "us-east-1")), seconds=100)
    assert reason.startswith(
        "NotStabilized: not finished after 85 s: eu-west-3 InSync; us-east-1 Failed. "
        "us-east-1: Replication failed: Access to KMS key alias/app is not allowed. To fix this, check that the key"
    )


def test_the_deadline_lists_every_region(world: World) -> None:
    regions = sorted(set(boto3.Session().get_available_regions("secretsmanager")) - {PRIMARY})
    world.model.script.stall()
    told = world.fail(event(regions=regions), seconds=100)
    assert all(f"{region} InProgress" in told for region in regions)


def test_a_service_timeout_brings_the_deadline_forward(world: World) -> None:
    world.model.script.stall()
    assert "not finished after 45 s" in world.fail(event(ServiceTimeout="60"))


def test_access_denied_right_after_a_role_change_is_retried(world: World) -> None:
    world.fail_calls("", AccessDeniedError("AccessDeniedException: not authorized"), seconds=30)
    world.succeed(event())


def test_access_denied_for_longer_than_a_minute_is_reported(world: World) -> None:
    world.fail_calls("", AccessDeniedError("AccessDeniedException: not authorized"))
    started = world.clock.now()
    assert world.fail(event()).startswith("AccessDenied")
    assert 60 <= world.clock.now() - started < 70


def test_a_replica_given_as_the_primary_is_rejected_with_the_primarys_arn(world: World) -> None:
    world.succeed(event())
    replica = world.arn.replace("us-west-2", "eu-west-3")
    assert f"Name the primary: {world.arn}" in world.fail(event(SecretId=replica, regions=("us-east-1",)))


def test_a_secret_in_another_region_than_the_function_is_reached_by_its_arn(world: World) -> None:
    arn = world.create("far", region="eu-central-1")
    response = world.succeed(event(SecretId=arn))
    assert response.data["PrimaryRegion"] == "eu-central-1"


def test_an_empty_list_of_regions_replicates_nothing(world: World) -> None:
    response = world.succeed(event(regions=[]))
    assert response.data["ReplicationStatus"] == "[]"
    assert response.data["Regions"] == ""


def test_values_and_descriptions_are_never_requested(world: World) -> None:
    world.succeed(event())
    with pytest.raises(ClientError):
        world.client("eu-west-3").put_secret_value(SecretId="app/database", SecretString="other")
    assert not any(VALUE in str(line) for line in world.log.lines)


def test_an_adopted_replica_that_was_removed_is_recreated(world: World) -> None:
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "eu-west-3"}])
    for logical_id in ("Replication", "Other"):
        world.succeed(event(LogicalResourceId=logical_id))
    world.client().remove_regions_from_replication(SecretId=world.arn, RemoveReplicaRegions=["eu-west-3"])
    world.clock.sleep(100)
    world.succeed(event("Update", PhysicalResourceId=world.arn))
    assert world.tags() == {"eu-west-3": "created by Replication/Other"}
    for logical_id in ("Replication", "Other"):
        world.succeed(event("Delete", LogicalResourceId=logical_id, PhysicalResourceId=world.arn))
    assert not world.exists("eu-west-3"), "what the stack made is left behind"


def test_a_failed_update_to_another_secret_keeps_the_id(world: World) -> None:
    """P11: the other secret's ARN would get the Delete of a stack whose rollback fails as well."""
    world.create("app/other")
    world.create("app/other", "us-east-1")
    world.succeed(event())
    response = world.serve(event("Update", ("us-east-1",), SecretId="app/other", PhysicalResourceId=world.arn))
    assert "already exists in region" in response.reason
    assert response.physical_id == world.arn

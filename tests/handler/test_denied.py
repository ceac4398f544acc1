"""Permissions that are missing: how long each is waited for, and what the reason advises."""

from __future__ import annotations

import pytest

from local.secrets_manager import Delays
from secret_replication.errors import AccessDeniedError, RejectedError, ReplicationError
from tests.helpers.world import World, event

R = "eu-west-3"
KEY = "arn:aws:kms:eu-west-3:000000000000:key/1"
USER = "AccessDeniedException: User: arn:aws:sts::000000000000:assumed-role/r is not authorized to perform:"


def test_a_permission_for_a_key_is_waited_for_as_long_as_kms_takes(world: World) -> None:
    world.fail_calls("replicate", AccessDeniedError(f"{USER} kms:Decrypt on resource: key/1"), 300)
    world.succeed(event())


def test_a_permission_for_a_key_that_stays_missing_fails_after_five_and_a_half_minutes(world: World) -> None:
    world.fail_calls("replicate", AccessDeniedError(f"{USER} kms:Decrypt on resource: key/1"))
    started = world.clock.now()
    assert "allow kms:GenerateDataKey and kms:Encrypt" in world.fail(event())
    assert 330 <= world.clock.now() - started < 345


def test_a_replica_that_fails_for_its_key_is_given_up_after_as_long(world: World) -> None:
    world.model.script.fail("Access to KMS key alias/app is not allowed.", region=R)
    started = world.clock.now()
    assert "Access to KMS key alias/app is not allowed. To fix this, check that the key" in world.fail(event())
    assert 330 <= world.clock.now() - started < 360


def test_a_replica_that_fails_for_a_key_that_is_ready_in_time_heals(world: World) -> None:
    world.model.script.create_key("key-1", world.clock.now() + 300)
    world.succeed(event(regions=[{"Region": R, "KmsKeyId": "key-1"}]))


def test_a_denied_replication_advises_to_allow_the_regions(world: World) -> None:
    world.fail_calls("replicate", AccessDeniedError(f"{USER} secretsmanager:ReplicateSecretToRegions on resource: x"))
    reason = world.fail(event(regions=(R, "us-east-1")))
    assert "for each of these Regions" in reason
    assert "check SecretId" not in reason


@pytest.mark.parametrize(
    "error", [AccessDeniedError(f"{USER} secretsmanager:UntagResource"), RejectedError("InvalidRequestException: no")]
)
@pytest.mark.parametrize("policy", ["Delete", "Retain"])
def test_a_delete_succeeds_if_only_a_tag_is_left_that_may_not_be_removed(
    world: World, error: ReplicationError, policy: str
) -> None:
    world.succeed(event())
    world.fail_calls("untag", error)
    world.succeed(event("Delete", PhysicalResourceId=world.arn, ReplicaRemovalPolicy=policy))
    assert world.exists(R) == (policy == "Retain")
    (warning,) = [text for text, _ in world.log.lines if "The tags stay" in text]
    assert "aws secretsmanager untag-resource" in warning


def test_a_delete_fails_if_a_replica_is_left_that_may_not_be_removed(world: World) -> None:
    world.succeed(event())
    world.fail_calls("remove", AccessDeniedError(f"{USER} secretsmanager:RemoveRegionsFromReplication"))
    assert "RemoveRegionsFromReplication" in world.fail(event("Delete", PhysicalResourceId=world.arn))


@pytest.mark.parametrize("removal", [40, 90])
def test_tags_are_removed_last_so_a_long_removal_does_not_fail_a_delete_that_may_not_remove_tags(
    world: World, removal: float
) -> None:
    world.client().replicate_secret_to_regions(SecretId=world.arn, AddReplicaRegions=[{"Region": "us-east-1"}])
    world.clock.sleep(60)
    world.succeed(event(regions=(R, "us-east-1")))
    world.model.replication.delays = Delays(gone=removal)
    world.fail_calls("untag", AccessDeniedError(f"{USER} secretsmanager:UntagResource"))
    world.succeed(event("Delete", (R, "us-east-1"), PhysicalResourceId=world.arn))
    assert world.statuses() == {"us-east-1": "InSync"}


def test_a_word_in_the_name_of_a_role_does_not_make_a_denial_one_for_a_key(world: World) -> None:
    user = USER.replace("role/r", "role/kms-key-store")
    world.fail_calls("tag", AccessDeniedError(f"{user} secretsmanager:TagResource on resource: x"))
    started = world.clock.now()
    assert "allow the action for this secret in the policy" in world.fail(event())
    assert 60 <= world.clock.now() - started < 75


def test_a_denied_comparison_of_keys_advises_to_allow_it(world: World) -> None:
    """AWS still reports the alias, although the key's ARN is declared now."""
    world.succeed(event(regions=[{"Region": R, "KmsKeyId": "alias/app"}]))
    world.fail_calls("key of", AccessDeniedError(f"{USER} kms:DescribeKey on resource: {KEY}"))
    reason = world.fail(event("Update", [{"Region": R, "KmsKeyId": KEY}], PhysicalResourceId=world.arn))
    assert "did not return the key behind alias/app" in reason
    assert "set KmsKeyId" not in reason
    assert "To fix this, allow the action for this key" in reason

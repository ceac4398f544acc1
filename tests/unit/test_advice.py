"""AWS's messages, each with what to do."""

from __future__ import annotations

import pytest

from secret_replication.advice import advice_for, advised, of_regions
from secret_replication.request import Request
from secret_replication.response import failed
from tests.helpers.world import event

FAILED = "Replication failed: "
DENIED = "AccessDeniedException: User: role is not authorized to perform:"
MESSAGES = [
    ("Secret name app already exists in region eu-west-3.", 0, "set ForceOverwriteReplicaSecret to true"),
    ("Can't overwrite secret app that is currently replicated to other region(s).", 0, "remove its replicas"),
    ("Can't overwrite secret app that is currently replicated from us-east-1.", 0, "remove that replica first"),
    ("Secret name app is currently replicated to eu-west-3 with a different arn", 8, "StopReplicationToReplica"),
    ("Access to KMS key alias/app is not allowed.", 13, "kms:GenerateDataKey"),
    ("Key arn:aws:kms:eu-west-3:000000000000:key/1 is disabled.", 13, "is enabled"),
    ("KMS key alias/app is being created.", 13, "the key exists in that Region"),
    ("Region eu-south-2 is not enabled for this account.", 3, "enabled for this account"),
    ("InvalidParameterException: Invalid replica region.", 3, "check the name of the Region"),
    (
        f"{DENIED} secretsmanager:TagResource on resource: app",
        None,
        "allow the action for this secret in the policy of the function's role",
    ),
    (
        f"{DENIED} secretsmanager:DescribeSecret on resource: app",
        None,
        "If the secret was imported into its stack (cdk import), it has no stack-id tag, or an old one: pass it",
    ),
    (
        f"{DENIED} secretsmanager:ReplicateSecretToRegions on resource: app",
        None,
        "for each of these Regions",
    ),
    (
        f"{DENIED} secretsmanager:TagResource on resource: app with an explicit deny in a service control policy",
        None,
        "ask those who manage your AWS organization",
    ),
    (
        f"{DENIED} kms:Decrypt on resource: key/1 because no permissions boundary allows the kms:Decrypt action",
        None,
        "allow it in the permissions boundary",
    ),
    (
        f"{DENIED} secretsmanager:TagResource on resource: app with an explicit deny in a resource-based policy",
        None,
        "change the resource policy of the secret",
    ),
    ("A network error occurred.", None, "or wait and redeploy"),
    ("", None, "or wait and redeploy"),
]


@pytest.mark.parametrize("force", [False, True])
def test_a_taken_name_has_two_ways_out_also_if_its_secret_is_scheduled_for_deletion(force: bool) -> None:
    reason = advised("Replication failed: Secret name app/db already exists in region eu-west-3.", force=force)
    assert "aws secretsmanager delete-secret --region eu-west-3 --secret-id app/db --force-delete" in reason
    assert "its value is lost" in reason
    assert "If it is scheduled for deletion, only that command frees the name" in reason
    assert "(aws secretsmanager restore-secret --region eu-west-3 --secret-id app/db)" in reason
    assert ("set ForceOverwriteReplicaSecret" in reason) != force


@pytest.mark.parametrize(("message", "retries", "advice"), MESSAGES, ids=[message[:30] for message, *_ in MESSAGES])
def test_each_message_says_what_to_do_and_how_often_to_try(message: str, retries: int | None, advice: str) -> None:
    assert advice_for(FAILED + message).retries == retries
    told = advised(FAILED + message)
    assert told.startswith((FAILED + message).rstrip(". "))
    assert advice in told.split(". To fix this, ")[1]


def test_a_name_conflict_is_retried_with_force() -> None:
    known = advice_for(FAILED + MESSAGES[0][0], force=True)
    assert known.retries == 3
    assert "could not be overwritten" in known.text


def test_a_replica_that_failed_without_a_message_is_reported_as_failed() -> None:
    assert advised("").startswith("Failed. To fix this, ")


def test_few_regions_each_have_their_reason_in_order() -> None:
    assert of_regions({"us-east-1": "b.", "eu-west-3": "a."}) == "eu-west-3: a.; us-east-1: b."


def test_many_regions_are_all_named_before_the_reason_is_cut() -> None:
    regions = [f"ap-southeast-{number}" for number in range(10, 43)]
    reason = "NotStabilized: " + of_regions({region: advised(MESSAGES[0][0]) for region in regions})
    told = failed(Request.of(event()), "id", reason).reason
    assert 980 < len(told) <= 1000
    assert all(region in told for region in regions)
    assert "ap-southeast-10: Secret name app already exists" in told

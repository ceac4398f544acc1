"""The script, the journal and the clocks of the model: what a test can make happen, and see."""

from __future__ import annotations

import time

import boto3
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from local.clock import SystemClock, VirtualClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import Endpoint
from tests.helpers.world import NO_RETRIES, PRIMARY, World


def replicate(world: World, region: str = "eu-west-3", key: str = "alias/aws/secretsmanager") -> str:
    world.client().replicate_secret_to_regions(
        SecretId=world.arn, AddReplicaRegions=[{"Region": region, "KmsKeyId": key}]
    )
    world.clock.sleep(5)
    described = world.client().describe_secret(SecretId=world.arn)["ReplicationStatus"]
    return next(
        f"{entry['Status']} {entry.get('StatusMessage', '')}" for entry in described if entry["Region"] == region
    )


def test_a_replication_fails_n_times_and_then_heals(world: World) -> None:
    world.model.script.fail("network error", region="eu-west-3", times=2)
    told = [replicate(world) for _ in range(3)]
    assert told == ["Failed Replication failed: network error"] * 2 + ["InSync Replication succeeded"]


def test_a_failure_for_one_region_or_one_secret_leaves_the_others(world: World) -> None:
    world.model.script.fail("here", region="eu-west-3")
    world.model.script.fail("this one", name="other")
    assert replicate(world, "us-east-1").startswith("InSync")
    assert replicate(world, "eu-west-3").startswith("Failed")
    world.arn = world.create("other")
    assert replicate(world, "us-east-1") == "Failed Replication failed: this one"


def test_a_key_that_is_still_being_created(world: World) -> None:
    world.model.script.create_key("key-1", world.clock.now() + 30)
    assert replicate(world, key="key-1").startswith("Failed Replication failed: KMS key key-1 is being created")
    world.clock.sleep(30)
    assert replicate(world, key="key-1").startswith("InSync")


def test_no_permission_for_a_key(world: World) -> None:
    world.model.script.deny_key("key-1")
    assert replicate(world, key="key-1").startswith("Failed")
    world.model.script.allow_key("key-1")
    assert replicate(world, key="key-1").startswith("InSync")


@pytest.mark.parametrize("how", ["denied", "being created", "fails", "stalls"])
def test_a_scripted_failure_applies_to_key_changes_too(world: World, how: str) -> None:
    replicate(world)
    script = world.model.script
    {
        "denied": lambda: script.deny_key("key-1"),
        "being created": lambda: script.create_key("key-1", world.clock.now() + 100),
        "fails": lambda: script.fail("network error", "eu-west-3"),
        "stalls": lambda: script.stall("eu-west-3"),
    }[how]()
    assert replicate(world, key="key-1").startswith("InProgress" if how == "stalls" else "Failed")


def test_a_missing_replica_cannot_turn_failed(world: World) -> None:
    with pytest.raises(ValueError, match="is not replicated to eu-west-3"):
        world.model.break_off(PRIMARY, world.arn, "eu-west-3", "x")
    with pytest.raises(ValueError, match="there is no secret other"):
        world.model.break_off(PRIMARY, "other", "eu-west-3", "x")


def test_a_region_that_is_not_enabled(world: World) -> None:
    world.model.script.disable_region("eu-south-2")
    with pytest.raises(ClientError, match="InvalidParameterException"):
        replicate(world, "eu-south-2")
    world.model.script.enable_region("eu-south-2")
    assert replicate(world, "eu-south-2").startswith("InSync")


def call_without_retries(endpoint: Endpoint, times: int) -> list[str]:
    client = boto3.client("secretsmanager", region_name=PRIMARY, endpoint_url=endpoint.url, config=NO_RETRIES)
    outcomes = []
    for _ in range(times):
        try:
            client.put_secret_value(SecretId="a", SecretString="b")
            outcomes.append("ok")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
        except ConnectionClosedError:
            outcomes.append("closed")
    client.close()
    return outcomes


def test_f40_fifty_writes_a_second_and_region(world: World) -> None:
    model = SecretsManager(VirtualClock())
    model.call(PRIMARY, "CreateSecret", {"Name": "a"})
    with Endpoint(model) as endpoint:
        assert call_without_retries(endpoint, 51) == ["ok"] * 50 + ["ThrottlingException"]
        model.clock.sleep(1)
        assert call_without_retries(endpoint, 1) == ["ok"]
        model.script.writes_per_second = 1
        model.clock.sleep(1)
        assert call_without_retries(endpoint, 2) == ["ok", "ThrottlingException"]


def test_an_error_before_a_call_and_a_response_lost_after_it() -> None:
    model = SecretsManager(VirtualClock())
    model.call(PRIMARY, "CreateSecret", {"Name": "a"})
    model.script.error("InternalServiceError", operation="PutSecretValue", status=500)
    model.script.lose_response(operation="PutSecretValue")
    with Endpoint(model) as endpoint:
        assert call_without_retries(endpoint, 3) == ["InternalServiceError", "closed", "ok"]
    written = [call.outcome for call in model.journal if call.operation == "PutSecretValue"]
    assert written == ["InternalServiceError", "response lost", "ok"]
    secret = model.find(PRIMARY, "a")
    assert secret
    assert len(secret.content.versions) == 2, "the call whose response was lost was carried out"


def test_a_lost_response_reaches_an_in_process_client_too(world: World) -> None:
    world.model.script.lose_response(operation="TagResource")
    with pytest.raises(ConnectionClosedError):
        world.client().tag_resource(SecretId=world.arn, Tags=[])


def test_latency_takes_the_clocks_time(world: World) -> None:
    world.model.script.latency(7, operation="DescribeSecret", region=PRIMARY)
    before = world.clock.now()
    world.client().describe_secret(SecretId=world.arn)
    world.client().list_secrets()
    assert world.clock.now() - before == 7


def test_the_journal_says_one_write_two_reads_nothing_in_eu_west_1(world: World) -> None:
    start = len(world.model.journal)
    replicate(world)
    world.client().describe_secret(SecretId=world.arn)
    calls = world.model.journal[start:]
    assert [call.operation for call in calls] == ["ReplicateSecretToRegions", "DescribeSecret", "DescribeSecret"]
    assert {call.region for call in calls} == {PRIMARY}
    assert calls[0].parameters["AddReplicaRegions"] == [{"Region": "eu-west-3", "KmsKeyId": "alias/aws/secretsmanager"}]
    assert (calls[0].outcome, calls[1].time - calls[0].time) == ("ok", 5)


def test_the_clock_can_run_faster_than_aws() -> None:
    model = SecretsManager(SystemClock(), Delays().scaled(0.01))
    model.call(PRIMARY, "CreateSecret", {"Name": "a", "AddReplicaRegions": [{"Region": "eu-west-3"}]})
    time.sleep(0.1)
    (entry,) = model.call(PRIMARY, "DescribeSecret", {"SecretId": "a"})["ReplicationStatus"]
    assert entry["Status"] == "InSync"

"""The same calls against this model and against moto: docs/design/local-aws.md says where they differ."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from tests.helpers.world import NO_RETRIES, PRIMARY, World

PAGE = Path(__file__).parents[2] / "docs" / "design" / "local-aws.md"
REPLICA = "eu-west-3"
Client = Callable[[str], Any]


class Run:
    """A script of calls over either; ``wait`` lets AWS's seconds pass where there are any."""

    def __init__(self, client: Client, wait: Callable[[float], None]) -> None:
        self.primary, self.replica, self.wait = client(PRIMARY), client(REPLICA), wait
        self.arn = self.primary.create_secret(Name="app", SecretString="value")["ARN"]

    def replicate(self, region: str = REPLICA, **more: Any) -> Any:
        adding = [{"Region": region} | more]
        return self.primary.replicate_secret_to_regions(SecretId="app", AddReplicaRegions=adding)

    def statuses(self) -> str:
        described = self.primary.describe_secret(SecretId="app").get("ReplicationStatus", [])
        return " ".join(entry["Status"] for entry in described) or "none"


def at_once(run: Run) -> str:
    return str(run.replicate()["ReplicationStatus"][0]["Status"])


def later(run: Run) -> str:
    run.replicate()
    run.wait(5)
    return run.statuses()


def message(run: Run) -> str:
    run.replicate()
    run.wait(5)
    return str(run.primary.describe_secret(SecretId="app")["ReplicationStatus"][0].get("StatusMessage"))


def value(run: Run) -> str:
    run.replicate()
    return str(run.replica.get_secret_value(SecretId="app")["SecretString"])


def new_value(run: Run) -> str:
    run.replicate()
    run.primary.put_secret_value(SecretId="app", SecretString="new")
    return str(run.replica.get_secret_value(SecretId="app")["SecretString"])


def arn(run: Run) -> str:
    run.replicate()
    found = run.replica.describe_secret(SecretId="app")["ARN"]
    return "the primary's, with the Region changed" if found == run.arn.replace(PRIMARY, REPLICA) else "another"


def key(run: Run) -> str:
    run.replicate(KmsKeyId="key-1")
    return str(run.primary.describe_secret(SecretId="app")["ReplicationStatus"][0].get("KmsKeyId"))


def own_region(run: Run) -> str:
    run.replicate(PRIMARY)
    return "accepted"


def taken(run: Run) -> str:
    run.replica.create_secret(Name="app", SecretString="other")
    run.replicate()
    run.wait(5)
    return run.statuses()


def twice(run: Run) -> str:
    run.replicate()
    run.replicate()
    run.wait(5)
    return run.statuses()


def write_to_replica(run: Run) -> str:
    run.replicate()
    run.replica.put_secret_value(SecretId="app", SecretString="other")
    return "accepted"


def delete_with_replicas(run: Run) -> str:
    run.replicate()
    run.primary.delete_secret(SecretId="app", ForceDeleteWithoutRecovery=True)
    return "accepted"


def list_after_remove(run: Run) -> str:
    run.replicate()
    run.primary.remove_regions_from_replication(SecretId="app", RemoveReplicaRegions=[REPLICA])
    return run.statuses()


def replica_after_remove(run: Run) -> str:
    run.replicate()
    run.primary.remove_regions_from_replication(SecretId="app", RemoveReplicaRegions=[REPLICA])
    run.replica.describe_secret(SecretId="app")
    return "still there"


def stop(run: Run) -> str:
    run.replicate()
    run.replica.stop_replication_to_replica(SecretId="app")
    return "accepted"


SCRIPTS = {
    "status in the response of ReplicateSecretToRegions": at_once,
    "status five seconds later": later,
    "StatusMessage then": message,
    "value in the replica's Region": value,
    "value there after PutSecretValue": new_value,
    "the replica's ARN": arn,
    "KmsKeyId of the entry, key-1 given": key,
    "replicate to the own Region": own_region,
    "replicate where the name is taken": taken,
    "replicate twice": twice,
    "PutSecretValue on a replica": write_to_replica,
    "DeleteSecret of a primary with replicas": delete_with_replicas,
    "the list after RemoveRegionsFromReplication": list_after_remove,
    "the replica right after it": replica_after_remove,
    "StopReplicationToReplica": stop,
}


def outcome(script: Callable[[Run], str], run: Run) -> str:
    try:
        return script(run)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    except NotImplementedError:
        return "not implemented"
    except KeyError as error:
        return f"KeyError {error}"


def documented() -> dict[str, tuple[str, str]]:
    """The page's table: script to what each of the two does."""
    rows = re.findall(r"^\| ([^|]+) \| `([^|]+)` \| `([^|]+)` \|[^|]+\|$", PAGE.read_text(), re.MULTILINE)
    return {name: (ours, moto) for name, ours, moto in rows}


def test_the_page_has_a_row_for_each_script_and_no_other() -> None:
    assert list(documented()) == list(SCRIPTS)


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_page_says_what_each_does(name: str) -> None:
    world = World()
    ours = outcome(SCRIPTS[name], Run(world.client, world.clock.sleep))
    with mock_aws():
        moto = outcome(
            SCRIPTS[name],
            Run(lambda region: boto3.client("secretsmanager", region_name=region, config=NO_RETRIES), lambda _: None),
        )
    assert documented().get(name) == (ours, moto)

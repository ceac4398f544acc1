"""What is asked of AWS, and how the responses are read."""

from __future__ import annotations

from typing import Any

import pytest

from local.clock import VirtualClock
from secret_replication.clock import FRESH
from secret_replication.errors import (
    AccessDeniedError,
    RejectedError,
    ReplicationError,
    SecretDeletedError,
    SecretNotFoundError,
    ThrottledError,
    UnavailableError,
)
from secret_replication.model import Description, Desired, Observed, ReplicaState, ReplicaStatus, SecretArn
from secret_replication.observe import Observer
from secret_replication.ownership import Owner
from tests.helpers.world import PRIMARY, STACK

ARN = SecretArn("aws", PRIMARY, "000000000000", "app-abcdef")
OWNER = Owner.of(STACK, "Replication")
REPLICA = Description(ARN.in_region("eu-west-3"), PRIMARY)
STANDALONE = Description(ARN.in_region("eu-west-3"))
REGIONS = ("ap-south-1", "eu-west-3", "us-east-1")


class Aws:
    """Says the same of every secret, and remembers which Regions were asked."""

    def __init__(self, found: Description | ReplicationError, key: str | ReplicationError = "") -> None:
        self.found, self.key = found, key
        self.asked: list[str] = []

    def describe(self, secret: SecretArn) -> Description:
        self.asked.append(secret.region)
        if isinstance(self.found, ReplicationError):
            raise self.found
        return self.found

    def key_arn(self, region: str, alias: str) -> str:
        self.asked.append(f"{alias} in {region}")
        if isinstance(self.key, ReplicationError):
            raise self.key
        return self.key


def observer(aws: Aws, clock: VirtualClock | None = None, **replicas: str | None) -> Observer:
    port: Any = aws
    desired = Desired(OWNER, ARN, {region.replace("_", "-"): key for region, key in replicas.items()})
    return Observer(port, desired, clock or VirtualClock())


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (REPLICA, ReplicaState.REPLICA),
        (STANDALONE, ReplicaState.STANDALONE),
        (SecretNotFoundError("gone"), ReplicaState.GONE),
        (SecretDeletedError("scheduled"), ReplicaState.GONE),
        (AccessDeniedError("denied"), ReplicaState.UNKNOWN),
        (RejectedError("not enabled"), ReplicaState.UNKNOWN),
        (UnavailableError("no route"), ReplicaState.UNKNOWN),
    ],
)
def test_a_regions_response_says_what_it_has(found: Description | ReplicationError, state: ReplicaState) -> None:
    assert observer(Aws(found)).ask(Observed(ARN), ["eu-west-3"]).in_region == {"eu-west-3": state}


def test_a_throttled_region_is_asked_again() -> None:
    with pytest.raises(ThrottledError):
        observer(Aws(ThrottledError("slow down"))).ask(Observed(ARN), ["eu-west-3"])


def test_while_one_dropped_replica_is_being_removed_the_others_are_not_asked() -> None:
    aws = Aws(REPLICA)
    seen = observer(aws).ask(Observed(ARN), REGIONS)
    assert aws.asked == ["ap-south-1"]
    assert seen.in_region == dict.fromkeys(REGIONS, ReplicaState.REPLICA)


def test_each_dropped_replica_that_is_gone_is_asked_for() -> None:
    aws = Aws(SecretNotFoundError("gone"))
    assert observer(aws).ask(Observed(ARN), REGIONS).in_region == dict.fromkeys(REGIONS, ReplicaState.GONE)
    assert aws.asked == list(REGIONS)


def test_each_listed_or_declared_replica_is_asked_for() -> None:
    listed = {region: ReplicaStatus(region, "InSync") for region in REGIONS[:2]}
    aws = Aws(REPLICA)
    observer(aws, us_east_1=None).ask(Observed(ARN, listed), REGIONS)
    assert aws.asked == list(REGIONS)


def test_one_that_is_being_removed_says_nothing_of_listed_and_declared_ones() -> None:
    aws = Aws(REPLICA)
    listed = {"eu-west-3": ReplicaStatus("eu-west-3", "InSync")}
    observer(aws, us_east_1=None).ask(Observed(ARN, listed), (*REGIONS, "sa-east-1"))
    assert aws.asked == ["ap-south-1", "eu-west-3", "us-east-1"]


def test_a_response_is_kept_until_the_round_ends_or_it_is_too_old() -> None:
    aws, clock = Aws(STANDALONE), VirtualClock()
    watcher = observer(aws, clock)
    for seconds, count in ((0, 1), (FRESH, 1), (1, 2), (0, 2)):
        clock.sleep(seconds)
        watcher.ask(Observed(ARN), ["eu-west-3"])
        assert len(aws.asked) == count
    watcher.forget()
    watcher.ask(Observed(ARN), ["eu-west-3"])
    assert len(aws.asked) == 3


def test_no_response_is_not_kept() -> None:
    aws = Aws(UnavailableError("no route"))
    watcher = observer(aws)
    for _ in range(2):
        watcher.ask(Observed(ARN), ["eu-west-3"])
    assert len(aws.asked) == 2


def test_a_region_that_was_asked_stays_in_the_observation() -> None:
    before = Observed(ARN, in_region={"sa-east-1": ReplicaState.GONE})
    assert observer(Aws(REPLICA)).ask(before, ["eu-west-3"]).in_region == {
        "sa-east-1": ReplicaState.GONE,
        "eu-west-3": ReplicaState.REPLICA,
    }


def described(key: str) -> Description:
    return Description(ARN, replicas={"eu-west-3": ReplicaStatus("eu-west-3", "InSync", key)})


def test_an_alias_is_looked_up_once_in_a_run() -> None:
    aws = Aws(described("arn:aws:kms:eu-west-3:000000000000:key/1"), "arn:aws:kms:eu-west-3:000000000000:key/1")
    watcher = observer(aws, eu_west_3="alias/app")
    for _ in range(2):
        assert watcher.observe(ARN).with_declared_key == {"eu-west-3"}
    assert aws.asked == [PRIMARY, "alias/app in eu-west-3", PRIMARY]


@pytest.mark.parametrize("kind", [AccessDeniedError, RejectedError, UnavailableError])
def test_an_alias_that_kms_does_not_explain_is_an_error_with_awss_message(kind: type[ReplicationError]) -> None:
    aws = Aws(described("key-1"), kind("NotFoundException: no alias (call)", "NotFoundException: no alias"))
    with pytest.raises(kind) as error:
        observer(aws, eu_west_3="alias/app").observe(ARN)
    reason = str(error.value)
    assert reason.startswith("eu-west-3: KMS did not return the key behind alias/app")
    assert reason.endswith(
        "Allow kms:DescribeKey, or set KmsKeyId to the key's ARN. NotFoundException: no alias (call)"
    )
    assert error.value.aws_message == "NotFoundException: no alias"

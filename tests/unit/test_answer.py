"""The answer fits, whatever is in it."""

from __future__ import annotations

import json

import pytest
from botocore.session import get_session

from secret_replication.answer import MAX_BYTES, Answer, body, shortened, success
from secret_replication.errors import ReplicationError
from secret_replication.ports import ReplicaStatus
from secret_replication.regions import SecretArn
from secret_replication.situation import Observed
from tests.helpers.world import event

EVERY_REGION = sorted(get_session().get_available_regions("secretsmanager", partition_name="aws"))
KEY = "arn:aws:kms:eu-west-3:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def observed(regions: list[str], name: str = "app/database") -> Observed:
    statuses = {
        region: ReplicaStatus(region, "InSync", KEY, "Replication succeeded", "2026-11-23") for region in regions
    }
    return Observed(SecretArn("aws", "us-west-2", "000000000000", f"{name}-abcdef"), statuses)


def fitted(count: int) -> tuple[Answer, bytes]:
    regions = [region for region in EVERY_REGION if region != "us-west-2"][:count]
    answer = success(observed(regions), regions, event())
    return answer, body(answer, event())


def test_what_does_not_fit_is_dropped_whole_kinds_in_order() -> None:
    kept = []
    for count in range(1, len(EVERY_REGION)):
        answer, encoded = fitted(count)
        assert len(encoded) <= MAX_BYTES
        (first, *_) = json.loads(answer.data["ReplicationStatus"])
        kinds = {key.partition(".")[0] for key in answer.data if "." in key}
        assert {"ARN", "PrimaryRegion", "Regions", "ReplicationStatus"} <= set(answer.data)
        kept.append(("KmsKeyId" in first, "KmsKeyId" in kinds, "ReplicaArn" in kinds, "Status" in kinds))
    assert kept[0] == (True, True, True, True)
    assert sorted(kept, reverse=True) == kept, "a kind that was dropped does not come back with more Regions"
    assert kept[-1] == (False, False, False, True)


def test_every_region_of_the_partition_fits() -> None:
    answer, _ = fitted(len(EVERY_REGION) - 1)
    assert answer.data["Regions"].count(",") == len(EVERY_REGION) - 2
    assert len(EVERY_REGION) > 30


def test_an_answer_that_cannot_fit_is_an_error_and_not_a_hang() -> None:
    regions = [f"ap-southeast-{n}" for n in range(100)]
    with pytest.raises(ReplicationError, match="split ReplicaRegions over several resources"):
        success(observed(regions), regions, event())


def test_a_reason_keeps_its_beginning_within_a_thousand_characters() -> None:
    assert shortened("short") == "short"
    assert len(json.dumps(shortened('"' * 1000))) <= 1002
    long = shortened("telling " + "ü" * 1000)
    assert long.startswith("telling ")
    assert 990 <= len(json.dumps(long)) <= 1002
    assert long.isascii()


def test_a_failure_says_why_and_a_success_says_nothing() -> None:
    failed, done = (json.loads(body(answer, event())) for answer in (Answer("id", "because"), Answer("id")))
    assert (failed["Status"], failed["Reason"]) == ("FAILED", "because")
    assert (done["Status"], "Reason" in done) == ("SUCCESS", False)

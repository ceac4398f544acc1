"""The response fits, whatever is in it."""

from __future__ import annotations

import json

import pytest
from botocore.session import get_session

from secret_replication.errors import ResponseTooLongError
from secret_replication.model import Desired, Observed, ReplicaStatus, SecretArn
from secret_replication.request import Request
from secret_replication.response import MAX_BYTES, Response, check_size, deleted, failed, succeeded
from tests.helpers.world import PRIMARY, event

EVERY_REGION = sorted(get_session().get_available_regions("secretsmanager", partition_name="aws"))
KEY = "arn:aws:kms:eu-west-3:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def observed(regions: list[str], name: str = "app/database") -> Observed:
    statuses = {
        region: ReplicaStatus(region, "InSync", KEY, "Replication succeeded", "2026-11-23") for region in regions
    }
    return Observed(SecretArn("aws", "us-west-2", "000000000000", f"{name}-abcdef"), statuses)


REQUEST = Request.of(event())


def fitted(count: int) -> Response:
    regions = [region for region in EVERY_REGION if region != "us-west-2"][:count]
    return succeeded(REQUEST, observed(regions), regions)


def test_attributes_that_do_not_fit_are_dropped_one_kind_after_the_other() -> None:
    kept = []
    for count in range(1, len(EVERY_REGION)):
        response = fitted(count)
        assert len(response.body) <= MAX_BYTES
        assert json.loads(response.body)["Data"] == response.data
        (first, *_) = json.loads(response.data["ReplicationStatus"])
        kinds = {key.partition(".")[0] for key in response.data if "." in key}
        assert {"ARN", "PrimaryRegion", "Regions", "ReplicationStatus"} <= set(response.data)
        kept.append(("KmsKeyId" in first, "KmsKeyId" in kinds, "ReplicaArn" in kinds, "Status" in kinds))
    assert kept[0] == (True, True, True, True)
    assert sorted(kept, reverse=True) == kept, "a kind that was dropped does not come back with more Regions"
    assert kept[-1] == (False, False, False, True)


def test_every_region_of_the_partition_fits() -> None:
    response = fitted(len(EVERY_REGION) - 1)
    assert response.data["Regions"].count(",") == len(EVERY_REGION) - 2
    assert len(EVERY_REGION) > 30


def test_a_response_that_cannot_fit_is_an_error() -> None:
    regions = [f"ap-southeast-{n}" for n in range(100)]
    with pytest.raises(ResponseTooLongError, match="split ReplicaRegions over several resources"):
        succeeded(REQUEST, observed(regions), regions)


@pytest.mark.parametrize("name", ["app", "app/database", "a" * 60, "a" * 512])
@pytest.mark.parametrize("form", ["name", "arn", "arn without suffix"])
def test_the_size_is_checked_before_the_arn_is_known(name: str, form: str) -> None:
    """The check rejects exactly the lists whose response would not fit."""
    arn = SecretArn("aws", PRIMARY, "000000000000", f"{name}-abcdef")
    forms: dict[str, SecretArn | str] = {
        "name": name,
        "arn": arn,
        "arn without suffix": SecretArn("aws", PRIMARY, "000000000000", name),
    }
    given = forms[form]

    def fits(count: int, *, checked: bool) -> bool:
        regions = {f"ap-southeast-{number}": None for number in range(10, 10 + count)}
        try:
            if checked:
                check_size(REQUEST, Desired(REQUEST.owner, given, regions), PRIMARY)
            else:
                succeeded(REQUEST, observed(list(regions), name), regions)
        except ResponseTooLongError:
            return False
        return True

    assert [fits(n, checked=True) for n in range(60)] == [fits(n, checked=False) for n in range(60)]
    assert not fits(59, checked=True)


def test_a_reason_keeps_its_beginning_within_a_thousand_bytes() -> None:
    def shortened(reason: str) -> str:
        return failed(REQUEST, "id", reason).reason

    assert shortened("short") == "short"
    assert len(json.dumps(shortened('"' * 1000))) <= 1002
    long = shortened("beginning " + "ü" * 1000)
    assert long.startswith("beginning ")
    assert 980 <= len(json.dumps(long)) <= 1002
    assert long.isascii()


def test_only_a_failure_has_a_reason() -> None:
    responses = [json.loads(response.body) for response in (failed(REQUEST, "id", "because"), deleted(REQUEST))]
    assert [(one["Status"], one.get("Reason")) for one in responses] == [("FAILED", "because"), ("SUCCESS", None)]

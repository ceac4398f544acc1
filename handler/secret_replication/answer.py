"""The answer: what CloudFormation is told, in at most 4,096 bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .errors import ReplicationError
from .ports import IN_SYNC, ReplicaStatus
from .reasons import MAX_REASON_LENGTH
from .regions import SecretArn
from .situation import Observed

# P1: over it CloudFormation says "Response object is too long." or the stack hangs.
MAX_BYTES = 4096
_CUT = " [...]"


@dataclass(frozen=True, slots=True)
class Answer:
    """SUCCESS when ``reason`` is empty, FAILED with it otherwise. ``data``: GetAtt's attributes, all strings."""

    physical_id: str
    reason: str = ""
    data: Mapping[str, str] = field(default_factory=dict)


def body(answer: Answer, event: Mapping[str, Any]) -> bytes:
    """The response object for ``event``, as the bytes to PUT.

    Raises:
        ReplicationError: it would be longer than ``MAX_BYTES``.
    """
    response: dict[str, object] = {
        "Status": "FAILED" if answer.reason else "SUCCESS",
        "PhysicalResourceId": answer.physical_id,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
    }
    if answer.reason:
        response["Reason"] = shortened(answer.reason)
    if answer.data:
        response["Data"] = dict(answer.data)
    encoded = json.dumps(response, separators=(",", ":")).encode()
    if len(encoded) > MAX_BYTES:
        raise ReplicationError(
            f"the answer is {len(encoded)} bytes long, CloudFormation takes {MAX_BYTES}: "
            "split ReplicaRegions over several resources"
        )
    return encoded


def shortened(reason: str) -> str:
    """The reason, cut at its end where it is too long as it is written: what JSON escapes takes more bytes."""
    text = reason.encode("ascii", "backslashreplace").decode()
    if _written(text) <= MAX_REASON_LENGTH:
        return text
    text = text[: MAX_REASON_LENGTH - len(_CUT)]
    while _written(text) > MAX_REASON_LENGTH - len(_CUT):
        text = text[:-1]
    return text + _CUT


def _written(text: str) -> int:
    return len(json.dumps(text)) - len('""')


# What is dropped, in this order, each kind whole, until the answer fits.
_DROPPED = ("optional fields of ReplicationStatus", "KmsKeyId", "ReplicaArn")


def success(observed: Observed, regions: list[str], event: Mapping[str, Any]) -> Answer:
    """The answer for replicas that are all InSync, with as many attributes as fit.

    Raises:
        ReplicationError: not even the attributes that are always there fit.
    """
    for count in range(len(_DROPPED)):
        answer = Answer(str(observed.arn), data=_attributes(observed, regions, _DROPPED[:count]))
        try:
            body(answer, event)
        except ReplicationError:
            continue
        return answer
    answer = Answer(str(observed.arn), data=_attributes(observed, regions, _DROPPED))
    body(answer, event)
    return answer


def check_that_it_fits(arn: str, regions: list[str], event: Mapping[str, Any]) -> None:
    """Look, before anything is written, whether the answer will fit.

    Raises:
        ReplicationError: it will not.
    """
    primary = SecretArn.parse(arn)
    if primary and regions:
        replicas = {region: ReplicaStatus(region, IN_SYNC) for region in regions}
        success(Observed(primary, replicas), regions, event)


def _attributes(observed: Observed, regions: list[str], dropped: Sequence[str]) -> dict[str, str]:
    replicas = [observed.replicas[region] for region in sorted(regions)]
    entries = [_entry(replica, whole=_DROPPED[0] not in dropped) for replica in replicas]
    data = {
        "ARN": str(observed.arn),
        "PrimaryRegion": observed.arn.region,
        "ReplicationStatus": json.dumps(entries, separators=(",", ":")),
        "Regions": ",".join(replica.region for replica in replicas),
    }
    data |= {f"Status.{replica.region}": replica.status for replica in replicas}
    if _DROPPED[2] not in dropped:
        data |= {f"ReplicaArn.{replica.region}": str(observed.arn.in_region(replica.region)) for replica in replicas}
    if _DROPPED[1] not in dropped:
        data |= {f"KmsKeyId.{replica.region}": replica.kms_key for replica in replicas}
    return data


def _entry(replica: ReplicaStatus, *, whole: bool) -> dict[str, str]:
    """In the API's own shape (F3)."""
    entry = {"Region": replica.region, "Status": replica.status}
    if whole:
        optional = {
            "KmsKeyId": replica.kms_key,
            "StatusMessage": replica.message,
            "LastAccessedDate": replica.last_accessed,
        }
        entry |= {key: value for key, value in optional.items() if value}
    return entry

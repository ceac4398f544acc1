"""The response to CloudFormation, in at most 4,096 bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from .errors import ResponseTooLongError
from .model import IN_SYNC, Desired, Observed, ReplicaStatus, SecretArn
from .request import Request

# P1: if a response is longer, CloudFormation says "Response object is too long." or the stack hangs.
MAX_BYTES = 4096
# Bytes for the reason, beside the ids.
_REASON_MAX_BYTES = 1000
_CUT = " [...]"
_SUFFIX = re.compile(r"-[A-Za-z0-9]{6}$")
# What is dropped, in this order, each kind whole, until the response fits.
_DROPPED = ("optional fields of ReplicationStatus", "KmsKeyId", "ReplicaArn")


@dataclass(frozen=True, slots=True)
class Response:
    """SUCCESS if ``reason`` is empty, otherwise FAILED. ``data``: GetAtt's attributes. ``body``: the bytes to PUT."""

    physical_id: str
    reason: str
    data: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


def succeeded(request: Request, observed: Observed, regions: Collection[str]) -> Response:
    """The response about replicas that are all InSync, with as many attributes as fit.

    Raises:
        ResponseTooLongError: If not even the attributes that are always present fit.
    """
    for count in range(len(_DROPPED) + 1):
        data = _attributes(observed, regions, _DROPPED[:count])
        response = _response(request, str(observed.arn), data=data)
        if len(response.body) <= MAX_BYTES:
            return response
    raise ResponseTooLongError(
        f"the response would be {len(response.body)} bytes, but CloudFormation accepts only {MAX_BYTES}: "
        "split ReplicaRegions over several resources"
    )


def deleted(request: Request) -> Response:
    """The response to a Delete that succeeded."""
    return _response(request, request.physical_id)


def failed(request: Request, physical_id: str, reason: str) -> Response:
    """The response to a request that failed, with the reason."""
    return _response(request, physical_id, _shortened(reason))


def check_size(request: Request, desired: Desired, region: str) -> None:
    """Check, before anything is written, that the response will fit.

    Args:
        request: the request.
        desired: what it declares.
        region: where a primary given by name lives.

    Raises:
        ResponseTooLongError: If it will not.
    """
    primary = desired.secret
    if not isinstance(primary, SecretArn):
        _, partition, _, _, account, *_ = *request.stack_id.split(":"), *("",) * 5
        primary = SecretArn(partition, region, account, f"{primary}-000000")
    elif not _SUFFIX.search(primary.resource):
        primary = replace(primary, resource=f"{primary.resource}-000000")
    replicas = {name: ReplicaStatus(name, IN_SYNC) for name in desired.replicas}
    succeeded(request, Observed(primary, replicas), desired.replicas)


def _response(request: Request, physical_id: str, reason: str = "", data: Mapping[str, str] | None = None) -> Response:
    content: dict[str, object] = {
        "Status": "FAILED" if reason else "SUCCESS",
        "PhysicalResourceId": physical_id,
        "StackId": request.stack_id,
        "RequestId": request.request_id,
        "LogicalResourceId": request.logical_id,
    }
    if reason:
        content["Reason"] = reason
    if data:
        content["Data"] = data
    return Response(physical_id, reason, data or {}, _encoded(content))


def _shortened(reason: str) -> str:
    """The reason, cut at its end if it is too long in the response: what JSON escapes takes more bytes."""
    text = reason.encode("ascii", "backslashreplace").decode()
    if len(_encoded(text)) <= _REASON_MAX_BYTES:
        return text
    text = text[: _REASON_MAX_BYTES - len(_CUT)]
    while len(_encoded(text)) > _REASON_MAX_BYTES - len(_CUT):
        text = text[:-1]
    return text + _CUT


def _encoded(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _attributes(observed: Observed, regions: Collection[str], dropped: Sequence[str]) -> dict[str, str]:
    replicas = [observed.replicas[region] for region in sorted(regions)]
    entries = [_entry(replica, whole=_DROPPED[0] not in dropped) for replica in replicas]
    arn = str(observed.arn)
    data = {
        "ARN": arn,
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

"""The event, read strictly: what CloudFormation asks for, or an error that says what to write instead.

Source of the shapes: CloudFormation's custom resource request objects.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from .errors import InvalidPropertyError, MalformedEventError
from .ownership import Owner
from .properties import Declaration, read, read_to_delete, service_timeout
from .regions import SecretArn

# Without these nobody can be answered: the answer repeats the three ids.
REQUIRED_KEYS = ("ResponseURL", "StackId", "RequestId", "LogicalResourceId")
# Bytes of the four ids in the answer, which holds 4,096 with a reason of 1,000; CloudFormation's take half of it.
_IDS_MAX_BYTES = 2800


class Operation(Enum):
    """RequestType."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Request:
    """One request of CloudFormation. ``service_timeout`` is in seconds, None where the template sets none.

    ``previous``: what an Update leaves behind, where its SecretId was another.
    """

    operation: Operation
    owner: Owner
    declaration: Declaration
    physical_id: str
    service_timeout: int | None = None
    previous: Declaration | None = None

    @property
    def secret_id(self) -> str:
        """What to look up. A Delete addresses the ARN it once answered, never the name, which may be reused."""
        if self.operation is Operation.DELETE and SecretArn.parse(self.physical_id):
            return self.physical_id
        return self.declaration.secret_id

    @property
    def has_nothing_to_delete(self) -> bool:
        """A Delete of what its Create has never even seen, or of no secret at all."""
        never_seen = self.physical_id == _unseen(self.owner) or not self.secret_id
        return self.operation is Operation.DELETE and never_seen


def check_event(event: object) -> Mapping[str, Any]:
    """The event, when it can be answered at all.

    Raises:
        MalformedEventError: it is no object, one of ``REQUIRED_KEYS`` is missing, or its ids are too long to repeat.
    """
    if not isinstance(event, Mapping):
        raise MalformedEventError(f"the event is a {type(event).__name__}, not a CloudFormation request")
    missing = [key for key in REQUIRED_KEYS if not isinstance(event.get(key), str) or not event[key]]
    if missing:
        raise MalformedEventError(
            f"the event lacks {', '.join(missing)}: this function answers CloudFormation custom resource requests only"
        )
    length = len(json.dumps([*(event[key] for key in REQUIRED_KEYS[1:]), fallback_physical_id(event)]))
    if length > _IDS_MAX_BYTES:
        raise MalformedEventError(f"the event's ids take {length} bytes, which no answer holds: not CloudFormation's")
    return event


def fallback_physical_id(event: Mapping[str, Any]) -> str:
    """The id to answer with while the primary's ARN is not known: the same for the resource's life (P1, C2)."""
    return str(event.get("PhysicalResourceId") or _unseen(Owner.of(event["StackId"], event["LogicalResourceId"])))


def _unseen(owner: Owner) -> str:
    """The id of a resource whose Create has failed before it saw the primary."""
    return f"{owner.logical_id}-{owner.stack}"


def parse(event: Mapping[str, Any], *, region: str) -> Request:
    """Read a checked event.

    Args:
        event: what ``check_event`` returned.
        region: the Region that a primary given by name lives in: the function's own.

    Raises:
        InvalidPropertyError: a property is missing, unknown, or has a value that is not allowed.
    """
    owner = Owner.of(event["StackId"], event["LogicalResourceId"])
    physical_id = fallback_physical_id(event)
    try:
        operation = Operation(event.get("RequestType"))
    except ValueError:
        raise InvalidPropertyError("RequestType", event.get("RequestType"), "use Create, Update or Delete") from None
    properties = event.get("ResourceProperties")
    timeout = service_timeout(properties)
    if operation is Operation.DELETE:
        return Request(operation, owner, read_to_delete(properties), physical_id, timeout)
    declaration, previous = read(properties, region), read_to_delete(event.get("OldResourceProperties"))
    moved = operation is Operation.UPDATE and previous.secret_id not in ("", declaration.secret_id)
    return Request(operation, owner, declaration, physical_id, timeout, previous if moved else None)

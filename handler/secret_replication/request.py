"""The event: what CloudFormation requests, and where the response goes.

Source of the shapes: CloudFormation's custom resource request objects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from .errors import InvalidPropertyError, MalformedEventError
from .model import SecretArn
from .ownership import Owner

# Without these no response can be sent: it repeats the three ids.
REQUIRED_KEYS = ("ResponseURL", "StackId", "RequestId", "LogicalResourceId")


class RequestType(Enum):
    """CloudFormation's three request types."""

    CREATE = "Create"
    UPDATE = "Update"
    DELETE = "Delete"


@dataclass(frozen=True, slots=True)
class Request:
    """One request of CloudFormation, its properties not yet read.

    Attributes:
        request_type: as it came; ``type`` checks it.
        physical_id: the resource's, or a placeholder until the primary's ARN is known: one for the resource's whole
            life (P1, C2).
        properties: ResourceProperties.
        old_properties: an Update's OldResourceProperties.
    """

    request_type: object
    stack_id: str
    request_id: str
    logical_id: str
    response_url: str = field(repr=False)
    owner: Owner
    physical_id: str
    properties: object
    old_properties: object = None

    @classmethod
    def of(cls, event: object) -> Request:
        """Read an event as far as a response needs it.

        Raises:
            MalformedEventError: If it is not an object, or one of ``REQUIRED_KEYS`` is missing.
        """
        if not isinstance(event, Mapping):
            raise MalformedEventError(f"the event is a {type(event).__name__}, not a CloudFormation request")
        missing = [key for key in REQUIRED_KEYS if not isinstance(event.get(key), str) or not event[key]]
        if missing:
            raise MalformedEventError(
                f"the event lacks {', '.join(missing)}: this function serves CloudFormation custom resource requests"
            )
        owner = Owner.of(event["StackId"], event["LogicalResourceId"])
        return cls(
            event.get("RequestType"),
            event["StackId"],
            event["RequestId"],
            event["LogicalResourceId"],
            event["ResponseURL"],
            owner,
            str(event.get("PhysicalResourceId") or placeholder_id(owner)),
            event.get("ResourceProperties"),
            event.get("OldResourceProperties"),
        )

    @property
    def type(self) -> RequestType:
        """The RequestType.

        Raises:
            InvalidPropertyError: If it is none of the three.
        """
        try:
            return RequestType(self.request_type)
        except ValueError:
            raise InvalidPropertyError("RequestType", self.request_type, "use Create, Update or Delete") from None

    @property
    def primary(self) -> SecretArn | None:
        """The primary's ARN, if the resource's id is one: the id of a resource that has been created."""
        return SecretArn.parse(self.physical_id)

    @property
    def has_placeholder_id(self) -> bool:
        """Whether the resource's Create failed before it observed the primary."""
        return self.physical_id == placeholder_id(self.owner)


def placeholder_id(owner: Owner) -> str:
    """The id of a resource whose primary is not known yet."""
    return f"{owner.logical_id}-{owner.stack}"

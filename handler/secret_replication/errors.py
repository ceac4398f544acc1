"""What can go wrong, each with CloudFormation's handler error code and whether a retry can help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class ReplicationError(Exception):
    """Base of every failure that this package reports to CloudFormation."""

    code: ClassVar[str] = "GeneralServiceException"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, aws_message: str = "") -> None:
        """``aws_message``: AWS's own part of the message, if the message holds more, such as a secret's name."""
        super().__init__(message)
        self.aws_message = aws_message or message


class MalformedEventError(ReplicationError):
    """The event lacks what a response needs, so no response can be sent."""

    code = "InvalidRequest"


class ResponseTooLongError(ReplicationError):
    """The response would exceed CloudFormation's 4,096 bytes."""

    code = "InvalidRequest"


class InvalidPropertyError(ReplicationError):
    """A property has a value that is not allowed."""

    code = "InvalidRequest"

    def __init__(self, prop: str, value: object, allowed: str) -> None:
        super().__init__(f"{prop} is {'missing' if value is None else repr(value)}: {allowed}")


class UnknownPropertyError(ReplicationError):
    """There is no such property. Its value is not shown: it may be a secret that was meant for another property."""

    code = "InvalidRequest"

    def __init__(self, prop: str, known: Iterable[str]) -> None:
        super().__init__(f"{prop}: unknown property; use {', '.join(known)}")


class SecretNotFoundError(ReplicationError):
    """No secret of that name or ARN exists in the Region that was asked (F17)."""

    code = "NotFound"


class SecretDeletedError(ReplicationError):
    """The secret is scheduled for deletion, so nothing can be done with it (F17)."""

    code = "NotFound"


class NotOwnedError(ReplicationError):
    """A replica belongs to another stack."""

    code = "ResourceConflict"


class SupersededError(ReplicationError):
    """The ownership tags disappeared during the run: a Delete arrived, or another resource or person removed them."""

    code = "ResourceConflict"


class ReplicaFailedError(ReplicationError):
    """A replica cannot become InSync, however long the run waits."""

    code = "NotStabilized"


class DeadlineError(ReplicationError):
    """Time ran out before every declared replica was InSync and every dropped one was gone."""

    code = "NotStabilized"


class AccessDeniedError(ReplicationError):
    """The role lacks a permission. Right after a role was changed, a retry helps."""

    code = "AccessDenied"
    retryable = True


class RejectedError(ReplicationError):
    """AWS rejected the call: InvalidParameterException, InvalidRequestException or another 4xx."""

    code = "InvalidRequest"


class NotPrimaryError(RejectedError):
    """The secret is a replica itself (F15)."""


class UnavailableError(ReplicationError):
    """Throttled, a 5xx or no connection, after botocore's own retries."""

    code = "ServiceInternalError"
    retryable = True


class ThrottledError(UnavailableError):
    """Too many calls for the account's limit (F40)."""

"""What can go wrong, each with CloudFormation's handler error code and whether a retry can help."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar


class ReplicationError(Exception):
    """Base of every failure that this package reports to CloudFormation."""

    code: ClassVar[str] = "GeneralServiceException"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, words: str = "") -> None:
        """``words``: AWS's own, where the message has more than those, such as a secret's name."""
        super().__init__(message)
        self.words = words or message


class MalformedEventError(ReplicationError):
    """The event lacks what an answer needs: nobody can be answered."""

    code = "InvalidRequest"


class InvalidPropertyError(ReplicationError):
    """A property has a value that is not allowed."""

    code = "InvalidRequest"

    def __init__(self, prop: str, value: object, allowed: str) -> None:
        super().__init__(f"{prop} is {value!r}: {allowed}")


class UnknownPropertyError(ReplicationError):
    """There is no such property. Its value is not shown: it may have been meant for something else, and secret."""

    code = "InvalidRequest"

    def __init__(self, prop: str, known: Iterable[str]) -> None:
        super().__init__(f"{prop}: there is no such property; use {', '.join(known)}")


class SecretNotFoundError(ReplicationError):
    """No secret of that name or ARN exists in the Region asked (F17)."""

    code = "NotFound"


class SecretDeletedError(ReplicationError):
    """The secret is scheduled for deletion, so nothing can be done with it (F17)."""

    code = "NotFound"


class NotOursError(ReplicationError):
    """A replica belongs to another stack."""

    code = "ResourceConflict"


class SupersededError(ReplicationError):
    """The ownership tags went away while we worked: a Delete came, or another resource took over."""

    code = "ResourceConflict"


class ReplicaFailedError(ReplicationError):
    """A replica cannot become InSync, whatever the time."""

    code = "NotStabilized"


class DeadlineError(ReplicationError):
    """The time ran out before everything declared was true."""

    code = "NotStabilized"


class AccessDeniedError(ReplicationError):
    """The role may not do that; right after a role was changed this heals."""

    code = "AccessDenied"
    retryable = True


class RefusedError(ReplicationError):
    """Secrets Manager refused the call: InvalidParameterException or InvalidRequestException."""

    code = "InvalidRequest"


class UnavailableError(ReplicationError):
    """Throttled, a 5xx or no connection, after botocore's own retries."""

    code = "ServiceInternalError"
    retryable = True


class ThrottledError(UnavailableError):
    """There were too many calls for the account's limit (F40)."""

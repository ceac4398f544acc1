"""The one module that imports crhelper: exactly one response for each request (docs/design/protocol.md)."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from crhelper import CfnResource

from .errors import MalformedEventError
from .request import Request
from .response import Response, failed
from .service import Service

Put = Callable[[str, bytes], bool]

# Before Lambda ends the invocation, and after the deadline of our own (service.RESPONSE_MARGIN): the last resort.
GUARD_MARGIN = 8.0
# One PUT to S3 takes well under a second; three tries with their pauses stay inside the margin.
_PUT_TIMEOUT = urllib3.Timeout(connect=1.5, read=2.0)
_PAUSES = (0.25, 0.5)
# These log the event, bodies or the ResponseURL at DEBUG and INFO, whatever level the function has (C5, P9).
_TALKATIVE = ("crhelper", "botocore", "boto3", "urllib3")


class ResponseNotDeliveredError(Exception):
    """CloudFormation did not accept the response. Raised out of the function, so that Lambda retries and counts it."""


class UnexpectedError(Exception):
    """A bug in this package."""


class CustomResource(CfnResource):
    """The protocol of one request: ``CustomResource(service)(event, context)`` responds to it, once.

    Args:
        service: does the work.
        put: sends the bytes of a response to a URL, and returns whether they were accepted. Default: by HTTP.

    Attributes:
        delivered: the response was accepted.
        succeeded: the response was accepted, and it was SUCCESS.
    """

    # Its stubs omit these (C10).
    _context: Any
    _timeout: Callable[[], None]

    # crhelper makes three boto3 clients for its polling, which is not used here, except under SAM (C7, C9).
    _sam_local = property(lambda self: True, lambda self, value: None)

    def __init__(self, service: Service, put: Put | None = None) -> None:
        super().__init__(json_logging=False, log_level="INFO", boto_level="ERROR", sleep_on_delete=0)
        self._service, self._put = service, put or _put
        self._lock = threading.Lock()
        self._response: Response | None = None
        self._sent = False
        self.delivered = False
        self.succeeded = False

    def __call__(self, event: Mapping[str, Any], context: Any) -> None:
        """Serve the event and respond to it.

        Raises:
            MalformedEventError: If no response can be sent, or the ResponseURL is not https.
            ResponseNotDeliveredError: If the response was not accepted.
        """
        self._request = Request.of(event)
        check_response_url(self._request.response_url)
        # crhelper looks the function up by RequestType, and must find one even for a wrong RequestType.
        super().__call__({**event, "RequestType": str(self._request.request_type)}, context)
        with self._lock:
            if not self.delivered:
                raise ResponseNotDeliveredError(
                    f"CloudFormation did not accept the response to request {self._request.request_id}"
                )

    def _log_setup(self, event: Mapping[str, Any], context: Any) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    def _get_func(self) -> Callable[[Mapping[str, Any], Any], str]:
        """The same function for every RequestType: a missing one would respond SUCCESS (C8)."""
        return self._work

    def _poll_enabled(self) -> None:
        """Never: polling would store the event, including its ResponseURL, in an EventBridge target (C9)."""

    def _work(self, event: Mapping[str, Any], context: Any) -> str:
        try:
            self._response = self._service.handle(self._request, context.get_remaining_time_in_millis() / 1000)
        except Exception as error:
            # crhelper logs the traceback and reports the text; a KeyError's text alone says nothing.
            raise UnexpectedError(
                f"unexpected {type(error).__name__}: {error}; see the function's CloudWatch log"
            ) from error
        return self._response.physical_id

    def _set_timeout(self) -> None:
        seconds = self._context.get_remaining_time_in_millis() / 1000 - GUARD_MARGIN
        self._timer = threading.Timer(max(0.0, seconds), self._timeout)
        self._timer.daemon = True
        self._timer.start()

    def _send(self, status: str | None = None, reason: str = "", send_response: object = None) -> None:
        """Send the response, unless the guard, which runs on another thread, already did (C1)."""
        with self._lock:
            if self._sent:
                return
            self._sent = True
            response = self._response
            if response is None:
                # crhelper's own id would be empty, or different each time (C2).
                reason = reason or self.Reason
                reason = reason or "the function failed without reporting a reason; see its CloudWatch log"
                response = failed(self._request, self._service.failed_id(self._request), reason)
            self.delivered = self._put(self._request.response_url, response.body)
            self.succeeded = self.delivered and not response.reason


def check_response_url(url: str) -> None:
    """Send responses by https only, or to the endpoint that AWS_ENDPOINT_URL names.

    Raises:
        MalformedEventError: If it is another URL. The message does not show it: it is a bearer token (P9).
    """
    try:
        parts, local = urlsplit(url), urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    except ValueError:
        raise MalformedEventError("the ResponseURL is not a URL: no response sent") from None
    is_local = bool(local.netloc) and (parts.scheme, parts.netloc) == (local.scheme, local.netloc)
    if not (is_local or (parts.scheme == "https" and parts.hostname)):
        raise MalformedEventError("the ResponseURL is not an https URL: no response sent")


def _put(url: str, encoded: bytes) -> bool:
    """PUT the response; True if it was accepted. A rejection (4xx) is final, anything else is retried (C3)."""
    with urllib3.PoolManager(retries=False, timeout=_PUT_TIMEOUT) as http:
        for pause in (*_PAUSES, None):
            try:
                # S3 signs the URL without a content type, so none may be sent.
                status = http.request("PUT", url, body=encoded, headers={"Content-Type": ""}).status
                problem = f"status {status}"
            except urllib3.exceptions.HTTPError as error:
                status, problem = 0, type(error).__name__
            if status == HTTPStatus.OK:
                return True
            logging.getLogger(__name__).warning("CloudFormation did not accept the response: %s", problem)
            if pause is None or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(pause)
    return False

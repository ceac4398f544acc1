"""The one module that imports crhelper: the protocol, with its traps put right (docs/protocol.md)."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import urllib3
from crhelper import FAILED, CfnResource

from .answer import Answer, body
from .errors import MalformedEventError, ReplicationError
from .request import check_event, fallback_physical_id

Serve = Callable[[Mapping[str, Any], float, Callable[[str], None]], Answer]
Put = Callable[[str, bytes], bool]

# Before Lambda ends the invocation, and after the deadline of our own (service.ANSWER_MARGIN): the last resort.
GUARD_MARGIN = 8.0
# One PUT to S3 takes well under a second; three tries with their pauses stay inside the margin.
_PUT_TIMEOUT = urllib3.Timeout(connect=1.5, read=2.0)
_PAUSES = (0.25, 0.5)
_S3_HOST = re.compile(r"[a-z0-9.-]+\.s3(?:[.-][a-z0-9.-]+)?")
# Partitions have domains of their own, by how their Regions' names begin.
_DOMAIN = "amazonaws.com"
_DOMAINS = {
    "cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk", "us-isof-": "csp.hci.ic.gov",
}  # fmt: skip
# These log the event, bodies or the ResponseURL at DEBUG and INFO, whatever level the function has (C5, P9).
_TALKATIVE = ("crhelper", "botocore", "boto3", "urllib3")


class AnswerNotDeliveredError(Exception):
    """CloudFormation did not take the answer. Raised out of the function, so that Lambda tries again and counts it."""


class UnexpectedError(Exception):
    """A defect of ours."""


class CustomResource(CfnResource):
    """One request's protocol: ``CustomResource(serve)(event, context)`` answers it, once.

    ``delivered``: the answer was taken. ``succeeded``: and it was SUCCESS.

    Args:
        serve: the work. It gets the event, the seconds left, and a function to call with the physical id as soon
            as that is known.
        put: sends the bytes of an answer to a URL, and says whether it was taken. Left out: by HTTP.
    """

    # Its stubs leave these out (C10).
    _event: Mapping[str, Any]
    _context: Any
    _response_url: str
    _timeout: Callable[[], None]

    # crhelper makes three boto3 clients for its polling, which is not used here, except under SAM (C7, C9).
    _sam_local = property(lambda self: True, lambda self, value: None)

    def __init__(self, serve: Serve, put: Put | None = None) -> None:
        super().__init__(json_logging=False, log_level="INFO", boto_level="ERROR", sleep_on_delete=0)
        self._serve, self._put = serve, put or _put
        self._lock = threading.Lock()
        self._answered = False
        self.delivered = False
        self.succeeded = False

    def __call__(self, event: object, context: Any) -> None:
        """Serve the event and answer it.

        Raises:
            MalformedEventError: nobody can be answered, or the ResponseURL is not CloudFormation's.
            AnswerNotDeliveredError: the answer was not taken.
        """
        checked = check_event(event)
        check_response_url(checked["ResponseURL"])
        # crhelper looks the function up by RequestType before ours can refuse it.
        super().__call__({**checked, "RequestType": str(checked.get("RequestType"))}, context)
        with self._lock:
            if not self.delivered:
                raise AnswerNotDeliveredError(f"CloudFormation did not take the answer to request {self.RequestId}")

    def _log_setup(self, event: Mapping[str, Any], context: Any) -> None:
        for name in _TALKATIVE:
            logging.getLogger(name).setLevel(logging.WARNING)

    def _get_func(self) -> Callable[[Mapping[str, Any], Any], str]:
        """The same function for every RequestType: a missing one would answer SUCCESS (C8)."""
        return self._work

    def _poll_enabled(self) -> None:
        """Never: polling would store the event, its ResponseURL too, in an EventBridge target (C9)."""

    def _work(self, event: Mapping[str, Any], context: Any) -> str:
        # A crash would otherwise be answered with an id of crhelper's making, another one each time (C2).
        self._known(fallback_physical_id(event))
        try:
            answer = self._serve(event, context.get_remaining_time_in_millis() / 1000, self._known)
        except Exception as error:
            # crhelper logs the traceback and reports the text; a KeyError's text alone tells nothing.
            raise UnexpectedError(
                f"unexpected {type(error).__name__}: {error}; the function's log says more"
            ) from error
        self.Data = dict(answer.data)
        if answer.reason:
            self.Status, self.Reason = FAILED, answer.reason
        return answer.physical_id

    def _known(self, physical_id: str) -> None:
        self.PhysicalResourceId = physical_id

    def _set_timeout(self) -> None:
        seconds = self._context.get_remaining_time_in_millis() / 1000 - GUARD_MARGIN
        self._timer = threading.Timer(max(0.0, seconds), self._timeout)
        self._timer.daemon = True
        self._timer.start()

    def _send(self, status: str | None = None, reason: str = "", send_response: object = None) -> None:
        """Answer, if nobody has yet: the guard runs on another thread (C1)."""
        with self._lock:
            if self._answered:
                return
            self._answered = True
            physical_id = self.PhysicalResourceId or fallback_physical_id(self._event)
            failure = (reason if status else self.Reason) or "the function failed without a word; see its log"
            failed = FAILED in (status, self.Status)
            answer = Answer(physical_id, failure) if failed else Answer(physical_id, data=self.Data)
            try:
                encoded = body(answer, self._event)
            except (ReplicationError, TypeError) as error:
                # Too long, or not JSON: crhelper would leave out the ids, and the stack would hang (C4).
                answer = Answer(physical_id, f"the answer could not be written: {error}")
                encoded = body(answer, self._event)
            self.delivered = self._put(self._response_url, encoded)
            self.succeeded = self.delivered and not answer.reason


def check_response_url(url: str) -> None:
    """Only CloudFormation is answered: https to the partition's S3, or the endpoint that AWS_ENDPOINT_URL names.

    Raises:
        MalformedEventError: it is another URL. The message does not show it: it is a bearer token (P9).
    """
    try:
        parts, local = urlsplit(url), urlsplit(os.environ.get("AWS_ENDPOINT_URL", ""))
    except ValueError:
        raise MalformedEventError("the ResponseURL is no URL: not answered") from None
    region = os.environ.get("AWS_REGION", "")
    domain = next((domain for start, domain in _DOMAINS.items() if region.startswith(start)), _DOMAIN)
    s3, of_partition = parts.netloc.removesuffix(f".{domain}"), parts.netloc.endswith(f".{domain}")
    to_s3 = parts.scheme == "https" and of_partition and _S3_HOST.fullmatch(s3) is not None
    to_local = bool(local.netloc) and (parts.scheme, parts.netloc) == (local.scheme, local.netloc)
    if not (to_s3 or to_local):
        raise MalformedEventError(
            f"the ResponseURL points to {parts.hostname}, which is not CloudFormation: not answered"
        )


def _put(url: str, encoded: bytes) -> bool:
    """PUT the answer; True when it was taken. A refusal (4xx) is final, everything else is tried again (C3)."""
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
            logging.getLogger(__name__).warning("CloudFormation did not take the answer: %s", problem)
            if pause is None or HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
                break
            time.sleep(pause)
    return False

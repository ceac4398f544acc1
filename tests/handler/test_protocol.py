"""The protocol round the handler, called as Lambda calls it, against a real HTTP response URL.

Each trap of crhelper is shown twice: crhelper alone falls into it, our adapter does not.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import crhelper.resource_helper
import crhelper.utils
import pytest

from local.clock import SystemClock
from local.secrets_manager import Delays, SecretsManager
from local.wire import Endpoint, client
from secret_replication import cloudformation
from secret_replication.cloudformation import CustomResource, ResponseNotDeliveredError, check_response_url
from secret_replication.errors import MalformedEventError
from secret_replication.main import handler
from secret_replication.request import Request
from secret_replication.response import Response, failed
from tests.helpers.world import PRIMARY, event

PLAIN_SECONDS = 1.0
ROOT = Path(__file__).parents[2]
# crhelper leaves its connections open.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class ResponseUrl(Endpoint):
    """An endpoint that also takes the responses to custom resource requests."""

    def __init__(self) -> None:
        self.model = SecretsManager(SystemClock(), Delays(in_sync=0.1, gone=0.2))
        super().__init__(self.model)
        self.bodies: list[bytes] = []
        self.paths: list[str] = []
        self.replies: list[int] = []
        self.delay = 0.0

    def put(self, path: str, body: bytes) -> tuple[int, bytes]:
        time.sleep(self.delay)
        self.paths.append(path)
        self.bodies.append(body)
        return (self.replies.pop(0) if self.replies else 200), b""

    @property
    def responses(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies]

    def event(self, operation: str = "Create", **changes: Any) -> dict[str, Any]:
        return event(operation, **{"ResponseURL": f"{self.url}/response?token=bearer"} | changes)


@pytest.fixture
def url(monkeypatch: pytest.MonkeyPatch) -> Iterator[ResponseUrl]:
    with ResponseUrl() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint.url)
        monkeypatch.setenv("AWS_REGION", PRIMARY)
        yield endpoint


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Callable[..., Any]:
    """crhelper as its README has it, made to speak http to the local URL; without its waits where not asked for.

    It logs the ResponseURL (C5), which no test may, unless that is what it is about.
    """
    caplog.set_level(logging.WARNING, "crhelper")
    monkeypatch.setattr(crhelper.utils, "HTTPSConnection", lambda host, context: http.client.HTTPConnection(host))
    monkeypatch.setenv("AWS_REGION", PRIMARY)

    def make(work: Callable[[Any, Any], Any] | None, **options: Any) -> Any:
        helper = crhelper.resource_helper.CfnResource(**{"sleep_on_delete": 0} | options)
        if work:
            for register in (helper.create, helper.update, helper.delete):
                register(work)
        return helper

    return make


def context(seconds: float = 60.0) -> Any:
    """Lambda's context object."""
    end = time.monotonic() + seconds
    return SimpleNamespace(
        get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000),
        aws_request_id="invocation",
        function_name="provider",
    )


def crash(*_: object) -> Any:
    raise KeyError("missing")


def responding(work: Callable[[Request], Response], failed_id: str = "id") -> CustomResource:
    """Our adapter around a service that does nothing but this."""
    service: Any = SimpleNamespace(failed_id=lambda request: failed_id, handle=lambda request, _: work(request))
    return CustomResource(service)


def with_id(request: Request) -> Response:
    return failed(request, "id", "because")


def slowly(request: Request) -> Response:
    time.sleep(1.0)
    return with_id(request)


def secret(url: ResponseUrl) -> str:
    return str(client(url.model, PRIMARY).create_secret(Name="app/database", SecretString="hunter2")["ARN"])


# One response, well formed, whatever happens.


def assert_well_formed(response: dict[str, Any], status: str) -> None:
    assert response["Status"] == status
    assert response["PhysicalResourceId"]
    assert (response["StackId"], response["RequestId"], response["LogicalResourceId"]) == (
        event()["StackId"],
        "request",
        "Replication",
    )
    assert bool(response.get("Reason")) == (status == "FAILED")
    assert all(isinstance(value, str) for value in response.get("Data", {}).values())


def test_one_response_to_a_success(url: ResponseUrl) -> None:
    arn = secret(url)
    handler(url.event(), context())
    (response,) = url.responses
    assert_well_formed(response, "SUCCESS")
    assert response["PhysicalResourceId"] == arn
    assert response["Data"]["Status.eu-west-3"] == "InSync"


def test_one_response_to_a_failure(url: ResponseUrl) -> None:
    handler(url.event(), context())
    (response,) = url.responses
    assert_well_formed(response, "FAILED")
    assert "can't find the specified secret" in response["Reason"]


def test_one_response_to_a_crash(url: ResponseUrl) -> None:
    responding(crash)(url.event(), context())
    (response,) = url.responses
    assert_well_formed(response, "FAILED")
    assert response["Reason"].startswith("unexpected KeyError: 'missing'")


@pytest.mark.parametrize("missing", ["RequestType", "ResourceProperties", "ResourceType"])
def test_one_response_to_an_event_that_lacks_an_optional_key(url: ResponseUrl, missing: str) -> None:
    secret(url)
    request = url.event()
    del request[missing]
    handler(request, context())
    (response,) = url.responses
    assert_well_formed(response, "SUCCESS" if missing == "ResourceType" else "FAILED")


@pytest.mark.parametrize("missing", ["ResponseURL", "StackId", "RequestId", "LogicalResourceId"])
def test_an_event_without_a_way_to_respond_raises_an_error(url: ResponseUrl, missing: str) -> None:
    request = url.event()
    del request[missing]
    with pytest.raises(MalformedEventError, match=missing):
        handler(request, context())
    assert url.responses == []


def test_one_response_to_a_timeout_with_the_real_id(url: ResponseUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard responds on another thread; the work, when it ends, does not respond again."""
    monkeypatch.setattr(cloudformation, "GUARD_MARGIN", 0.5)

    responding(slowly, failed_id="arn:known")(url.event(), context(seconds=0.8))
    (response,) = url.responses
    assert_well_formed(response, "FAILED")
    assert response["PhysicalResourceId"] == "arn:known"
    assert "timed out" in response["Reason"]


def test_our_own_deadline_comes_before_the_guards(url: ResponseUrl) -> None:
    secret(url)
    url.model.script.stall()
    handler(url.event(), context(seconds=17))
    (response,) = url.responses
    assert "not finished after 2 s: eu-west-3 InProgress" in response["Reason"]


# The traps, by their number in docs/design/protocol.md.


def test_c1_responds_once(url: ResponseUrl, plain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    plain(lambda *_: time.sleep(1.0))(url.event(), context(seconds=0.8))
    assert len(url.responses) == 2
    url.bodies.clear()
    monkeypatch.setattr(cloudformation, "GUARD_MARGIN", 0.5)
    responding(slowly)(url.event(), context(seconds=0.8))
    assert len(url.responses) == 1


def test_c2_the_id_is_never_empty_nor_random(url: ResponseUrl, plain: Callable[..., Any]) -> None:
    plain(lambda *_: time.sleep(0.5))(url.event(), context(seconds=0.7))
    assert url.responses[0]["PhysicalResourceId"] == ""
    url.bodies.clear()
    for _ in range(2):
        plain(crash)(url.event(), context())
    assert url.responses[0]["PhysicalResourceId"] != url.responses[1]["PhysicalResourceId"]
    url.bodies.clear()
    for _ in range(2):
        responding(crash)(url.event(), context())
    assert url.responses[0]["PhysicalResourceId"] == url.responses[1]["PhysicalResourceId"] != ""


@pytest.mark.parametrize("status", [403, 503])
def test_c3_a_rejected_put_is_not_a_success(url: ResponseUrl, plain: Callable[..., Any], status: int) -> None:
    url.replies = [status]
    plain(lambda *_: "id")(url.event(), context())
    url.replies = [status] * 3
    with pytest.raises(ResponseNotDeliveredError):
        responding(with_id)(url.event(), context())


def test_c3_a_server_error_is_retried(url: ResponseUrl) -> None:
    url.replies = [503, 200]
    responding(with_id)(url.event(), context())
    assert len(url.responses) == 2


def test_c3_a_put_that_hangs_times_out(
    url: ResponseUrl, plain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    url.delay = PLAIN_SECONDS
    started = time.monotonic()
    plain(lambda *_: "id")(url.event(), context())
    assert time.monotonic() - started >= PLAIN_SECONDS, "crhelper waits for as long as it takes"
    monkeypatch.setattr(cloudformation, "_PUT_TIMEOUT", 0.1)
    started = time.monotonic()
    with pytest.raises(ResponseNotDeliveredError):
        responding(with_id)(url.event(), context())
    assert time.monotonic() - started < 3


def test_c3_an_empty_test_event_is_rejected_immediately(
    url: ResponseUrl, plain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Endless(BaseException):
        pass

    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 20:
            raise Endless

    monkeypatch.setattr(time, "sleep", pause)
    with pytest.raises(Endless):
        plain(lambda *_: "id")({}, context())
    with pytest.raises(MalformedEventError, match="serves CloudFormation custom resource requests"):
        handler({}, context())


def test_c4_a_body_that_is_not_json_is_a_failure_that_names_the_request(
    url: ResponseUrl, plain: Callable[..., Any]
) -> None:
    helper: Any = plain(lambda *_: helper.Data.update(when=datetime.now(UTC)))
    helper(url.event(), context())
    assert "StackId" not in url.responses[0]
    url.bodies.clear()
    wrong: Any = datetime.now(UTC)
    responding(lambda request: failed(request, wrong, "because"))(url.event(), context())
    assert_well_formed(url.responses[0], "FAILED")


def test_c4_a_long_reason_keeps_its_beginning(url: ResponseUrl, plain: Callable[..., Any]) -> None:
    reason = "NotStabilized: eu-west-3 failed because " + "x" * 2000

    def fail(*_: object) -> None:
        raise ValueError(reason)

    plain(fail)(url.event(), context())
    assert "eu-west-3" not in url.responses[0]["Reason"]
    responding(lambda request: failed(request, "id", reason))(url.event(), context())
    assert url.responses[1]["Reason"].startswith("NotStabilized: eu-west-3 failed")
    assert 980 < len(url.responses[1]["Reason"]) <= 1000


@pytest.mark.shows_a_leak
def test_c5_neither_event_nor_response_url_is_logged_at_any_level(
    url: ResponseUrl, plain: Callable[..., Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("crhelper", "urllib3", "botocore"):
        caplog.set_level(logging.DEBUG, name)
    plain(lambda *_: "id")(url.event(), context())
    assert "token=bearer" in caplog.text
    caplog.clear()
    logging.root.setLevel(logging.DEBUG)
    responding(with_id)(url.event(), context())
    url.replies = [503, 503, 503]
    with pytest.raises(ResponseNotDeliveredError):
        responding(with_id)(url.event(), context())
    assert "did not accept the response" in caplog.text
    assert "bearer" not in caplog.text


def test_c6_nothing_is_left_of_the_previous_request(url: ResponseUrl, plain: Callable[..., Any]) -> None:
    helper: Any = plain(lambda *_: setattr(helper, "NoEcho", True))
    helper(url.event(), context())
    broken = url.event(RequestId="second")
    del broken["LogicalResourceId"]
    helper(broken, context())
    assert len(url.responses) == 2, "crhelper responds to a broken event at the URL of the one before"
    url.bodies.clear()
    secret(url)
    handler(url.event(), context())
    with pytest.raises(MalformedEventError):
        handler(broken, context())
    assert len(url.responses) == 1
    assert "NoEcho" not in url.responses[0]


def test_c7_no_client_is_made_and_a_delete_does_not_sleep(
    url: ResponseUrl, plain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    slept: list[float] = []
    monkeypatch.setattr(boto3, "client", lambda name, **_: made.append(name))
    waiting = vars(crhelper.resource_helper.CfnResource)["_wait_for_cwlogs"]
    monkeypatch.setattr(waiting, "__defaults__", (slept.append,))
    plain(lambda *_: "id", sleep_on_delete=120)(url.event("Delete"), context(seconds=900))
    assert (made, slept) == (["lambda", "events", "logs"], [120])
    made.clear()
    slept.clear()
    responding(with_id)(url.event("Delete"), context(seconds=900))
    assert (made, slept) == ([], [])


def test_c8_a_request_without_a_function_fails(url: ResponseUrl, plain: Callable[..., Any]) -> None:
    plain(None)(url.event(), context())
    assert url.responses[0]["Status"] == "SUCCESS"
    handler(url.event("Frobnicate"), context())
    assert_well_formed(url.responses[1], "FAILED")
    assert "RequestType is 'Frobnicate': use Create, Update or Delete" in url.responses[1]["Reason"]


def test_c8_a_lost_response_reaches_lambdas_error_metric(url: ResponseUrl, plain: Callable[..., Any]) -> None:
    url.replies = [403, 403]
    plain(lambda *_: "id")(url.event(), context())
    with pytest.raises(ResponseNotDeliveredError):
        responding(with_id)(url.event(), context())


def test_c9_there_is_no_polling(url: ResponseUrl, plain: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """crhelper's polling puts the whole event, its ResponseURL too, into an EventBridge target."""
    stored: list[str] = []
    monkeypatch.setattr(
        crhelper.resource_helper.CfnResource, "_setup_polling", lambda self: stored.append(self._event["ResponseURL"])
    )
    helper = plain(lambda *_: None)
    helper.poll_create(lambda *_: True)
    helper(url.event(), context())
    assert stored == [url.event()["ResponseURL"]]
    ours = responding(with_id)
    ours.poll_create(lambda *_: True)
    ours(url.event(), context())
    assert [response["Reason"] for response in url.responses] == ["because"]
    assert len(stored) == 1


_BUCKET = "https://cloudformation-custom-resource-response"


@pytest.mark.parametrize(
    "good",
    [
        f"{_BUCKET}-uswest2.s3.us-west-2.amazonaws.com/x?y",
        f"{_BUCKET}-useast1.s3.amazonaws.com/x?y",
        f"{_BUCKET}-cnnorth1.s3.cn-north-1.amazonaws.com.cn/x",
        "https://a-partition-of-the-future.example/x",
        "http://127.0.0.1:4566/_response/1",
    ],
)
def test_responses_go_to_https_and_to_the_local_endpoint(monkeypatch: pytest.MonkeyPatch, good: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    check_response_url(good)


@pytest.mark.parametrize(
    "bad",
    [
        "http://bucket.s3.us-west-2.amazonaws.com/x?token=bearer",
        "http://127.0.0.1:4567/x?token=bearer",
        "http://169.254.169.254/latest?token=bearer",
        "file:///etc/passwd?token=bearer",
        "https:///x?token=bearer",
        "not a url?token=bearer",
        "https://[::1/x?token=bearer",
    ],
)
def test_responses_go_nowhere_else(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")
    with pytest.raises(MalformedEventError) as error:
        check_response_url(bad)
    assert "bearer" not in str(error.value)


_LAMBDA = """
import json, sys, time
from types import SimpleNamespace
from secret_replication.main import handler

end = time.monotonic() + 60
context = SimpleNamespace(get_remaining_time_in_millis=lambda: int((end - time.monotonic()) * 1000))
for event in json.load(sys.stdin):
    handler(event, context)
"""


def test_the_bundle_runs_by_itself_and_its_log_holds_neither_url_nor_value(url: ResponseUrl) -> None:
    """A fresh interpreter with nothing but the bundle and what Lambda's runtime has, at the most talkative level."""
    arn = secret(url)
    events = [url.event(operation, PhysicalResourceId=arn) for operation in ("Create", "Update", "Delete")]
    environment = dict(os.environ) | {
        "PYTHONPATH": str(ROOT / "build" / "handler.zip"),
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
    }
    done = subprocess.run(
        [sys.executable, "-c", _LAMBDA],
        input=json.dumps(events), text=True, capture_output=True, env=environment, cwd=ROOT / "build", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert [response["Status"] for response in url.responses] == ["SUCCESS"] * 3, url.responses
    log = done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = [line for line in lines if "_aws" not in line]
    assert {(line["request_type"], line["action"], line["region"]) for line in told} == {
        ("Create", "ADD", "eu-west-3"), ("Create", "RESPOND", "eu-west-3"), ("Update", "RESPOND", "eu-west-3"),
        ("Delete", "REMOVE", "eu-west-3"), ("Delete", "UNTAG", "eu-west-3"), ("Delete", "RESPOND", ""),
    }  # fmt: skip
    assert {(line["stack"], line["logical_id"], line["secret"]) for line in told} == {
        (event()["StackId"], "Replication", arn)
    }
    measured = [line for line in lines if "_aws" in line]
    assert [(line["request_type"], line.get("ReplicasInSync"), line["ResponsesFailed"]) for line in measured] == [
        ("Create", [1.0], [0.0]), ("Update", [1.0], [0.0]), ("Delete", None, [0.0]),
    ]  # fmt: skip
    by = [line["_aws"]["CloudWatchMetrics"][0]["Dimensions"] for line in measured]
    assert by == [[["service"], ["service", "request_type"]]] * 3
    assert {line["service"] for line in measured} == {"cdk-replicated-secret"}
    assert "bearer" not in log
    assert "hunter2" not in log


def test_concurrent_requests_each_get_their_own_response(url: ResponseUrl) -> None:
    """One Lambda environment serves one request at a time; this is stricter."""
    threads = [
        threading.Thread(
            target=responding(lambda request: failed(request, request.request_id, "because")),
            args=(url.event(RequestId=str(n)), context()),
        )
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((a["RequestId"], a["PhysicalResourceId"]) for a in url.responses) == [
        (str(n), str(n)) for n in range(8)
    ]

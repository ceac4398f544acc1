"""The model in Secrets Manager's wire format: over HTTP, or inside a boto3 client without any."""

from __future__ import annotations

import io
import json
import re
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config
from botocore.exceptions import ConnectionClosedError

from .secrets_manager import ApiError, ResponseLostError, SecretsManager

CONTENT_TYPE = "application/x-amz-json-1.1"
# Any will do: signatures are not verified.
_CREDENTIAL = "local"
_SCOPE = re.compile(r"Credential=[^/]+/\d+/([a-z0-9-]+)/")


def respond(model: SecretsManager, region: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
    """Carry out a request.

    Args:
        model: Secrets Manager.
        region: the endpoint's Region.
        headers: with lower-case names; ``x-amz-target`` names the operation.
        body: the parameters, as JSON.

    Returns:
        The HTTP status, and the response or the error as JSON.

    Raises:
        ResponseLostError: If the connection should break.
    """
    operation = headers.get("x-amz-target", "").rpartition(".")[2]
    try:
        return 200, json.dumps(model.call(region, operation, json.loads(body or b"{}"))).encode()
    except ApiError as error:
        return error.status, json.dumps({"__type": error.code, "message": error.message}).encode()


def client(model: SecretsManager, region: str, config: Config | None = None) -> Any:
    """A boto3 client for Secrets Manager that calls the model in this process: no server, no port.

    Args:
        model: Secrets Manager.
        region: the client's Region.
        config: botocore's configuration, for example for retries.
    """

    def send(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        try:
            status, response = respond(model, region, headers, _bytes(request.body))
        except ResponseLostError as error:
            raise ConnectionClosedError(endpoint_url=request.url, error=error) from error
        return AWSResponse(request.url, status, {"Content-Type": CONTENT_TYPE}, _Raw(response))

    made = boto3.client(
        "secretsmanager",
        region_name=region,
        aws_access_key_id=_CREDENTIAL,
        aws_secret_access_key=_CREDENTIAL,
        config=config,
    )
    made.meta.events.register("before-send.secretsmanager", send)
    return made


class Endpoint:
    """The model as an HTTP endpoint on loopback, for as long as the ``with`` block lasts. Serves every Region."""

    def __init__(self, model: SecretsManager) -> None:
        self.model = model
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The value for ``endpoint_url`` or ``AWS_ENDPOINT_URL``."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def post(self, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """Respond to an API call. Its Region is in the signature's scope."""
        scope = _SCOPE.search(headers.get("authorization", ""))
        if scope is None:
            return 400, json.dumps({"__type": "MissingAuthenticationTokenException", "message": "unsigned"}).encode()
        with self._lock:
            return respond(self.model, scope[1], headers, body)

    def put(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Respond to a PUT: this endpoint accepts none."""
        return 404, path.encode() + body[:0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # Headers and body in one segment: two would wait for the client's acknowledgement.

            def do_POST(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                try:
                    self._reply(*endpoint.post(headers, self._body()))
                except ResponseLostError:
                    self.close_connection = True

            def do_PUT(self) -> None:
                self._reply(*endpoint.put(self.path, self._body()))

            def _body(self) -> bytes:
                return self.rfile.read(int(self.headers.get("content-length", 0)))

            def _reply(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", CONTENT_TYPE)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        return Handler


class _Raw(io.BytesIO):
    """What botocore reads a body from."""

    def stream(self, **_: object) -> Any:
        yield self.read()


def _bytes(body: object) -> bytes:
    return body if isinstance(body, bytes) else str(body or "").encode()


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

"""A real OpenAI-compatible server on 127.0.0.1 that answers from a function and misbehaves on demand.

    with FakeServer(answer=lambda body: '{"main_work": "..."}', latency=0.2) as server:
        server.fault("phi-1.5", Status(429, headers={"Retry-After": "0"}))      # once, then as usual
        server.fault("FIAT", Status(500), times=None)                           # for ever
        ... server.url, server.bodies, server.most_in_flight

A fault hits requests whose messages contain its text, so threads in any order meet the same faults.
"""

import json
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

Body = dict[str, Any]


@dataclass(frozen=True)
class Status:
    """Answer with a status, headers and text instead of a completion."""

    code: int
    text: str = '{"error": {"message": "scripted fault"}}'
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Raw:
    """Answer 200 with these bytes: HTML, half a JSON, a body without choices."""

    content: bytes
    content_type: str = "application/json"


@dataclass(frozen=True)
class Text:
    """Answer a completion with this text, finish reason and usage."""

    text: str
    finish: str | None = "stop"
    usage: bool = True


@dataclass(frozen=True)
class Reset:
    """Close the connection with a reset, in place of an answer or after `sent` bytes of one."""

    sent: int = 0


@dataclass(frozen=True)
class Trickle:
    """Send a byte every `pause` seconds, so that no single read ever times out."""

    pause: float = 0.05
    count: int = 100


Fault = Status | Raw | Text | Reset | Trickle


@dataclass
class _Rule:
    contains: str
    fault: Fault
    left: int | None


def completion(text: str, *, finish: str | None = "stop", usage: bool = True) -> Body:
    """Return a chat completion as servers send it."""
    body: Body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "fake-1",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }
    if usage:
        body["usage"] = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}
    return body


class FakeServer:
    """The server; a context manager.

    Parameters
    ----------
    answer
        Body of a request -> text of the reply.
    latency
        Seconds before each answer.
    headers
        Sent with every completion.
    refuses
        Keys of the request body that the server does not take: it answers 400 and names the key.
    formats
        Values of `response_format.type` that it takes; others get a 400.
    models
        Names that it lists under `/models`.
    """

    def __init__(
        self,
        answer: Callable[[Body], str] = lambda body: "yes",
        *,
        latency: float = 0.0,
        headers: Mapping[str, str] | None = None,
        refuses: tuple[str, ...] = (),
        formats: tuple[str, ...] = ("json_schema", "json_object"),
        models: tuple[str, ...] = ("fake-1",),
    ) -> None:
        self.answer = answer
        self.latency = latency
        self.headers = dict(headers or {})
        self.refuses = refuses
        self.formats = formats
        self.models = models
        self.bodies: list[Body] = []
        self.authorizations: list[str | None] = []
        self.connections = 0
        self.most_in_flight = 0
        self._in_flight = 0
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self._http = _Server(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def calls(self) -> int:
        return len(self.bodies)

    def fault(self, contains: str, fault: Fault, *, times: int | None = 1) -> None:
        """Answer the next `times` requests whose messages contain a text with a fault; None: all of them."""
        self._rules.append(_Rule(contains, fault, times))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def respond(self, body: Body, authorization: str | None) -> Fault:
        with self._lock:
            self.bodies.append(body)
            self.authorizations.append(authorization)
            self._in_flight += 1
            self.most_in_flight = max(self.most_in_flight, self._in_flight)
        try:
            time.sleep(self.latency)
            return self._scripted(body) or self._refusal(body) or Text(self.answer(body))
        finally:
            with self._lock:
                self._in_flight -= 1

    def _scripted(self, body: Body) -> Fault | None:
        said = "\n".join(message["content"] for message in body["messages"])
        with self._lock:
            for rule in self._rules:
                if rule.contains in said and rule.left != 0:
                    if rule.left is not None:
                        rule.left -= 1
                    return rule.fault
        return None

    def _refusal(self, body: Body) -> Fault | None:
        for name in self.refuses:
            if name in body:
                hint = " Use 'max_completion_tokens' instead." if name == "max_tokens" else ""
                return Status(400, _error(f"Unsupported parameter: '{name}'.{hint}"))
        kind = body.get("response_format", {}).get("type", "text")
        if kind not in (*self.formats, "text"):
            return Status(400, _error(f"response_format of type {kind} is not supported"))
        return None


def _error(message: str) -> str:
    return json.dumps({"error": {"message": message, "type": "invalid_request_error"}})


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), ConnectionError):  # clients may leave; that is part of the tests
            super().handle_error(request, client_address)  # type: ignore[arg-type]


def _handler(fake: FakeServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            fake.connections += 1

        def do_GET(self) -> None:
            listed = {"object": "list", "data": [{"id": name, "object": "model"} for name in fake.models]}
            self._write(200, json.dumps(listed).encode(), "application/json", {})

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._send(fake.respond(body, self.headers["Authorization"]))

        def _send(self, fault: Fault) -> None:
            match fault:
                case Text(text, finish, usage):
                    content = json.dumps(completion(text, finish=finish, usage=usage)).encode()
                    self._write(200, content, "application/json", fake.headers)
                case Raw(content, content_type):
                    self._write(200, content, content_type, {})
                case Status(code, text, headers):
                    self._write(code, text.encode(), "application/json", headers)
                case Reset(sent):
                    self._head(200, 1000, "application/json", {})
                    self.wfile.write(b"{" * sent)
                    # Linger of zero seconds: the kernel answers what is still to come with a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.close_connection = True
                    self.connection.close()
                case Trickle(pause, count):
                    self._head(200, count, "application/json", {})
                    self._trickle(pause, count)

        def _trickle(self, pause: float, count: int) -> None:
            for _ in range(count):
                try:
                    self.wfile.write(b" ")
                except OSError:  # the client has given up, as it should
                    return
                time.sleep(pause)

        def _write(self, code: int, content: bytes, kind: str, headers: Mapping[str, str]) -> None:
            self._head(code, len(content), kind, headers, content)

        def _head(
            self, code: int, length: int, kind: str, headers: Mapping[str, str], content: bytes = b""
        ) -> None:
            self.send_response(code)
            for name, value in {"Content-Type": kind, "Content-Length": str(length), **headers}.items():
                self.send_header(name, value)
            self._headers_buffer.append(b"\r\n")
            # One write: two would meet Nagle's algorithm and cost 40 ms.
            self.wfile.write(b"".join(self._headers_buffer) + content)
            self._headers_buffer = []

        def log_message(self, format: str, *args: object) -> None:
            pass

        def finish(self) -> None:
            if self.connection.fileno() >= 0:
                super().finish()

    return Handler

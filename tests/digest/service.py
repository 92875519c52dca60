"""A real HTTP service on 127.0.0.1 that answers as told and remembers what it was asked."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, kw_only=True)
class Request:
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    at: float


@dataclass(frozen=True, kw_only=True)
class Answer:
    """`cut` sends only so many bytes of the body and closes; `reset` closes before any answer."""

    body: bytes = b"[]"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    reset: bool = False


def as_json(value: object, *, status: int = 200, **headers: str) -> Answer:
    return Answer(body=json.dumps(value).encode(), status=status, headers=headers)


def gzipped(value: object, *, keep: int | None = None) -> Answer:
    """Compressed JSON, of which `keep` bytes are sent as if they were all."""
    return Answer(body=gzip.compress(json.dumps(value).encode())[:keep], headers={"Content-Encoding": "gzip"})


@dataclass
class Service:
    """What was asked so far, and where to ask."""

    endpoint: str
    requests: list[Request] = field(default_factory=list)

    def gaps(self) -> list[float]:
        """Seconds between requests."""
        return [later.at - earlier.at for earlier, later in pairwise(self.requests)]

    def days(self) -> list[str]:
        return [request.query["date"] for request in self.requests if "date" in request.query]


@contextmanager
def serve(*script: Answer | Callable[[Request], Answer]) -> Iterator[Service]:
    """Answer the n-th request by the n-th step of the script, and all later ones by its last step."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            request = Request(
                path=address.path,
                query=dict(parse_qsl(address.query)),
                headers=dict(self.headers),
                at=time.monotonic(),
            )
            service.requests.append(request)
            step = script[min(len(service.requests), len(script)) - 1]
            answer = step(request) if callable(step) else step
            if answer.reset:
                self.close_connection = True
                self.connection.shutdown(2)
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body[: answer.cut])
            self.close_connection = answer.cut is not None

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service = Service(endpoint=f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

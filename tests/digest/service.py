"""A real HTTP service on 127.0.0.1 that answers as told and remembers what it was asked."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from urllib.parse import parse_qsl, urlsplit
from xml.sax.saxutils import escape


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


# What arXiv's API sends.


def entry(number: int, *, published: str = "2026-05-18T01:00:00Z", title: str = "A & B") -> str:
    return f"""<entry><id>http://arxiv.org/abs/2605.{number:05}v2</id><title>{escape(title)}</title>
      <updated>2026-05-19T00:00:00Z</updated><published>{published}</published>
      <summary>  We do it,\n  with $x &lt; y$. </summary>
      <author><name>Ada</name></author><author><name>Bo</name></author>
      <arxiv:comment>12 pages</arxiv:comment><arxiv:doi>10.1/x</arxiv:doi>
      <category term="cs.CL" scheme="s"/><category term="cs.LG" scheme="s"/></entry>"""


def feed(*entries: str, total: int | None = None) -> bytes:
    count = len(entries) if total is None else total
    return (
        '<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"'
        ' xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom">'
        f"<opensearch:totalResults>{count}</opensearch:totalResults>{''.join(entries)}</feed>"
    ).encode()

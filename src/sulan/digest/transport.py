"""Polite HTTP for public APIs: GET with limits on size and time, waiting when told to, and one kind of error.

Covers: retries with jitter, `Retry-After` and `RateLimit`, a least interval between requests, a token that
never leaves its host, a limit on the decompressed size. Does not cover: uploads, streaming, several
connections at once.
"""

import json
import logging
import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

import httpx2
import stamina

import sulan
from sulan.chat import rate_limits
from sulan.digest.paper import clean
from sulan.errors import BackendError, InputError

_log = logging.getLogger(__name__)

MAX_BYTES = 64 * 2**20
"""Largest answer that is read, after decompression. A day of fifty papers is about 0.3 MB."""

_PASSING = (
    httpx2.TimeoutException,
    httpx2.NetworkError,
    httpx2.RemoteProtocolError,
    httpx2.ProxyError,
    httpx2.DecodingError,
)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long to try; times in seconds.

    Attributes
    ----------
    attempts
        Requests for one answer, the first included.
    first_wait, longest_wait, jitter
        The n-th wait is `min(longest_wait, first_wait * 2**(n - 1) + uniform(0, jitter))`.
    obey_up_to
        Longest wait that a server may ask for; one that asks for more ends the call. The Hub counts calls in
        windows of 300 seconds, so that is the default.
    timeout
        For connecting, and between two pieces of an answer.
    interval
        Least time between the starts of two requests, retries included.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 20.0
    jitter: float = 1.0
    obey_up_to: float = 300.0
    timeout: float = 30.0
    interval: float = 0.0


class Refused(BackendError):
    """The service is there and refuses this one request (a status from 400 to 499, 429 excepted)."""


class _Passing(Exception):
    """A failure that may pass; `wait` is what the server asked for, in seconds."""

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class Client:
    """One connection to one service.

    Parameters
    ----------
    endpoint
        Scheme and host, with a path for a mirror: `https://huggingface.co`.
    variable
        The environment variable that sets the endpoint; hints name it.
    token
        Sent as a bearer token to `endpoint`'s own host and nowhere else, also after a redirect.
    patience
        How long to try.
    max_bytes
        Largest answer that is read.

    Raises
    ------
    InputError
        `endpoint` is no http(s) address, or the proxy or certificate settings of the machine cannot be used.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        variable: str,
        token: str = "",
        patience: Patience | None = None,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self.endpoint = endpoint.strip().rstrip("/")
        self.patience = patience or Patience()
        self._variable = variable
        self._max_bytes = max_bytes
        self._earliest = 0.0  # on the monotonic clock: when the next request may start
        headers = {"User-Agent": f"sulan/{sulan.__version__}"}
        if token:
            if not (token.isascii() and token.isprintable()) or " " in token:
                raise InputError(
                    "the token has characters that no token has", hint="copy it again, without blanks"
                )
            headers["Authorization"] = f"Bearer {token}"
        try:
            url = httpx2.URL(self.endpoint)
            if url.scheme not in ("http", "https") or not url.host:
                raise httpx2.InvalidURL("no http(s) address")
            self.host = url.host
            self._client = httpx2.Client(
                headers=headers,
                timeout=self.patience.timeout,
                follow_redirects=True,
                max_redirects=5,
                limits=httpx2.Limits(max_connections=1),
            )
        except httpx2.InvalidURL as error:
            raise InputError(
                f"{endpoint!a} is no address of a service",
                hint=f"{variable} must look like https://host, or stay unset",
            ) from error
        except (ImportError, ValueError, OSError, ssl.SSLError) as error:
            raise InputError(
                f"the proxy or certificate settings of this machine cannot be used: {_words(error)}",
                hint="see HTTPS_PROXY, ALL_PROXY, NO_PROXY and SSL_CERT_FILE",
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, **parameters: str | int) -> bytes:
        """Return the body at `path`, decompressed.

        Raises
        ------
        BackendError
            The service refused, or still failed after every retry.
        """
        kinds = self.patience
        # Ours is the decision to retry; how long to wait is stamina's, unless the server said it.
        waits = stamina.retry_context(
            on=_wait,
            attempts=kinds.attempts,
            timeout=None,
            wait_initial=kinds.first_wait,
            wait_max=kinds.longest_wait,
            wait_jitter=kinds.jitter,
        )
        try:
            for attempt in waits:
                with attempt:
                    return self._once(path, parameters)
        except _Passing as error:
            raise BackendError(
                f"{self.host} did not answer after {kinds.attempts} attempts: {error}",
                hint="try again later; what is stored is kept",
            ) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def get_json(self, path: str, **parameters: str | int) -> Any:
        """Return the JSON document at `path`.

        Raises
        ------
        BackendError
            As for `get`, and for a body that is no JSON (an HTML page with status 200, a cut answer).
        """
        body = self.get(path, **parameters)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            kind = "a web page" if body.lstrip()[:1] == b"<" else "a damaged or cut answer"
            raise BackendError(
                f"{self.host} sent {kind} instead of JSON", hint=f"try again later, or check {self._variable}"
            ) from error

    def _once(self, path: str, parameters: dict[str, str | int]) -> bytes:
        pause = self._earliest - time.monotonic()
        if pause > 0:
            _log.info("%s: waiting %.0f s before the next request", self.host, pause)
            time.sleep(pause)
        self._earliest = time.monotonic() + self.patience.interval
        try:
            with self._client.stream("GET", f"{self.endpoint}{path}", params=parameters) as response:
                body = self._read(response)
        except _PASSING as error:
            _log.info("%s: %s", self.host, _words(error))
            raise _Passing(_words(error)) from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise BackendError(f"{self.host} could not be asked: {_words(error)}") from error
        self._judge(response, body)
        return body

    def _read(self, response: httpx2.Response) -> bytes:
        body = bytearray()
        for piece in response.iter_bytes():
            body += piece
            if len(body) > self._max_bytes:
                raise BackendError(f"{self.host} sent more than {self._max_bytes / 2**20:g} MB")
        return bytes(body)

    def _judge(self, response: httpx2.Response, body: bytes) -> None:
        """Raise for a status that is not success; remember how long the service wants to be left alone."""
        status = response.status_code
        asked = rate_limits.retry_after(response.headers, now=datetime.now(UTC))
        spent = rate_limits.exhausted_for(response.headers)
        asked = spent if asked is None else asked
        if status == 429 or status >= 500:
            if asked is not None and asked > self.patience.obey_up_to:
                raise BackendError(
                    f"{self.host} answered {status} and wants to be asked again in {asked:.0f} s",
                    hint=f"try again in {asked / 60:.0f} minutes; a token raises the limit"
                    if status == 429
                    else "try again later",
                )
            raise _Passing(f"status {status}", wait=asked)
        if status != 200:
            raise Refused(f"{self.host} answered {status}{_said(body)}", hint=self._advice(status))
        if spent is not None and asked is not None:
            # Nothing is left of this window: the next request waits rather than be refused.
            self._earliest = time.monotonic() + min(asked, self.patience.obey_up_to)

    def _advice(self, status: int) -> str:
        if status in (401, 403):
            return "the token is refused; correct it or unset it"
        return f"the service refuses this request; if {self._variable} names a mirror, it may lack this API"


def _wait(error: Exception) -> bool | float:
    """Stamina's hook: False stops, True waits by the schedule, a number waits that long."""
    if not isinstance(error, _Passing):
        return False
    return True if error.wait is None else error.wait


def _said(body: bytes) -> str:
    """What an error's body says, if it is JSON with a message; web pages are not worth a line."""
    try:
        message = json.loads(body)["error"]
    except (ValueError, RecursionError, KeyError, TypeError):
        return ""
    return f": {clean(message, limit=200)}" if isinstance(message, str) else ""


def _words(error: BaseException) -> str:
    return clean(str(error), limit=200) or type(error).__name__

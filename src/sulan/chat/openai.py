"""Any OpenAI-compatible server over HTTP: OpenAI, vLLM, llama.cpp, Ollama, LM Studio and others.

One pooled client for all threads. What passes by itself is tried again: 429, 5xx, broken connections,
timeouts, replies that cannot be read. What the user can mend is an `InputError` at once. The key goes into
one header of requests to the configured host and nowhere else: redirects are not followed, and messages of
the server are quoted without it.
"""

import json
import logging
import os
import threading
import time
from datetime import UTC, datetime
from typing import Any

import httpx2
import stamina

from sulan.chat import completion, rate_limits
from sulan.chat.completion import Dialect
from sulan.chat.protocol import Reply, Request
from sulan.chat.settings import ChatSettings
from sulan.errors import BackendError, InputError

logger = logging.getLogger(__name__)

OPENAI = "https://api.openai.com/v1"

MAX_BYTES = 8 << 20
"""Largest body that is read; a reply of 100,000 tokens has well under 1 MiB."""

MAX_WAIT = 60.0
"""Longest wait that a server may ask for, in seconds; one that asks for more is taken to be unavailable."""

CONNECT = 10.0
"""Seconds to wait for a connection; an answer may take long, opening a connection does not."""

FIRST_BACKOFF, LAST_BACKOFF, JITTER = 0.25, 8.0, 0.25
"""Seconds before the first repetition, most before any, and the random part that keeps clients apart."""

OVERFLOW = ("context_length_exceeded", "exceed_context_size", "maximum context length", "context window")
"""How servers say that the prompt is too long: OpenAI, llama.cpp, vLLM, LM Studio."""


class _Passing(Exception):
    """A failure that may not happen again, and the seconds that the server asked to wait, if any."""

    def __init__(self, message: str, *, wait: float | None = None) -> None:
        super().__init__(message)
        self.wait = wait


class OpenAIChat:
    """A chat with a model of an OpenAI-compatible server.

    Its identity is `openai:MODEL` at OpenAI, and `openai:MODEL@HOST:PORT` elsewhere: `llama3` may be anything
    on somebody's server.

    Parameters
    ----------
    name
        The model's name as the server knows it.
    base_url
        URL that `/chat/completions` is added to.
    key
        API key, or empty.
    concurrency, timeout, retries
        See `ChatSettings`.
    """

    def __init__(
        self, name: str, *, base_url: str, key: str, concurrency: int, timeout: float, retries: int
    ) -> None:
        url = httpx2.URL(base_url)
        at = url.netloc.decode("ascii")
        self.model = f"openai:{name}" if at == httpx2.URL(OPENAI).netloc.decode() else f"openai:{name}@{at}"
        self._name = name
        self._url = f"{base_url}/chat/completions"
        self._key = key
        self._timeout = timeout
        self._attempts = retries + 1
        self._client = httpx2.Client(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            # Waiting for a free connection is our own bound at work, not a failure: it has no time limit.
            timeout=httpx2.Timeout(timeout, connect=min(timeout, CONNECT), pool=None),
            limits=httpx2.Limits(max_connections=concurrency, max_keepalive_connections=concurrency),
            follow_redirects=False,
        )
        self._lock = threading.Lock()
        self._dialect = Dialect()
        self._not_before = 0.0

    def reply(self, request: Request) -> Reply:
        """Answer one request (see `Chat.reply`)."""
        # Only the times of the calls are random here, never what is sent or how it is read.
        attempts = stamina.retry_context(
            on=_retry,
            attempts=self._attempts,
            timeout=None,
            wait_initial=FIRST_BACKOFF,
            wait_max=LAST_BACKOFF,
            wait_jitter=JITTER,
        )
        try:
            for attempt in attempts:
                with attempt:
                    return self._answer(request)
        except _Passing as error:
            raise BackendError(f"{self.model}: {error} ({self._attempts} attempts)") from error
        raise AssertionError("retry_context neither returned nor raised")

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _answer(self, request: Request) -> Reply:
        while True:
            dialect = self._dialect
            status, headers, content = self._post(dialect.body(request, model=self._name))
            if not (status in (400, 422) and self._learn(dialect, self._quote(content), request)):
                break
        if not 200 <= status < 300:
            raise self._failure(status, headers, content)
        try:
            return completion.read(json.loads(content), request, model=self._name)
        except completion.Unreadable as error:
            raise _Passing(str(error)) from error
        except (ValueError, RecursionError) as error:
            kind = headers.get("content-type", "no content type")
            raise _Passing(f"the reply is not JSON ({self._clean(kind)})") from error

    def _post(self, body: dict[str, Any]) -> tuple[int, httpx2.Headers, bytes]:
        if (wait := self._not_before - time.monotonic()) > 0:
            time.sleep(wait)
        until = time.monotonic() + self._timeout
        headers = {"Content-Type": "application/json"}
        content = json.dumps(body).encode()
        try:
            with self._client.stream("POST", self._url, content=content, headers=headers) as response:
                received = self._receive(response, until=until)
        except httpx2.TimeoutException as error:
            raise _Passing(f"no answer within {self._timeout:g} s") from error
        except (httpx2.TransportError, httpx2.DecodingError) as error:
            raise _Passing(
                f"the connection failed: {self._clean(str(error)) or type(error).__name__}"
            ) from error
        if (quota := rate_limits.exhausted_for(response.headers)) and quota <= MAX_WAIT:
            self._hold(quota)
        return response.status_code, response.headers, received

    def _receive(self, response: httpx2.Response, *, until: float) -> bytes:
        received = bytearray()
        for piece in response.iter_bytes():
            received += piece
            if len(received) > MAX_BYTES:
                raise BackendError(f"{self.model}: the reply is larger than {MAX_BYTES >> 20} MiB")
            if time.monotonic() > until:  # a server that sends a byte now and then never times out by itself
                raise _Passing(f"no complete answer within {self._timeout:g} s")
        return bytes(received)

    def _learn(self, used: Dialect, refusal: str, request: Request) -> bool:
        """Change the dialect after a refusal, once for all threads; say whether to ask again."""
        if any(words in refusal for words in OVERFLOW):
            return False
        with self._lock:
            if self._dialect != used:
                return True  # another thread has learnt something meanwhile
            learnt = used.after(refusal, request)
            if learnt is None:
                return False
            logger.info("%s refused a parameter; asking without it from now on", self.model)
            self._dialect = learnt
            return True

    def _failure(self, status: int, headers: httpx2.Headers, content: bytes) -> Exception:
        said = self._quote(content)
        if status in (401, 403):
            hint = "set OPENAI_API_KEY to a key for this server"
            return InputError(f"{self.model}: access denied ({status}): {said}", hint=hint)
        if status == 404:
            hint = "check the model's name, and that the base URL ends where /chat/completions is added"
            return InputError(f"{self.model}: not found at {self._url}: {said}", hint=hint)
        if 300 <= status < 400:
            where = self._clean(headers.get("location", ""))
            return InputError(
                f"{self.model}: redirected to {where}", hint="set the base URL to the right place"
            )
        if any(words in said for words in OVERFLOW):
            return BackendError(f"{self.model}: prompt and reply do not fit its context: {said}")
        if status == 429 and "insufficient_quota" in said:
            return BackendError(f"{self.model}: the account has no credit left: {said}")
        if status in (408, 425, 429) or (status >= 500 and status != 501):
            return self._passing(status, headers, said)
        return BackendError(f"{self.model}: refused ({status}): {said}")

    def _passing(self, status: int, headers: httpx2.Headers, said: str) -> Exception:
        wait = rate_limits.retry_after(headers, now=datetime.now(UTC))
        if wait is None and status == 429:
            wait = rate_limits.exhausted_for(headers)
        if wait is not None and wait > MAX_WAIT:
            return BackendError(
                f"{self.model}: asks to wait {wait:.0f} s ({status})",
                hint="run again then; finished replies are kept",
            )
        if wait is not None and status == 429:
            self._hold(wait)
        return _Passing(f"status {status}: {said}", wait=wait)

    def _hold(self, seconds: float) -> None:
        """Let no thread send before then: the quota is one for all of them."""
        with self._lock:
            self._not_before = max(self._not_before, time.monotonic() + seconds)

    def _quote(self, content: bytes) -> str:
        """What a server says of an error: its code and message, else the start of its text."""
        text = content[:4000].decode(errors="replace")
        try:
            error = json.loads(text)
        except (ValueError, RecursionError):
            return self._clean(text)
        if isinstance(error, dict) and isinstance(error.get("error"), dict):
            error = error["error"]
        if isinstance(error, dict):
            names = ("code", "type", "message", "detail", "error")
            text = " ".join(str(error[name]) for name in names if error.get(name)) or text
        return self._clean(text)

    def _clean(self, text: str) -> str:
        if self._key:
            text = text.replace(self._key, "[key]")
        return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))[:300]


def connect(name: str, settings: ChatSettings) -> OpenAIChat:
    """Make a client from settings, `OPENAI_BASE_URL` and `OPENAI_API_KEY`.

    Raises
    ------
    InputError
        The base URL is none, or there is no usable key for OpenAI itself.
    """
    base_url = _base_url(settings.base_url or os.environ.get("OPENAI_BASE_URL") or OPENAI)
    key = os.environ.get("OPENAI_API_KEY", "").strip()
    if not (key.isascii() and key.isprintable()):
        raise InputError("OPENAI_API_KEY holds characters that no key has")
    if not key and base_url == OPENAI:
        raise InputError(
            "OPENAI_API_KEY is not set",
            hint="set it, or name another server with base_url or OPENAI_BASE_URL",
        )
    return OpenAIChat(
        name or only_model(base_url, key=key, timeout=settings.timeout),
        base_url=base_url,
        key=key,
        concurrency=settings.concurrency,
        timeout=settings.timeout,
        retries=settings.retries,
    )


def only_model(base_url: str, *, key: str, timeout: float) -> str:
    """Return the name of the one model that a server has, as llama.cpp, LM Studio and most vLLM servers do.

    Raises
    ------
    InputError
        It has several, or none.
    BackendError
        It cannot be asked.
    """
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = httpx2.get(f"{base_url}/models", headers=headers, timeout=min(timeout, CONNECT))
        answer.raise_for_status()
        names = sorted({str(model["id"])[:200] for model in answer.json()["data"]})
    except (httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        raise BackendError(
            f"{base_url} does not say which models it has", hint="name one: openai:MODEL"
        ) from error
    if len(names) != 1:
        some = ", ".join(name for name in names[:5] if name.isprintable())
        raise InputError(
            f"{base_url} has {len(names)} models: {some or 'none'}", hint="name one: openai:MODEL"
        )
    return names[0]


def _base_url(text: str) -> str:
    try:
        url = httpx2.URL(text.strip())
    except httpx2.InvalidURL as error:
        raise InputError(f"the base URL is not a URL: {error}") from error
    if url.userinfo:
        raise InputError("the base URL holds a password", hint="give the key in OPENAI_API_KEY")
    if url.scheme not in ("http", "https") or not url.host or url.query or url.fragment:
        raise InputError(f"the base URL must be like http://localhost:11434/v1, not {text!r}")
    path = url.path.rstrip("/").removesuffix("/chat/completions")
    return str(url.copy_with(path=path or "/v1"))  # every known server answers under /v1


def _retry(error: Exception) -> bool | float:
    if not isinstance(error, _Passing):
        return False
    logger.info("a request failed and may be tried again: %s", error)
    return True if error.wait is None else error.wait

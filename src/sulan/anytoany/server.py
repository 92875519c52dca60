"""The service that clients of OpenAI's chat completions talk to.

A reply's media come in `images`, `audios` and `videos` of a message or delta, each with `index` and `url`. Not
covered: tools, several choices, keys and users; a proxy in front of it does that.
"""

import asyncio
import base64
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

from anyio import CancelScope
from fastapi import FastAPI, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.types import Receive, Scope, Send

from sulan.anytoany import requests, uploads
from sulan.anytoany.delivery import Delivery, Withheld
from sulan.anytoany.files import TYPES, Store
from sulan.anytoany.following import follow
from sulan.anytoany.protocols import Assistant, Event, Making, Said
from sulan.errors import InputError, SulanError

BODY = 64 << 20
"""Bytes of one request; an upload of 32 MiB has 43 in base64."""

LOOK = 0.1
"""Seconds between two looks whether a client that waits for a whole reply is still there."""


class _Stream(StreamingResponse):
    """A streamed reply that gives its place back however it ends, also where it never begins."""

    def __init__(self, content: AsyncGenerator[str], *, leave: Callable[[], None]) -> None:
        super().__init__(content, media_type="text/event-stream")
        self._content = content
        self._leave = leave

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with CancelScope(shield=True):
                await self._content.aclose()
            self._leave()


class _Service:
    """Makes one reply at a time; the others wait for their turn."""

    def __init__(
        self, assistant: Assistant, *, delivery: Delivery, store: Store, waiting: int, limits: uploads.Limits
    ) -> None:
        self._assistant = assistant
        self._delivery = delivery
        self._limits = limits
        self._turn = asyncio.Lock()
        self._waiting = waiting
        self.store = store
        self.held = 0
        self.counts: Counter[str] = Counter()

    def enter(self) -> bool:
        """Take a place in the queue, if there is one."""
        if self.held > self._waiting:
            self.counts["refused"] += 1
            return False
        self.held += 1
        return True

    def leave(self) -> None:
        """Give the place back."""
        self.held -= 1

    async def asked(self, request: Request) -> requests.Asked:
        """Return what a request asks.

        Raises
        ------
        InputError
            It's too large, not JSON, or asks for what is not given.
        """
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > BODY:
                raise InputError(f"A request has more than {BODY} bytes")
        return await run_in_threadpool(self._read, body)

    def _read(self, body: bytearray) -> requests.Asked:
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            raise InputError("A request is not JSON") from None
        asked = requests.read(given, limits=self._limits)
        if reason := self._delivery.checker.request(asked.messages):
            raise InputError(f"The request is not answered: {reason}")
        return asked

    async def deltas(self, asked: requests.Asked) -> AsyncGenerator[dict[str, Any]]:
        """Yield the pieces of a reply; where the reader goes, the assistant hears it between two of its steps."""
        async with (
            self._turn,
            aclosing(follow(self._assistant, asked.messages, settings=asked.settings)) as events,
        ):
            async for event in events:
                yield await run_in_threadpool(self._delta, event, linked=asked.linked)
        self.counts["answered"] += 1

    def _delta(self, event: Event, *, linked: bool) -> dict[str, Any]:
        if isinstance(event, Said):
            return {"content": event.text}
        if isinstance(event, Making):
            state = {"index": event.index, "kind": event.kind, "done": event.done, "of": event.steps}
            return {"progress": state}
        kind = event.media.kind
        self.counts[kind] += 1
        body = self._delivery.file(event.media)
        if isinstance(body, Withheld):
            self.counts["withheld"] += 1
            return {"refusal": body.reason}
        if linked:
            url = f"/v1/files/{self.store.put(body, type=TYPES[kind])}"
        else:
            url = f"data:{TYPES[kind]};base64,{base64.b64encode(body).decode()}"
        return {f"{kind}s": [{"index": event.index, "url": url}]}

    async def whole(self, asked: requests.Asked) -> dict[str, Any]:
        """Return a reply's message."""
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        async for delta in self.deltas(asked):
            for key, value in delta.items():
                if key != "progress":
                    message[key] = message.get(key, type(value)()) + value
        return message


def _error(message: str, *, status: int, type: str) -> JSONResponse:
    return JSONResponse({"error": {"message": message, "type": type}}, status)


def _line(value: object) -> str:
    return f"data: {json.dumps(value)}\n\n"


def application(
    assistant: Assistant,
    *,
    name: str,
    delivery: Delivery,
    store: Store | None = None,
    waiting: int = 4,
    limits: uploads.Limits = uploads.Limits(),
) -> FastAPI:
    """Return the service.

    Parameters
    ----------
    assistant
        Who answers.
    name
        What it's called in `/v1/models`.
    delivery
        How media are checked and marked.
    store
        Keeps the files of replies that ask for links.
    waiting
        Requests that wait while one is answered; the next gets 429. 4: each may hold 128 MiB of decoded media.
    limits
        What one upload may cost.
    """
    service = _Service(assistant, delivery=delivery, store=store or Store(), waiting=waiting, limits=limits)
    api = FastAPI(title="Sulan anytoany")

    @api.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        if not service.enter():
            return _error("The queue is full; try again later", status=429, type="rate_limit_error")
        streams = False
        try:
            asked = await service.asked(request)
            head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": name}
            if asked.stream:
                streams = True
                return _Stream(_lines(service, asked, head), leave=service.leave)
            return await _whole(service, asked, head, request)
        except InputError as refused:
            service.counts["invalid"] += 1
            said = f"{refused}. {refused.hint}" if refused.hint else str(refused)
            return _error(said, status=400, type="invalid_request_error")
        except SulanError as failed:
            return _error(str(failed), status=500, type="server_error")
        finally:
            if not streams:
                service.leave()

    @api.get("/v1/models")
    async def models() -> dict[str, Any]:
        known = {"id": name, "object": "model", "created": 0, "owned_by": "sulan"}
        return {"object": "list", "data": [known]}

    @api.get("/v1/files/{identifier}")
    async def file(identifier: str) -> Response:
        held = service.store.get(identifier)
        if held is None:
            return _error("There is no such file, or no more", status=404, type="not_found_error")
        return Response(held[1], media_type=held[0], headers={"X-Content-Type-Options": "nosniff"})

    @api.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    @api.get("/metrics")
    async def metrics() -> PlainTextResponse:
        lines = ["# TYPE sulan_requests_held gauge", f"sulan_requests_held {service.held}"]
        lines.append("# TYPE sulan_events_total counter")
        lines += [f'sulan_events_total{{event="{event}"}} {n}' for event, n in sorted(service.counts.items())]
        return PlainTextResponse("\n".join(lines) + "\n")

    return api


async def _lines(service: _Service, asked: requests.Asked, head: dict[str, Any]) -> AsyncGenerator[str]:
    def chunk(delta: dict[str, Any], *, reason: str | None = None) -> str:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        return _line({**head, "object": "chat.completion.chunk", "choices": [choice]})

    yield chunk({"role": "assistant", "content": ""})
    try:
        async with aclosing(service.deltas(asked)) as deltas:
            async for delta in deltas:
                yield chunk(delta)
    except SulanError as failed:
        yield _line({"error": {"message": str(failed), "type": "server_error"}})
    else:
        yield chunk({}, reason="stop")
    yield "data: [DONE]\n\n"


async def _whole(
    service: _Service, asked: requests.Asked, head: dict[str, Any], request: Request
) -> Response:
    reply = asyncio.create_task(service.whole(asked))
    while not reply.done():
        await asyncio.wait({reply}, timeout=LOOK)
        if await request.is_disconnected():
            reply.cancel()
            await asyncio.wait({reply})
            return Response(status_code=499)  # nobody reads it
    choice = {"index": 0, "message": reply.result(), "finish_reason": "stop"}
    return JSONResponse({**head, "object": "chat.completion", "choices": [choice]})

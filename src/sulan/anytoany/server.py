"""The service that clients of OpenAI's chat completions talk to.

A reply's media come as `data:` addresses in `images`, `audios` and `videos` of a message or delta. Not covered:
tools, several choices, and files that are kept for later.
"""

import asyncio
import base64
import json
import threading
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from typing import Any

from anyio import to_thread
from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from sulan.anytoany import files, uploads
from sulan.anytoany.media import KINDS
from sulan.anytoany.messages import Message, Part, Text
from sulan.anytoany.protocols import Assistant, Cancelled, Event, Made, Said, Settings
from sulan.errors import InputError


def part(given: Mapping[str, Any], *, limits: uploads.Limits) -> Part:
    """Return one part of a request's message.

    Raises
    ------
    InputError
        It's of no kind that is read, or its file is refused.
    """
    kind = given.get("type")
    if kind == "text" and isinstance(given.get("text"), str):
        return Text(text=given["text"])
    value = given.get(kind) if isinstance(kind, str) else None
    if isinstance(value, Mapping):
        if kind in ("image_url", "video_url") and isinstance(value.get("url"), str):
            expected = "image" if kind == "image_url" else "video"
            return uploads.decode(uploads.inline(value["url"]), limits=limits, kind=expected)
        if kind == "input_audio" and isinstance(value.get("data"), str):
            return uploads.decode(uploads.unpack(value["data"]), limits=limits, kind="audio")
    raise InputError("A part is not text, image_url, input_audio or video_url with its value")


def read(request: Mapping[str, Any], *, limits: uploads.Limits) -> tuple[list[Message], Settings]:
    """Return the conversation and the settings of a request.

    Raises
    ------
    InputError
        It isn't a request for chat completions, or an upload is refused.
    """
    messages = []
    turns = request.get("messages")
    if not isinstance(turns, list) or not turns:
        raise InputError("A request has no messages")
    for turn in turns:
        if not isinstance(turn, Mapping) or turn.get("role") not in ("system", "user", "assistant"):
            raise InputError("A message's role is not system, user or assistant")
        content = turn.get("content")
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(parts, list) or not all(isinstance(given, Mapping) for given in parts):
            raise InputError("A message's content is neither text nor a list of parts")
        messages.append(
            Message(role=turn["role"], parts=tuple(part(given, limits=limits) for given in parts))
        )
    asked = request.get("modalities", ["text"])
    if not isinstance(asked, list) or not all(kind in ("text", *KINDS) for kind in asked):
        raise InputError("Modalities are not a list of text, image, audio and video")
    return messages, Settings(modalities=tuple(kind for kind in KINDS if kind in asked))


def _delta(event: Event) -> dict[str, Any]:
    if isinstance(event, Said):
        return {"content": event.text}
    if not isinstance(event, Made):
        return {"progress": {"index": event.index, "kind": event.kind, "done": event.done, "of": event.steps}}
    kind = event.media.kind
    payload = base64.b64encode(files.encode(event.media)).decode()
    return {f"{kind}s": [{"index": event.index, "url": f"data:{files.TYPES[kind]};base64,{payload}"}]}


def application(
    assistant: Assistant, *, name: str, waiting: int = 8, limits: uploads.Limits = uploads.Limits()
) -> FastAPI:
    """Return the service; one reply is made at a time, `waiting` more requests wait and the next gets 429."""
    service = FastAPI(title="Sulan")
    turn = asyncio.Lock()
    held = 0

    async def deltas(messages: list[Message], settings: Settings) -> AsyncIterator[dict[str, Any]]:
        """Yield pieces; when the reader goes, the assistant is told between two of its steps."""
        nonlocal held
        gone = threading.Event()
        try:
            async with turn:
                replies = assistant.reply(messages, settings=settings, wanted=lambda: not gone.is_set())
                try:
                    # Abandoned at once when the reader goes; the thread then sees `gone` at its next step and ends.
                    while event := await to_thread.run_sync(next, replies, None, abandon_on_cancel=True):
                        yield await run_in_threadpool(_delta, event)
                except Cancelled:
                    return
        finally:
            gone.set()
            held -= 1

    @service.post("/v1/chat/completions")
    async def complete(request: Request) -> Any:
        nonlocal held
        if held > waiting:
            return JSONResponse({"error": {"message": "The queue is full; try again later"}}, 429)
        held += 1
        accepted = False
        try:
            given = await request.json()
            if not isinstance(given, dict):
                raise InputError("A request is not a JSON object")
            messages, settings = await run_in_threadpool(read, given, limits=limits)
            accepted = True
        except (InputError, ValueError) as refused:
            return JSONResponse({"error": {"message": str(refused), "type": "invalid_request_error"}}, 400)
        finally:
            held -= not accepted
        head = {"id": f"chatcmpl-{uuid.uuid4().hex}", "created": int(time.time()), "model": name}
        if given.get("stream"):

            async def lines() -> AsyncIterator[str]:
                async for delta in deltas(messages, settings):
                    choice = {"index": 0, "delta": delta, "finish_reason": None}
                    piece = {**head, "object": "chat.completion.chunk", "choices": [choice]}
                    yield f"data: {json.dumps(piece)}\n\n"
                yield "data: [DONE]\n\n"

            return StreamingResponse(lines(), media_type="text/event-stream")
        message: dict[str, Any] = {"role": "assistant", "content": ""}
        async for delta in deltas(messages, settings):
            for key, value in delta.items():
                if key != "progress":
                    message[key] = message.get(key, type(value)()) + value
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {**head, "object": "chat.completion", "choices": [choice]}

    @service.get("/v1/models")
    async def models() -> dict[str, Any]:
        return {
            "object": "list",
            "data": [{"id": name, "object": "model", "created": 0, "owned_by": "sulan"}],
        }

    @service.get("/healthz")
    async def healthy() -> dict[str, str]:
        return {"status": "ok"}

    return service

"""A reply followed from an event loop, which its reader may leave at any time."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Iterator, Sequence

from anyio import CancelScope, to_thread

from sulan.anytoany.messages import Message
from sulan.anytoany.protocols import Assistant, Cancelled, Event, Settings


async def follow(
    assistant: Assistant, messages: Sequence[Message], *, settings: Settings
) -> AsyncGenerator[Event]:
    """Yield a reply's events; the assistant runs in a thread.

    Where the reader is cancelled, the assistant hears of it and its step is waited for, so that two replies never
    run at the same time; where the reader closes this between two events, nothing more is asked of it.
    """
    gone = threading.Event()
    replies = assistant.reply(messages, settings=settings, wanted=lambda: not gone.is_set())
    try:
        while event := await _next(replies, gone):
            yield event
    except Cancelled:
        return
    finally:
        gone.set()


async def _next(replies: Iterator[Event], gone: threading.Event) -> Event | None:
    step = asyncio.create_task(to_thread.run_sync(next, replies, None))
    try:
        return await asyncio.shield(step)
    except asyncio.CancelledError:
        gone.set()
        with CancelScope(shield=True):
            await asyncio.wait({step})
        step.exception()  # its `Cancelled` is expected; asyncio would log that nobody looked at it
        raise

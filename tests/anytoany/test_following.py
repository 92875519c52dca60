"""A reader that leaves a reply."""

import asyncio
from contextlib import aclosing

from anytoany.scripted import Scripted
from sulan.anytoany.following import follow
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Made, Making, Said, Settings


def asked(text: str) -> list[Message]:
    return [Message(role="user", parts=(Text(text=text),))]


def test_events_come_in_order():
    async def all_of_it() -> list[type]:
        reply = follow(Scripted(), asked("draw"), settings=Settings(modalities=("image",)))
        return [type(event) async for event in reply]

    assert asyncio.run(all_of_it()) == [Said, Said, Making, Made]


def test_one_who_is_cancelled_waits_for_the_step_which_hears_of_it():
    assistant = Scripted()

    async def leave() -> None:
        async def read() -> None:
            async with aclosing(follow(assistant, asked("slowly"), settings=Settings())) as events:
                async for event in events:
                    if isinstance(event, Making):
                        making.set()

        making = asyncio.Event()
        reading = asyncio.create_task(read())
        await making.wait()
        await asyncio.sleep(0.05)  # into the step after
        reading.cancel()
        await asyncio.wait({reading})
        assert reading.cancelled() and assistant.stopped.is_set()

    asyncio.run(leave())


def test_one_who_stops_reading_between_two_events_asks_for_no_more():
    assistant = Scripted()

    async def leave() -> None:
        async with aclosing(follow(assistant, asked("draw"), settings=Settings())) as events:
            await anext(events)

    asyncio.run(leave())
    assert assistant.loaded == []

"""A small assistant that answers by a script, and what serves it."""

import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import uvicorn
from fastapi import FastAPI

from sulan.anytoany.media import Audio, Image, Kind, Media, Video
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Cancelled, Event, Made, Making, Said, Settings


def red() -> Image:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[..., 0] = 255
    return Image(pixels=pixels)


def made(kind: Kind) -> Media:
    if kind == "image":
        return red()
    if kind == "audio":
        return Audio(samples=np.zeros(800, np.float32), rate=8000)
    return Video(frames=np.zeros((4, 16, 16, 3), np.uint8), rate=8)


class Scripted:
    """Says what it was given and makes every medium that is wanted; to "slowly" it never ends by itself."""

    def __init__(self) -> None:
        self.loaded: list[Kind] = []
        self.asked: list[Settings] = []
        self.stopped = threading.Event()

    def reply(
        self, messages: Sequence[Message], *, settings: Settings, wanted: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        self.asked.append(settings)
        yield Said(text="I got ")
        yield Said(text=" ".join(type(part).__name__ for part in messages[-1].parts))
        if messages[-1].parts[0] == Text(text="slowly"):
            yield Making(index=0, kind="image", done=0, steps=100)
            while wanted():
                time.sleep(0.01)
            self.stopped.set()
            raise Cancelled
        for index, kind in enumerate(settings.modalities):
            self.loaded.append(kind)
            yield Making(index=index, kind=kind, done=1, steps=1)
            yield Made(index=index, media=made(kind))


@contextmanager
def serving(api: FastAPI) -> Iterator[str]:
    """Serve on a free port; give the address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        config = uvicorn.Config(api, log_level="error", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(10)

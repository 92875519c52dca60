"""The service, driven by the official client."""

import base64
import io
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import openai
import pytest
import uvicorn

from sulan.anytoany.media import Image
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Cancelled, Event, Made, Making, Said, Settings
from sulan.anytoany.server import application


class Scripted:
    """Says what it was given, and makes a red picture where one is wanted."""

    def __init__(self) -> None:
        self.loaded: list[str] = []
        self.stopped = threading.Event()

    def reply(
        self, messages: Sequence[Message], *, settings: Settings, wanted: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        yield Said(text=" ".join(type(part).__name__ for part in messages[-1].parts))
        if messages[-1].parts == (Text(text="slowly"),):
            yield Making(index=0, kind="image", done=0, steps=100)
            while wanted():
                time.sleep(0.01)
            self.stopped.set()
            raise Cancelled
        for index, kind in enumerate(settings.modalities):
            self.loaded.append(kind)
            red = np.zeros((8, 8, 3), np.uint8)
            red[..., 0] = 255
            yield Made(index=index, media=Image(pixels=red))


@pytest.fixture
def served() -> Iterator[tuple[Scripted, openai.OpenAI]]:
    assistant = Scripted()
    config = uvicorn.Config(
        application(assistant, name="small", waiting=0),
        port=0,
        log_level="error",
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield assistant, openai.OpenAI(base_url=f"http://127.0.0.1:{port}/v1", api_key="none", max_retries=0)
    server.should_exit = True
    thread.join()


def message(address: str, sound: bytes) -> dict:
    data = base64.b64encode(sound).decode()
    return {
        "role": "user",
        "content": [
            {"type": "text", "text": "draw it"},
            {"type": "image_url", "image_url": {"url": address}},
            {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        ],
    }


def test_text_and_image_stream_from_image_and_audio_and_no_audio_is_made(served):
    soundfile = pytest.importorskip("soundfile")
    pictures = pytest.importorskip("PIL.Image")
    assistant, client = served
    picture, sound = io.BytesIO(), io.BytesIO()
    pictures.new("RGB", (4, 4)).save(picture, "PNG")
    soundfile.write(sound, np.zeros(100), 8000, format="WAV")
    address = "data:image/png;base64," + base64.b64encode(picture.getvalue()).decode()
    chunks = client.chat.completions.create(
        model="small",
        messages=[message(address, sound.getvalue())],
        stream=True,
        extra_body={"modalities": ["text", "image"]},
    )
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert deltas[0].content == "Text Image Audio"
    made = deltas[1].model_extra["images"][0]["url"]
    shown = pictures.open(io.BytesIO(base64.b64decode(made.partition(",")[2])))
    assert shown.getpixel((0, 0)) == (255, 0, 0)
    assert assistant.loaded == ["image"]


def test_a_url_is_refused_and_the_service_stays(served):
    _, client = served
    with pytest.raises(openai.BadRequestError, match="not fetched"):
        client.chat.completions.create(model="small", messages=[message("http://10.0.0.1/a.png", b"")])
    assert [model.id for model in client.models.list()] == ["small"]


def test_the_queue_is_full_until_the_client_leaves_which_cancels_the_diffusion(served):
    assistant, client = served

    def ask(text: str) -> openai.Stream:
        return client.chat.completions.create(
            model="small", messages=[{"role": "user", "content": text}], stream=True
        )

    first = ask("slowly")
    next(iter(first))
    with pytest.raises(openai.RateLimitError, match="queue is full"):
        ask("hello")
    first.close()
    assert assistant.stopped.wait(10)
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            assert next(iter(ask("hello"))).choices[0].delta.content == "Text"
            return
        except openai.RateLimitError:
            time.sleep(0.05)
    pytest.fail("the place of a client that left is never free again")


@pytest.mark.parametrize(
    "body", [b"<svg/>", b"<html>", b"\x89PNG\r\n\x1a\n", bytes(4) + b"ftypisom" + bytes(90)]
)
def test_a_hostile_picture_is_a_bad_request(served, body):
    _, client = served
    address = "data:image/png;base64," + base64.b64encode(body).decode()
    with pytest.raises(openai.BadRequestError, match="An upload"):
        client.chat.completions.create(model="small", messages=[message(address, b"")])
    assert [model.id for model in client.models.list()] == ["small"]

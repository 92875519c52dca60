"""The service, driven by the official client."""

import base64
import io
import time
from collections.abc import Iterator

import httpx2
import numpy as np
import openai
import psutil
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from PIL import Image
from pydantic import BaseModel

from anytoany.hostile import HTML, SVG, clip, huge, picture, silence
from anytoany.scripted import Scripted, serving
from sulan.anytoany import provenance
from sulan.anytoany.delivery import Delivery
from sulan.anytoany.server import application


@pytest.fixture
def assistant() -> Scripted:
    return Scripted()


@pytest.fixture
def address(assistant) -> Iterator[str]:
    with serving(application(assistant, name="small", delivery=Delivery(), waiting=0)) as found:
        yield found


@pytest.fixture
def client(address) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{address}/v1", api_key="none", max_retries=0, timeout=30)


def picture_part(body: bytes) -> dict:
    url = "data:image/png;base64," + base64.b64encode(body).decode()
    return {"type": "image_url", "image_url": {"url": url}}


def sound_part(body: bytes) -> dict:
    data = base64.b64encode(body).decode()
    return {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}


def video_part(body: bytes) -> dict:
    return {
        "type": "video_url",
        "video_url": {"url": "data:video/mp4;base64," + base64.b64encode(body).decode()},
    }


def ask(client: openai.OpenAI, *parts: dict, **extra: object) -> ChatCompletion:
    messages: list = [{"role": "user", "content": list(parts)}]
    return client.chat.completions.create(model="small", messages=messages, extra_body=extra)


def streamed(client: openai.OpenAI, *parts: dict, **extra: object) -> openai.Stream[ChatCompletionChunk]:
    messages: list = [{"role": "user", "content": list(parts)}]
    return client.chat.completions.create(model="small", messages=messages, stream=True, extra_body=extra)


def media(said: BaseModel, kind: str) -> dict:
    """Return the first medium of a message or delta; the client keeps what it does not know as extra."""
    return (said.model_extra or {})[kind][0]


TEXT = {"type": "text", "text": "draw what you hear"}
RED = picture(np.full((4, 4, 3), (255, 0, 0), np.uint8))


def test_text_and_a_marked_picture_stream_from_a_message_with_image_and_audio(client, assistant):
    parts = [TEXT, picture_part(RED), sound_part(silence(1))]
    chunks = list(streamed(client, *parts, modalities=["text", "image"], steps=3, seed=7))
    deltas = [chunk.choices[0].delta for chunk in chunks]
    assert "".join(delta.content or "" for delta in deltas) == "I got Text Image Audio"
    assert media(deltas[-2], "images")["index"] == 0
    body = base64.b64decode(media(deltas[-2], "images")["url"].partition(",")[2])
    assert Image.open(io.BytesIO(body)).getpixel((0, 0)) == (255, 0, 0)
    mark = provenance.read(body, type="image/png")
    assert mark and mark["state"] == "Valid"
    assert mark["actions"][0]["digitalSourceType"].endswith("trainedAlgorithmicMedia")
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert assistant.loaded == ["image"]  # nothing that makes sounds was ever touched
    assert (assistant.asked[0].steps, assistant.asked[0].seed) == (3, 7)


def test_a_whole_reply_links_its_files_and_a_foreign_name_finds_none(client, address):
    reply = ask(client, TEXT, video_part(clip()), modalities=["text", "audio", "video"], media="link")
    message = reply.choices[0].message
    assert message.content == "I got Text Video"
    sound = httpx2.get(address + media(message, "audios")["url"])
    film = httpx2.get(address + media(message, "videos")["url"])
    assert (sound.headers["content-type"], sound.content[:4]) == ("audio/wav", b"RIFF")
    assert (film.headers["content-type"], film.content[4:8]) == ("video/mp4", b"ftyp")
    assert httpx2.get(f"{address}/v1/files/..%2F..%2Fx").status_code == 404


def test_hostile_uploads_are_bad_requests_and_the_server_stays_healthy(client, address):
    hostile = [
        (picture_part(huge()), "30000 x 30000"),
        (sound_part(silence(3600)), "longer than 60"),
        (video_part(clip()[:200]), "cannot be read"),
        (picture_part(HTML), "no format"),
        (picture_part(SVG), "no format"),
        ({"type": "image_url", "image_url": {"url": "http://169.254.169.254/x.png"}}, "not fetched"),
        ({"type": "image_url", "image_url": {"url": "file:///etc/passwd"}}, "not fetched"),
        ({"type": "image_url", "image_url": {"url": "../../x"}}, "not fetched"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,%%"}}, "not base64"),
        ({"type": "file", "file": {"file_id": "../../x"}}, "not text"),
    ]
    ask(client, TEXT, picture_part(RED))  # everything is loaded
    before = psutil.Process().memory_info().rss
    for part, reason in hostile:
        with pytest.raises(openai.BadRequestError, match=reason):
            ask(client, TEXT, part)
    assert psutil.Process().memory_info().rss - before < 300 << 20
    assert httpx2.get(f"{address}/healthz").json() == {"status": "ok"}
    metrics = httpx2.get(f"{address}/metrics").text
    assert f'sulan_events_total{{event="invalid"}} {len(hostile)}' in metrics
    assert "sulan_requests_held 0" in metrics


@pytest.mark.parametrize(
    "body",
    [b"{", b"[]", b'{"messages": [{"role": "tool", "content": ""}]}', b'{"messages": [{"role": "user"}]}'],
)
def test_what_is_no_request_is_told(address, body):
    answer = httpx2.post(f"{address}/v1/chat/completions", content=body)
    assert answer.status_code == 400 and answer.json()["error"]["message"]


@pytest.mark.parametrize("extra", [{"steps": 10_000}, {"modalities": ["smell"]}, {"guidance": "much"}])
def test_too_much_is_refused(client, extra):
    with pytest.raises(openai.BadRequestError):
        ask(client, TEXT, **extra)


@pytest.mark.parametrize("streaming", [True, False])
def test_the_queue_is_full_until_a_client_leaves_which_cancels_its_diffusion(
    client, address, assistant, streaming
):
    slow = {"type": "text", "text": "slowly"}
    if streaming:
        first = streamed(client, slow)
        for chunk in first:
            if "progress" in (chunk.choices[0].delta.model_extra or {}):
                break
        with pytest.raises(openai.RateLimitError, match="queue is full"):
            ask(client, TEXT)
        first.close()
    else:
        with pytest.raises(openai.APITimeoutError):
            ask(client.with_options(timeout=1), slow)
    assert assistant.stopped.wait(10)
    until = time.monotonic() + 10
    while "sulan_requests_held 0" not in httpx2.get(f"{address}/metrics").text:
        assert time.monotonic() < until, "the place of a client that left is never free again"
        time.sleep(0.05)
    assert ask(client, TEXT).choices[0].message.content == "I got Text"

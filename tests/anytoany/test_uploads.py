"""Hostile and odd uploads."""

import base64
import io
import struct
import zlib

import numpy as np
import psutil
import pytest

from sulan.anytoany import uploads
from sulan.anytoany.media import Audio, Image, Video
from sulan.errors import InputError

av = pytest.importorskip("av")
soundfile = pytest.importorskip("soundfile")
pillow = pytest.importorskip("PIL.Image")


def picture(array: np.ndarray, form: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    pillow.fromarray(array).save(file, form, **options)
    return file.getvalue()


def clip() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as opened:
        stream = opened.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        for level in range(0, 250, 10):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), level, np.uint8), format="rgb24")
            opened.mux(stream.encode(frame))
        opened.mux(stream.encode(None))
    return file.getvalue()


def huge() -> bytes:
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I", 13)
        + chunk
        + struct.pack(">I", zlib.crc32(chunk))
        + bytes(4)
        + b"IDAT"
    )


def silence(seconds: int) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(seconds * 8000, np.float32), 8000, format="FLAC")
    return file.getvalue()


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (huge, "30000 x 30000"),
        (lambda: silence(3600), "longer than 60"),
        (lambda: clip()[:200], "video"),
        (lambda: b"<html><script>1</script></html>", "no format"),
        (lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "no format"),
        (lambda: b"%PDF-1.7", "no format"),
    ],
)
def test_a_hostile_upload_is_refused_with_a_reason_and_little_memory(body, reason):
    given = body()
    before = psutil.Process().memory_info().rss
    with pytest.raises(InputError, match=reason):
        uploads.decode(given)
    assert psutil.Process().memory_info().rss - before < 300 << 20


def test_an_address_is_never_fetched():
    with pytest.raises(InputError, match="not fetched"):
        uploads.inline("http://169.254.169.254/latest")


def test_another_kind_than_said_is_refused():
    with pytest.raises(InputError, match="called image but is audio"):
        uploads.decode(silence(1), kind="image")


def test_transparency_is_white_and_sixteen_bits_are_scaled():
    clear = uploads.decode(picture(np.zeros((2, 3, 4), np.uint8)))
    assert isinstance(clear, Image) and clear.pixels.shape == (2, 3, 3) and clear.pixels.min() == 255
    deep = uploads.decode(picture(np.full((2, 2), 0x8000, np.uint16)))
    assert isinstance(deep, Image) and (deep.pixels == 128).all()


def test_sound_and_clip_come_back():
    sound = uploads.decode(uploads.inline("data:audio/flac;base64," + base64.b64encode(silence(1)).decode()))
    assert isinstance(sound, Audio) and sound.rate == 8000 and len(sound.samples) == 8000
    film = uploads.decode(clip())
    assert isinstance(film, Video) and film.frames.shape == (25, 32, 32, 3) and film.rate == 8

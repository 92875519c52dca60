"""Files that strangers send, made small enough to be written here."""

import io
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray


def picture(array: NDArray[Any], form: str = "PNG", **options: Any) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(array).save(file, form, **options)
    return file.getvalue()


def silence(seconds: int) -> bytes:
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, np.zeros(seconds * 8000, np.float32), 8000, format="FLAC")
    return file.getvalue()


def clip() -> bytes:
    """25 frames of 32 x 32, 8 a second."""
    import av

    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as opened:
        stream = opened.add_stream("mpeg4", rate=8)
        stream.width = stream.height = 32
        for level in range(0, 250, 10):
            pixels = np.full((32, 32, 3), level, np.uint8)
            opened.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        opened.mux(stream.encode(None))
    return file.getvalue()


def huge() -> bytes:
    """The head of a PNG of 30,000 x 30,000 pixels, 2.7 GB if it were decoded."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13)
    return head + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(4) + b"IDAT"


HTML = b"<html><script>alert(1)</script></html>"
SVG = b"<svg xmlns='http://www.w3.org/2000/svg'/>"

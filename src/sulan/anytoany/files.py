"""Media as the bytes of files that every browser opens (PNG, WAV, MP4), and where a server keeps them for a while.

Names are drawn at random; none comes from a request. Not covered: keeping files longer than the server runs.
"""

import io
import secrets
import threading
import time
from collections.abc import Callable
from fractions import Fraction

from sulan.anytoany.media import Audio, Image, Media

TYPES = {"image": "image/png", "audio": "audio/wav", "video": "video/mp4"}
ENDINGS = {"image": ".png", "audio": ".wav", "video": ".mp4"}


def encode(media: Media) -> bytes:
    """Return PNG, 16-bit WAV or MP4 (H.264; sides are cut to even numbers, which its colour planes need)."""
    file = io.BytesIO()
    if isinstance(media, Image):
        from PIL import Image as Picture

        Picture.fromarray(media.pixels).save(file, "PNG")
    elif isinstance(media, Audio):
        import soundfile

        soundfile.write(file, media.samples, media.rate, format="WAV", subtype="PCM_16")
    else:
        import av

        height, width = (side // 2 * 2 for side in media.frames.shape[1:3])
        with av.open(file, "w", format="mp4") as opened:
            stream = opened.add_stream("libx264", rate=Fraction(media.rate).limit_denominator(1000))
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for frame in media.frames[:, :height, :width]:
                opened.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
            opened.mux(stream.encode(None))
    return file.getvalue()


def name(media: Media) -> str:
    """Return a random file name with the ending that `encode` makes."""
    return secrets.token_hex(16) + ENDINGS[media.kind]


class Store:
    """Files that are fetched soon after they are made.

    Parameters
    ----------
    seconds
        How long a file is kept.
    size
        Bytes of all files; the oldest go first.
    clock
        Seconds.
    """

    def __init__(
        self, *, seconds: float = 3600, size: int = 256 << 20, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._held: dict[str, tuple[float, str, bytes]] = {}

    def put(self, body: bytes, *, type: str) -> str:
        """Keep a file; return its random identifier."""
        identifier = secrets.token_urlsafe(24)
        with self._lock:
            self._held[identifier] = (self._clock() + self._seconds, type, body)
            self._expire()
        return identifier

    def get(self, identifier: str) -> tuple[str, bytes] | None:
        """Return type and bytes; None where there is no such file, or no more."""
        with self._lock:
            self._expire()
            held = self._held.get(identifier)
        return held and held[1:]

    def _expire(self) -> None:
        now = self._clock()
        size = sum(len(body) for _, _, body in self._held.values())
        for identifier, (until, _, body) in list(self._held.items()):  # oldest first
            if until > now and size <= self._size:
                break
            size -= len(body)
            del self._held[identifier]

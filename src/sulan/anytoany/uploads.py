"""Files that strangers give: told by their content, limited before they are decoded, decoded in a process of its own.

Not covered: SVG, EPS, PDF and addresses, which are refused; a video's sound and the frames after an animation's first.
"""

import base64
import binascii
import json
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from sulan.anytoany.media import Audio, Image, Kind, Media, Video
from sulan.errors import InputError, MissingFile


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What one upload may cost.

    Attributes
    ----------
    size
        Bytes of the file.
    pixels
        Of a picture, or of all frames of a clip that are kept. 24 million: a telephone's photograph.
    frames
        Of a clip.
    seconds
        Of a sound or a clip.
    rate
        Samples a second of a sound.
    channels
        Of a sound.
    processor
        CPU seconds of decoding.
    memory
        Bytes of address space of the process that decodes.
    """

    size: int = 32 << 20
    pixels: int = 24_000_000
    frames: int = 512
    seconds: float = 60.0
    rate: int = 192_000
    channels: int = 8
    processor: int = 20
    memory: int = 2 << 30


def sniff(body: bytes) -> Kind:
    """Return what a file holds, by its first bytes.

    Raises
    ------
    InputError
        It is none of the formats that are read.

    Examples
    --------
    >>> sniff(b"fLaC" + bytes(8)), sniff(b"GIF89a"), sniff(bytes(4) + b"ftypisom")
    ('audio', 'image', 'video')
    """
    riff = body[8:12] if body[:4] == b"RIFF" else b""
    if body.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")) or riff == b"WEBP":
        return "image"
    if body.startswith((b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")) or riff == b"WAVE":
        return "audio"
    if body[4:8] == b"ftyp" or body.startswith(b"\x1aE\xdf\xa3"):
        return "video"
    raise InputError(
        "An upload is in no format that is read",
        hint="Give PNG, JPEG, GIF or WebP; WAV, FLAC, Ogg or MP3; MP4 or WebM.",
    )


def inline(address: str) -> bytes:
    """Return the bytes of a `data:` address; every other address is refused, nothing is fetched.

    Examples
    --------
    >>> inline("data:image/png;base64,QUJD")
    b'ABC'
    """
    head, comma, payload = address.partition(",")
    if not head.startswith("data:") or not head.endswith(";base64") or not comma:
        raise InputError("An address is not fetched", hint="Send the file itself as data:TYPE;base64,...")
    return unpack(payload)


def body(path: Path, *, limits: Limits) -> bytes:
    """Return a file's bytes.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It's too large to be read.
    """
    if not path.is_file():
        raise MissingFile(f"There is no file {path}")
    size = path.stat().st_size
    if size > limits.size:
        raise InputError(f"{path.name} has {size} bytes", hint=f"At most {limits.size} are read.")
    return path.read_bytes()


def unpack(payload: str) -> bytes:
    """Return what base64 text holds.

    Raises
    ------
    InputError
        It isn't base64.
    """
    try:
        return base64.b64decode(payload, validate=True)
    except (binascii.Error, ValueError):
        raise InputError("An upload is not base64", hint="Encode the file's bytes as base64.") from None


def decode(body: bytes, *, limits: Limits = Limits(), kind: Kind | None = None) -> Media:
    """Return what a file holds.

    Parameters
    ----------
    body
        The whole file.
    limits
        What it may cost.
    kind
        What the sender said that it is; None: not said.

    Raises
    ------
    InputError
        It's too large, broken, or something else than was said.
    """
    if len(body) > limits.size:
        raise InputError(f"An upload has {len(body)} bytes", hint=f"At most {limits.size} are read.")
    found = sniff(body)
    if kind is not None and kind != found:
        raise InputError(f"An upload is called {kind} but is {found}")
    asked = json.dumps({"kind": found, "limits": asdict(limits)}).encode()
    try:
        child = subprocess.run(
            [sys.executable, "-m", "sulan.anytoany.decoding"],
            input=asked + b"\n" + body,
            capture_output=True,
            timeout=4 * limits.processor,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(f"An upload ({found}) takes too long to decode") from None
    if child.returncode != 0:
        raise InputError(f"An upload ({found}) cannot be decoded within its limits")
    head, _, data = child.stdout.partition(b"\n")
    answer = json.loads(head)
    if "failed" in answer:
        raise InputError(f"An upload ({found}) cannot be read: {answer['failed']}")
    shape = tuple(answer["shape"])
    if found == "image":
        return Image(pixels=np.frombuffer(data, np.uint8).reshape(shape))
    if found == "audio":
        return Audio(samples=np.frombuffer(data, np.float32).reshape(shape), rate=answer["rate"])
    return Video(frames=np.frombuffer(data, np.uint8).reshape(shape), rate=answer["rate"])

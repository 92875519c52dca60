"""What a request for chat completions asks, read without trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sulan.anytoany import uploads
from sulan.anytoany.media import KINDS, Audio, Image, Media
from sulan.anytoany.messages import Message, Part, Text
from sulan.anytoany.protocols import Settings
from sulan.errors import InputError

TOKENS = 4096
STEPS = 200
"""The most that one request may cost the server, in tokens of text and in diffusion steps of a medium."""

UPLOADS = 16
"""Files of one request; each is decoded by a process of its own."""

DECODED = 128 << 20
"""Bytes of one request's media as arrays."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request.

    Attributes
    ----------
    messages
        The conversation.
    settings
        How the reply is made.
    stream
        Send the reply in pieces.
    linked
        Media come as links to `/v1/files/...`, not as `data:` addresses.
    """

    messages: tuple[Message, ...]
    settings: Settings
    stream: bool
    linked: bool


def read(given: object, *, limits: uploads.Limits) -> Asked:
    """Return what a request asks; its uploads are decoded.

    Parameters
    ----------
    given
        The body, from JSON.
    limits
        What one upload may cost.

    Raises
    ------
    InputError
        It isn't a request for chat completions, asks for too much, or an upload is refused.
    """
    if not isinstance(given, Mapping) or not isinstance(given.get("messages"), list) or not given["messages"]:
        raise InputError("A request has no messages")
    messages, size, files = [], 0, 0
    for turn in given["messages"]:
        if not isinstance(turn, Mapping) or turn.get("role") not in ("system", "user", "assistant"):
            raise InputError("A message's role is not system, user or assistant")
        content = turn.get("content")
        parts: list[Part] = []
        for piece in [{"type": "text", "text": content}] if isinstance(content, str) else _pieces(content):
            files += piece.get("type") != "text"
            if files > UPLOADS:
                raise InputError(f"A request has more than {UPLOADS} files")
            parts.append(_part(piece, limits=limits))
            size += _size(parts[-1])
            if size > DECODED:
                raise InputError(
                    "A request's media are too large together", hint="Send fewer or smaller ones."
                )
        messages.append(Message(role=turn["role"], parts=tuple(parts)))
    asked = given.get("modalities")
    asked = ["text"] if asked is None else asked
    if not isinstance(asked, list) or not all(kind in ("text", *KINDS) for kind in asked):
        raise InputError("Modalities are not a list of text, image, audio and video")
    plain = Settings()
    most = given.get("max_completion_tokens") or given.get("max_tokens")
    settings = Settings(
        modalities=tuple(kind for kind in KINDS if kind in asked),
        tokens=int(_number("max_tokens", most, otherwise=plain.tokens, low=1, high=TOKENS)),
        temperature=_number(
            "temperature", given.get("temperature"), otherwise=plain.temperature, low=0, high=2
        ),
        steps=int(_number("steps", given.get("steps"), otherwise=plain.steps, low=1, high=STEPS)),
        guidance=_number("guidance", given.get("guidance"), otherwise=plain.guidance, low=1, high=50),
        seed=int(_number("seed", given.get("seed"), otherwise=plain.seed, low=0, high=2**31 - 1)),
    )
    return Asked(
        messages=tuple(messages),
        settings=settings,
        stream=bool(given.get("stream")),
        linked=given.get("media") == "link",
    )


def _pieces(content: object) -> list[Mapping[str, Any]]:
    if not isinstance(content, list) or not all(isinstance(piece, Mapping) for piece in content):
        raise InputError("A message's content is neither text nor a list of parts")
    return content


def _part(given: Mapping[str, Any], *, limits: uploads.Limits) -> Part:
    kind = given.get("type")
    value = given.get(kind) if isinstance(kind, str) else None
    if kind == "text" and isinstance(value, str):
        return Text(text=value)
    if isinstance(value, Mapping):
        if kind in ("image_url", "video_url") and isinstance(value.get("url"), str):
            expected = "image" if kind == "image_url" else "video"
            return uploads.decode(uploads.inline(value["url"]), limits=limits, kind=expected)
        if kind == "input_audio" and isinstance(value.get("data"), str):
            return uploads.decode(uploads.unpack(value["data"]), limits=limits, kind="audio")
    raise InputError("A part is not text, image_url, input_audio or video_url with its value")


def _size(part: Text | Media) -> int:
    if isinstance(part, Text):
        return 0
    if isinstance(part, Image):
        return part.pixels.nbytes
    return part.samples.nbytes if isinstance(part, Audio) else part.frames.nbytes


def _number(name: str, value: object, *, otherwise: float, low: float, high: float) -> float:
    """Return a number of a request, or what holds without it.

    Examples
    --------
    >>> _number("steps", None, otherwise=50, low=1, high=200)
    50
    """
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise InputError(f"{name} is not a number from {low} to {high}")
    return value

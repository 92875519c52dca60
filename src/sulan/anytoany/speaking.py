"""One reply, gathered: its text, and its media as files in a folder."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sulan.anytoany import uploads
from sulan.anytoany.delivery import Delivery, Withheld
from sulan.anytoany.files import ENDINGS
from sulan.anytoany.messages import Message, Part, Text
from sulan.anytoany.protocols import Assistant, Made, Said, Settings
from sulan.errors import InputError
from sulan.runs.progress import progress


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What an assistant said and made.

    Attributes
    ----------
    text
        Its words.
    paths
        Its media, in order.
    withheld
        Why others are not among them.
    """

    text: str
    paths: tuple[Path, ...]
    withheld: tuple[str, ...]


def turn(
    text: str, *, image: Sequence[Path] = (), audio: Sequence[Path] = (), video: Sequence[Path] = ()
) -> Message:
    """Return a user's turn: the words, then pictures, sounds and clips, each in the order given.

    Raises
    ------
    MissingFile, InputError
        A file is not there, or is not what it's given as.
    """
    limits = uploads.Limits()
    parts: list[Part] = [Text(text=text)]
    for path in image:
        parts.append(uploads.decode(uploads.body(path, limits=limits), limits=limits, kind="image"))
    for path in audio:
        parts.append(uploads.decode(uploads.body(path, limits=limits), limits=limits, kind="audio"))
    for path in video:
        parts.append(uploads.decode(uploads.body(path, limits=limits), limits=limits, kind="video"))
    return Message(role="user", parts=tuple(parts))


def reply(
    assistant: Assistant,
    messages: Sequence[Message],
    *,
    settings: Settings,
    delivery: Delivery,
    folder: Path,
    stem: str = "",
) -> Reply:
    """Return a reply; its media are written as `STEM0-image.png` and so on.

    Raises
    ------
    InputError
        The checker lets nobody answer the conversation.
    """
    if reason := delivery.checker.request(messages):
        raise InputError(f"The request is not answered: {reason}")
    text, paths, withheld = "", [], []
    for event in progress(assistant.reply(messages, settings=settings), label="reply"):
        if isinstance(event, Said):
            text += event.text
        elif isinstance(event, Made):
            body = delivery.file(event.media)
            if isinstance(body, Withheld):
                withheld.append(body.reason)
                continue
            kind = event.media.kind
            path = folder / f"{stem}{event.index}-{kind}{ENDINGS[kind]}"
            path.write_bytes(body)
            paths.append(path)
    return Reply(text=text, paths=tuple(paths), withheld=tuple(withheld))

"""One reply, gathered: its text, and its media as files in a folder."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sulan.anytoany import uploads
from sulan.anytoany.delivery import Delivery, Withheld
from sulan.anytoany.files import ENDINGS
from sulan.anytoany.messages import Message, Part, Text
from sulan.anytoany.protocols import Assistant, Made, Said, Settings
from sulan.documents import convert, reader, schema
from sulan.errors import InputError, MissingFile
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


def prompts(data: Path, *, column: str) -> list[tuple[str, str]]:
    """Return identifier and text of each prompt.

    Parameters
    ----------
    data
        A corpus, JSON Lines, CSV, Parquet or text files.
    column
        Of the texts.

    Raises
    ------
    MissingFile, MissingColumn, InputError
        There are none.
    """
    if not data.exists():
        raise MissingFile(f"no prompts at {data}", hint="a corpus, JSON Lines, CSV, Parquet or text")
    if data.is_dir() and any(schema.PART.fullmatch(each.name) for each in data.iterdir()):
        found = _rows(data, column)
    else:
        with tempfile.TemporaryDirectory(prefix="sulan-") as scratch:
            renamed = {"text": column} if column != "text" else None
            convert.convert(data, Path(scratch), columns=renamed)
            found = _rows(Path(scratch), "text")
    if not found:
        raise InputError(f"There are no prompts in {data}")
    return found


def _rows(corpus: Path, column: str) -> list[tuple[str, str]]:
    schema.require(reader.schema(corpus), ["id", column], where=corpus)
    table = reader.columns(corpus, ["id", column])
    names, texts = (table.column(name).to_pylist() for name in ("id", column))
    return [(name, text or "") for name, text in zip(names, texts, strict=True)]


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

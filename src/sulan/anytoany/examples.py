"""What a system learns from: a corpus whose documents have media beside them.

The columns: `id`, `text` (the caption), `media` (kinds, and paths in the folder), `messages` (`content` is a turn's
parts as JSON: a list of {"type": "text", "text"} and {"type": KIND, "path"}), and where there is one `split`, of which
only `train` is learned. Files: PNG, WAV, and clips as `.npz` with `frames` and `rate`. Not covered: what does not fit
into memory, and files of strangers.
"""

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sulan.anytoany.media import Audio, Image, Kind, Media, Video
from sulan.anytoany.messages import Message, Part, Text
from sulan.errors import BrokenArtefact, InputError, MissingFile

COLUMNS = ("id", "text", "media", "messages")


@dataclass(frozen=True, kw_only=True)
class Example:
    """One document.

    Attributes
    ----------
    id
        Its id.
    caption
        What its media show.
    media
        By kind.
    messages
        A conversation about them.
    """

    id: str
    caption: str
    media: dict[Kind, Media]
    messages: tuple[Message, ...]


def read(folder: Path) -> list[Example]:
    """Return the examples that are learned from, in the corpus's order.

    Raises
    ------
    MissingFile, MissingColumn
        There is no such corpus, or a medium or a column of it is missing.
    BrokenArtefact
        A medium or a conversation is damaged.
    InputError
        No document is of the split `train`.
    """
    from sulan.documents import reader

    split = ["split"] if "split" in reader.schema(folder).names else []
    found = [
        _example(row, folder)
        for batch in reader.batches(folder, [*COLUMNS, *split], hint="sulan anytoany world")
        for row in batch.to_pylist()
        if row.get("split", "train") == "train"
    ]
    if not found:
        raise InputError(f"{folder} has nothing to learn from: no document is of the split train")
    return found


def medium(path: Path) -> Media:
    """Read one medium that Sulan wrote.

    Raises
    ------
    MissingFile, BrokenArtefact, InputError
        It is not there, is damaged, or is of another format.
    """
    if not path.is_file():
        raise MissingFile(f"{path} is missing")
    try:
        if path.suffix == ".png":
            from PIL import Image as Picture

            with Picture.open(path, formats=("PNG",)) as opened:
                return Image(pixels=np.asarray(opened.convert("RGB")))
        if path.suffix == ".wav":
            import soundfile

            samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
            return Audio(samples=samples.mean(1), rate=rate)
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as arrays:
                return Video(frames=arrays["frames"], rate=float(arrays["rate"]))
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise BrokenArtefact(f"{path} cannot be read: {error}") from error
    raise InputError(f"{path} is neither PNG, WAV nor NPZ")


def _example(row: dict[str, Any], folder: Path) -> Example:
    media = {item["path"]: medium(_inside(folder, item["path"])) for item in row["media"]}
    try:
        messages = tuple(_message(item, media) for item in row["messages"])
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(
            f"{folder}: the messages of {row['id']} are not a conversation: {error}"
        ) from error
    return Example(
        id=row["id"],
        caption=row["text"],
        media={item.kind: item for item in media.values()},
        messages=messages,
    )


def _message(item: dict[str, Any], media: dict[str, Media]) -> Message:
    parts: list[Part] = []
    for part in json.loads(item["content"]):
        parts.append(Text(text=part["text"]) if part["type"] == "text" else media[part["path"]])
    if item["role"] not in ("system", "user", "assistant"):
        raise ValueError(f"no role {item['role']!r}")
    return Message(role=item["role"], parts=tuple(parts))


def _inside(folder: Path, name: str) -> Path:
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise InputError(f"{folder}: the medium {name} lies outside the corpus")
    return path

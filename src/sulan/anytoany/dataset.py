"""The data folder: a corpus whose rows have media files beside it, written and read.

Columns: `id`, `text` (a caption), `messages` (`content` is the JSON list of a turn's parts), `media`, `split`,
`scene` (JSON, empty where the media are of no scene) and `captions` (JSON: what each medium's caption may say).
Pictures are PNG, sounds 16-bit WAV, clips NPZ (`frames`, `rate`): pictures and clips without loss, because readers
count pixels. Not covered: files of strangers; `sulan anytoany validate` looks at those.
"""

import io
import json
import wave
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from sulan.anytoany.dialogues import File, Turn, turn
from sulan.anytoany.media import Audio, Image, Kind, Media, Video
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.scenes import Scene
from sulan.errors import BrokenArtefact, MissingFile

ENDINGS: dict[Kind, str] = {"image": "png", "audio": "wav", "video": "npz"}


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row of a data folder.

    Attributes
    ----------
    id, text, split
        As in the corpus.
    files
        Its media.
    turns
        Its conversation; may be empty.
    scene
        What the media show, where it is known.
    captions
        By medium, a caption that says only what that medium carries.
    """

    id: str
    text: str
    files: tuple[File, ...]
    turns: tuple[Turn, ...] = ()
    split: str = "train"
    scene: Scene | None = None
    captions: dict[str, str] = field(default_factory=dict)


def write(items: Iterable[Item], folder: Path) -> int:
    """Write rows (not their files) into a folder and return how many there were."""
    import pyarrow as pa

    from sulan.documents import schema, writer

    columns = pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.large_string()),
            ("messages", schema.MESSAGES),
            ("media", schema.MEDIA),
            ("split", pa.string()),
            ("scene", pa.string()),
            ("captions", pa.string()),
        ]
    )
    with writer.Writer(folder, schema=columns) as target:
        for item in items:
            target.write(pa.RecordBatch.from_pylist([_row(item)], schema=columns))
    return target.documents


def read(folder: Path, *, split: str = "") -> Iterator[Item]:
    """Yield the rows of a data folder in order; of one split, where it is named.

    Raises
    ------
    MissingFile, BrokenArtefact, MissingColumn
        There is no such folder, it is damaged, or it is no data folder.
    """
    from sulan.documents import reader

    names = ["id", "text", "messages", "media", "split", "scene", "captions"]
    for batch in reader.batches(folder, names, hint="sulan anytoany world --out DATA makes one"):
        for row in batch.to_pylist():
            if split and row["split"] != split:
                continue
            yield Item(
                id=row["id"],
                text=row["text"],
                files=tuple(File(kind=file["kind"], path=file["path"]) for file in row["media"]),
                turns=tuple(turn(message["role"], message["content"]) for message in row["messages"]),
                split=row["split"],
                scene=Scene(**json.loads(row["scene"])) if row["scene"] else None,
                captions=json.loads(row["captions"]),
            )


def encoded(media: Media) -> bytes:
    """Return a medium as the bytes of its file; the same bytes for the same medium."""
    stream = io.BytesIO()
    if isinstance(media, Image):
        from PIL import Image as Pictures

        Pictures.fromarray(media.pixels).save(stream, "PNG")
    elif isinstance(media, Audio):
        with wave.open(stream, "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(media.rate)
            file.writeframes(np.round(np.clip(media.samples, -1, 1) * 32767).astype("<i2").tobytes())
    else:
        np.savez_compressed(stream, frames=media.frames, rate=np.float64(media.rate))
    return stream.getvalue()


def load(folder: Path, file: File) -> Media:
    """Return a medium of a data folder that Sulan wrote.

    Raises
    ------
    MissingFile, BrokenArtefact
        The file is not there, outside the folder, or damaged.
    """
    path = folder / file.path
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BrokenArtefact(f"{file.path} lies outside {folder}")
    try:
        return _decoded(path, file.kind)
    except FileNotFoundError as error:
        raise MissingFile(f"no file {path}") from error
    except (OSError, ValueError, KeyError, EOFError, wave.Error, BadZipFile) as error:
        raise BrokenArtefact(f"{path} is damaged: {error or type(error).__name__}") from error


def messages(folder: Path, item: Item) -> tuple[Message, ...]:
    """Return a row's conversation with its media loaded; raises as `load`."""
    return tuple(
        Message(
            role=turn.role,
            parts=tuple(
                Text(text=part) if isinstance(part, str) else load(folder, part) for part in turn.parts
            ),
        )
        for turn in item.turns
    )


def _decoded(path: Path, kind: Kind) -> Media:
    if kind == "image":
        from PIL import Image as Pictures

        with Pictures.open(path) as picture:
            return Image(pixels=np.asarray(picture.convert("RGB")))
    if kind == "audio":
        with wave.open(str(path), "rb") as file:
            if (file.getnchannels(), file.getsampwidth()) != (1, 2):
                raise ValueError("not one channel of 16 bits")
            data = file.readframes(file.getnframes())
            if len(data) != 2 * file.getnframes():
                raise ValueError("cut off")
            return Audio(
                samples=np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32767),
                rate=file.getframerate(),
            )
    with np.load(path, allow_pickle=False) as arrays:
        frames = arrays["frames"]
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[-1] != 3:
            raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}")
        return Video(frames=frames, rate=float(arrays["rate"]))


def _row(item: Item) -> dict[str, object]:
    return {
        "id": item.id,
        "text": item.text,
        "messages": [{"role": one.role, "content": one.content()} for one in item.turns],
        "media": [{"kind": file.kind, "path": file.path} for file in item.files],
        "split": item.split,
        "scene": json.dumps(asdict(item.scene)) if item.scene else "",
        "captions": json.dumps(item.captions, ensure_ascii=False),
    }

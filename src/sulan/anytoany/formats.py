"""Read other people's data: NExT-GPT's JSON files, LLaVA's, OpenAI messages, WebDataset archives.

Each importer yields rows whose paths are relative to the folder of media that the caller names; whether the files
are there is what `sulan anytoany validate` says afterwards. Not covered: precomputed caption embeddings (`.npy`),
which are made again, and media behind URLs, which are never fetched.
"""

import base64
import binascii
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from sulan.anytoany.dataset import Item
from sulan.anytoany.dialogues import File, Turn
from sulan.anytoany.media import KINDS, Kind
from sulan.errors import InputError, MissingFile

_MARK = re.compile(r"<(image|audio|video)>\s*", re.IGNORECASE)
_KNOWN: dict[Kind, tuple[str, ...]] = {
    "image": ("png", "jpg", "jpeg", "webp", "gif", "bmp"),
    "audio": ("wav", "mp3", "flac", "ogg", "m4a"),
    "video": ("mp4", "webm", "mov", "mkv", "avi", "npz"),
}
_ENDINGS = {ending: kind for kind, endings in _KNOWN.items() for ending in endings}
MEMBER_BYTES = 1 << 28
"""A member of an archive, or a line, above this is refused."""


def pairs(path: Path) -> Iterator[Item]:
    """Yield NExT-GPT's raw pairs: `{"audio_id", "audio_name", "caption"}`, and the same of images and videos."""
    for number, row in enumerate(_rows(path)):
        kind = next((kind for kind in KINDS if f"{kind}_name" in row), None)
        if kind is None or not isinstance(row.get("caption"), str):
            raise InputError(f"{path}: row {number} has no file name or no caption")
        file = File(kind=kind, path=str(row[f"{kind}_name"]))
        yield Item(
            id=f"{path.stem}-{number:07d}",
            text=row["caption"],
            files=(file,),
            captions={kind: row["caption"]},
        )


def conversations(path: Path) -> Iterator[Item]:
    """Yield conversations of NExT-GPT and LLaVA: `conversations` of `from` and `value`, with `<image>` marks.

    Files are in `image` (LLaVA), `input_image`, `output_image` and so on (NExT-GPT), one or a list; a mark takes the
    next file of its kind, input files from human turns and output files from the model's. A file that no mark names
    stands before the words of the first turn of its side.
    """
    for number, row in enumerate(_rows(path)):
        given, made = _files(row, "input_"), _files(row, "output_")
        told = row.get("conversations")
        if not isinstance(told, list) or not told:
            raise InputError(f"{path}: row {number} has no conversations")
        everything = tuple(dict.fromkeys((*given, *made)))
        turns = []
        for position, one in enumerate(told):
            if not isinstance(one, dict) or not isinstance(one.get("value"), str):
                raise InputError(f"{path}: row {number}, turn {position} has no value")
            human = one.get("from") in ("human", "user")
            parts = _marked(one["value"], given if human else made, where=f"{path}: row {number}")
            turns.append(Turn(role="user" if human else "assistant", parts=parts))
        for left, role in ((given, "user"), (made, "assistant")):
            index = next((index for index, turn in enumerate(turns) if turn.role == role), None)
            if left and index is not None:
                turns[index] = Turn(role=turns[index].role, parts=(*left, *turns[index].parts))
        words = [part for turn in turns for part in turn.parts if isinstance(part, str)]
        captions: dict[str, str] = {
            kind: str(row[f"{kind}_captions"]) for kind in KINDS if row.get(f"{kind}_captions")
        }
        yield Item(
            id=str(row.get("id", f"{path.stem}-{number:07d}")),
            text="\n".join(words) or "-",
            files=everything,
            turns=tuple(turns),
            captions=captions,
        )


def messages(path: Path, media: Path) -> Iterator[Item]:
    """Yield OpenAI message lists, one JSON object with `messages` a line; data URIs are written below `media`.

    Raises
    ------
    InputError
        A part is of another type, is behind a URL, or is no base64.
    """
    for number, row in enumerate(_rows(path)):
        turns = []
        for position, message in enumerate(row.get("messages", ())):
            content = message.get("content") or ""
            listed = [{"type": "text", "text": content}] if isinstance(content, str) else content
            name = f"{path.stem}-{number:07d}-{position:03d}"
            parts = [
                _part(part, media, name=f"{name}-{index:03d}", where=f"{path}: line {number + 1}")
                for index, part in enumerate(listed)
            ]
            turns.append(Turn(role=message.get("role", "user"), parts=tuple(parts)))
        if not turns:
            raise InputError(f"{path}: line {number + 1} has no messages")
        parts = [part for turn in turns for part in turn.parts]
        yield Item(
            id=f"{path.stem}-{number:07d}",
            text="\n".join(part for part in parts if isinstance(part, str)) or "-",
            files=tuple(dict.fromkeys(part for part in parts if isinstance(part, File))),
            turns=tuple(turns),
        )


def archive(path: Path, media: Path) -> Iterator[Item]:
    """Yield samples of a WebDataset archive: members of one name before the first dot; `txt` or `json` has the caption.

    Members are written below `media` under names of our own, so that no path of the archive is followed.
    """
    files: list[File] = []
    text, before, number = "", "", 0
    try:
        with tarfile.open(path) as opened:
            for member in opened:
                if not member.isfile():
                    continue
                if member.size > MEMBER_BYTES:
                    raise InputError(f"{path}: {member.name!r} is larger than {MEMBER_BYTES} bytes")
                folder, name = PurePosixPath(member.name).parent, PurePosixPath(member.name).name
                stem, _, ending = name.partition(".")
                sample = f"{folder}/{stem}"
                if before and sample != before:
                    yield _sample(path, number, text, files)
                    files, text, number = [], "", number + 1
                before = sample
                stream = opened.extractfile(member)
                data = stream.read() if stream else b""
                kind = _ENDINGS.get(ending.lower().rpartition(".")[2])
                if kind:
                    written = f"{path.stem}-{number:07d}-{len(files)}.{ending.lower().rpartition('.')[2]}"
                    (media / written).write_bytes(data)
                    files.append(File(kind=kind, path=written))
                elif ending in ("txt", "json", "caption"):
                    text = _caption(data, ending)
    except FileNotFoundError as error:
        raise MissingFile(f"no archive {path}") from error
    except (tarfile.TarError, EOFError, UnicodeDecodeError, ValueError) as error:
        raise InputError(f"{path} is no archive of samples, or is cut off: {error}") from error
    if before:
        yield _sample(path, number, text, files)


def _sample(path: Path, number: int, text: str, files: list[File]) -> Item:
    captions: dict[str, str] = {file.kind: text for file in files if text}
    return Item(id=f"{path.stem}-{number:07d}", text=text or "-", files=tuple(files), captions=captions)


def _caption(data: bytes, ending: str) -> str:
    if ending != "json":
        return data.decode().strip()
    row = json.loads(data)
    return str(row.get("caption") or row.get("text") or "") if isinstance(row, dict) else ""


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the objects of a JSON list, or of lines of JSON."""
    try:
        text = path.read_text()
        rows = (
            json.loads(text)
            if text.lstrip()[:1] == "["
            else [json.loads(line) for line in text.splitlines() if line]
        )
    except FileNotFoundError as error:
        raise MissingFile(f"no file {path}") from error
    except ValueError as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise InputError(f"{path}: row {number} is no object")
        yield row


def _files(row: dict[str, Any], prefix: str) -> list[File]:
    found = []
    for kind in KINDS:
        names = row.get(prefix + kind) or (row.get(kind) if prefix == "input_" else None) or []
        found += [File(kind=kind, path=str(name)) for name in (names if isinstance(names, list) else [names])]
    return found


def _marked(value: str, files: list[File], *, where: str) -> tuple[str | File, ...]:
    """Return words and files of a turn; files that marks name are taken out of `files`."""
    parts: list[str | File] = []
    end = 0
    for mark in _MARK.finditer(value):
        parts.append(value[end : mark.start()].strip())
        end = mark.end()
        file = next((file for file in files if file.kind == mark[1].lower()), None)
        if file is None:
            raise InputError(f"{where}: there is no file for {mark[0].strip()}")
        files.remove(file)
        parts.append(file)
    parts.append(value[end:].strip())
    return tuple(part for part in parts if part)


def _part(part: dict[str, Any], media: Path, *, name: str, where: str) -> str | File:
    if part.get("type") == "text":
        return str(part.get("text", ""))
    if part.get("type") == "input_audio":
        inside = part.get("input_audio") or {}
        kind, ending, data = "audio", str(inside.get("format", "wav")), str(inside.get("data", ""))
    elif part.get("type") in ("image_url", "video_url"):
        address = str((part.get(part["type"]) or {}).get("url", ""))
        found = re.fullmatch(r"data:(image|video)/([a-z0-9]+);base64,(.*)", address, re.DOTALL)
        if found is None:
            raise InputError(f"{where}: media must be data URIs; nothing is fetched", hint=address[:60])
        kind, ending, data = found[1], found[2], found[3]
    else:
        raise InputError(f"{where}: no such part: {part.get('type')}")
    if _ENDINGS.get(ending) != kind:
        raise InputError(f"{where}: {ending!r} is no {kind} that is read here")
    try:
        content = base64.b64decode(data, validate=True)
    except binascii.Error as error:
        raise InputError(f"{where}: the {kind} is not base64: {error}") from error
    (media / f"{name}.{ending}").write_bytes(content)
    return File(kind=_ENDINGS[ending], path=f"{name}.{ending}")

"""Look at every file of a data folder before any training: what is missing, corrupt, cut off or named twice.

A file is decoded whole, by its kind: pictures by Pillow, sounds and clips of Sulan by their own formats, other ones by
PyAV. Not covered: files of a stranger who means harm; those come through the service's uploads, in a process of
their own.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from sulan.anytoany import dataset
from sulan.anytoany.dialogues import File
from sulan.errors import BrokenArtefact, MissingFile

Fault = Literal["missing", "empty", "damaged", "outside", "same name", "not listed"]


@dataclass(frozen=True, kw_only=True)
class Finding:
    """Something wrong with one file.

    Attributes
    ----------
    fault
        `same name`: two files of one name in different folders, which tools that go by names alone mix up;
        `not listed`: a conversation names a file that its row's media do not.
    path
        As the data say it.
    row
        The first row that names it.
    reason
        More, where there is more.
    """

    fault: Fault
    path: str
    row: str
    reason: str = ""


def inspect(folder: Path, items: Iterable[dataset.Item]) -> Iterator[Finding]:
    """Yield what is wrong with the files of all rows; every file is looked at once."""
    rows: dict[File, str] = {}
    for item in items:
        said = [part for turn in item.turns for part in turn.parts if isinstance(part, File)]
        for file in (*item.files, *said):
            rows.setdefault(file, item.id)
        for file in said:
            if file not in item.files:
                yield Finding(fault="not listed", path=file.path, row=item.id)
    named = defaultdict(list)
    for path in dict.fromkeys(file.path for file in rows):
        named[PurePosixPath(path).name].append(path)
    for file, row in rows.items():
        fault, reason = look(folder, file)
        if fault:
            yield Finding(fault=fault, path=file.path, row=row, reason=reason)
        others = [path for path in named[PurePosixPath(file.path).name] if path != file.path]
        if others:
            yield Finding(fault="same name", path=file.path, row=row, reason=f"as {others[0]}")


def look(folder: Path, file: File) -> tuple[Fault | None, str]:
    """Return what is wrong with one file, and why; (None, "") where nothing is."""
    path = folder / file.path
    if not path.resolve().is_relative_to(folder.resolve()):
        return "outside", f"of {folder}"
    if not path.is_file():
        return "missing", ""
    if not path.stat().st_size:
        return "empty", ""
    try:
        if file.kind == "image" or path.suffix.lower() in (".wav", ".npz"):
            dataset.load(folder, file)
        else:
            _decode(path, file.kind)
    except (BrokenArtefact, MissingFile) as error:
        return "damaged", str(error)
    return None, ""


def _decode(path: Path, kind: str) -> None:
    import av

    try:
        with av.open(str(path)) as container:
            streams = container.streams.video if kind == "video" else container.streams.audio
            if not streams:
                raise BrokenArtefact(f"{path} has no {kind}")
            if not sum(1 for _ in container.decode(streams[0])):
                raise BrokenArtefact(f"{path} holds nothing")
    except (av.FFmpegError, OSError) as error:
        raise BrokenArtefact(f"{path} is damaged: {error}") from error

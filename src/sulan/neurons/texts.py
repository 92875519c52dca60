"""The text that a scan reads: a corpus, or files that become one."""

from collections.abc import Iterator
from pathlib import Path

from sulan.documents import convert, reader, schema
from sulan.documents.schema import TEXT
from sulan.errors import MissingFile


def corpus(data: Path, folder: Path) -> Path:
    """Return the corpus at `data`; a file, or a folder of text files, is converted into `folder` first.

    Raises
    ------
    MissingFile
        There is nothing at `data`.
    """
    if not data.exists():
        raise MissingFile(f"no corpus at {data}", hint="a corpus folder, or a file of text or JSON Lines")
    if data.is_dir() and any(schema.PART.fullmatch(path.name) for path in data.iterdir()):
        return data
    folder.mkdir(parents=True, exist_ok=True)
    convert.convert(data, folder)
    return folder


def texts(corpus: Path) -> Iterator[str]:
    """Yield the texts of a corpus in order."""
    for batch in reader.batches(corpus, [TEXT]):
        yield from batch.column(0).to_pylist()

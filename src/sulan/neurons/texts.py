"""The text that a scan reads: a corpus, files that become one, or the source of Python's library."""

import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa
import pyarrow.compute as pc

from sulan.documents import convert, reader, schema, writer
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


@contextmanager
def opened(data: Path) -> Iterator[Path]:
    """Give the corpus at `data` for the block; what a file was converted into is removed after it.

    Raises
    ------
    MissingFile
        There is nothing at `data`.
    """
    with TemporaryDirectory(prefix="sulan-") as scratch:
        yield corpus(data, Path(scratch) / "corpus")


def texts(corpus: Path) -> Iterator[str]:
    """Yield the texts of a corpus in order."""
    for batch in reader.batches(corpus, [TEXT]):
        yield from batch.column(0).to_pylist()


def python(folder: Path) -> Path:
    """Write the source of Python's own library as a corpus into `folder`; a module is a document.

    Its tests and packages that were installed later are left out, so the text depends on the version of Python alone.
    """
    library = Path(sysconfig.get_path("stdlib"))
    names = sorted(
        path.relative_to(library).as_posix()
        for path in library.rglob("*.py")
        if not {"test", "tests", "site-packages", "dist-packages", "idlelib"} & set(path.parts)
    )
    folder.mkdir(parents=True, exist_ok=True)
    sources = [(library / name).read_text(encoding="utf-8", errors="replace") for name in names]
    table = pa.table({"id": pa.array(names), "text": pa.array(sources, pa.large_string())})
    writer.write([table.filter(pc.greater(pc.utf8_length(table["text"]), 0))], folder)
    return folder

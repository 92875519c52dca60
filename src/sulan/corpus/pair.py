"""A corpus in two qualities, `noisy` and its part `clean`, as two corpora in one folder (2309.04662, section 2)."""

from pathlib import Path

import pyarrow as pa

from sulan.errors import MissingFile

NOISY, CLEAN = "noisy", "clean"
DROPPED = "dropped.parquet"
DROPPED_SCHEMA = pa.schema([("id", pa.string()), ("reason", pa.string())])


def is_pair(folder: Path) -> bool:
    """Tell whether a folder holds both."""
    return (folder / NOISY).is_dir() and (folder / CLEAN).is_dir()


def noisy(corpus: Path) -> Path:
    """Return the larger corpus of a folder, which is the folder itself where it is no pair.

    Raises
    ------
    MissingFile
        There is nothing at the path.
    """
    if not corpus.is_dir():
        raise MissingFile(f"no corpus at {corpus}")
    return corpus / NOISY if is_pair(corpus) else corpus


def clean(corpus: Path) -> Path:
    """Return the clean corpus of a folder, which is the folder itself where it is no pair; see `noisy`."""
    return corpus / CLEAN if is_pair(corpus) else noisy(corpus)

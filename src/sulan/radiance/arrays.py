"""Arrays on disk as npz files whose bytes depend on the arrays alone: zip entries carry no time. No pickles."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, MissingFile
from sulan.runs import outputs

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The oldest time that a zip entry can have."""


def write(path: Path, arrays: Mapping[str, NDArray]) -> None:
    """Write arrays by name, compressed; names sort the entries."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in sorted(arrays):
            entry = io.BytesIO()
            numpy.lib.format.write_array(entry, numpy.ascontiguousarray(arrays[name]), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", date_time=_EPOCH)
            archive.writestr(info, entry.getvalue(), compress_type=zipfile.ZIP_DEFLATED, compresslevel=1)
    outputs.write_bytes(path, stream.getvalue())


def read(path: Path) -> dict[str, NDArray]:
    """Return the arrays of an npz file by name.

    Raises
    ------
    MissingFile
        There is no such file.
    BrokenArtefact
        It is damaged, or holds pickled objects.
    """
    try:
        with numpy.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {path}") from error
    except (ValueError, OSError, zipfile.BadZipFile, EOFError) as error:
        raise BrokenArtefact(f"{path} cannot be read: {error}") from error

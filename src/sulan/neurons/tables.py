"""A classification on disk: Parquet tables beside the `meta.json` of the scan they were made from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from sulan.errors import BrokenArtefact, MissingFile
from sulan.neurons.counters import Meta

NAMES = ("neurons", "triggers", "layers", "curves", "words")


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The tables of a classification, and what they were counted from."""

    meta: Meta
    neurons: pa.Table
    triggers: pa.Table
    layers: pa.Table
    curves: pa.Table
    words: pa.Table


def write(found: Mapping[str, pa.Table], meta: Meta, folder: Path) -> None:
    """Write tables by name, and `meta.json`."""
    for name, table in found.items():
        pq.write_table(table, folder / f"{name}.parquet", compression="zstd")
    meta.write(folder)


def read(folder: Path) -> Tables:
    """Read a classification.

    Raises
    ------
    MissingFile
        The folder holds none.
    BrokenArtefact
        A table is damaged.
    """
    if not (folder / "neurons.parquet").is_file():
        raise MissingFile(
            f"no classification at {folder}", hint="sulan neurons classify makes one from a scan"
        )
    try:
        found = {name: pq.read_table(folder / f"{name}.parquet") for name in NAMES}
    except (pa.ArrowInvalid, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise BrokenArtefact(f"the classification at {folder} is damaged: {reason}") from error
    return Tables(meta=Meta.read(folder), **found)

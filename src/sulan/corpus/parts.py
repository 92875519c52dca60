"""From the work folders of shards to one corpus: the shards' parts, numbered through, not copied.

Hard links: the work folder stays whole until the artefact is, and no document is written twice. Not covered: shards
of different columns.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq

from sulan.documents import reader, schema
from sulan.documents.writer import Writer


def gather(folders: Sequence[Path], out: Path) -> int:
    """Make one corpus of the corpora of shards, in their order, and return its documents.

    Empty parts are left out, unless all are.

    Parameters
    ----------
    folders
        At least one corpus.
    out
        An existing folder without parts.
    """
    full = [part for folder in folders for part, rows in reader.part_rows(folder).items() if rows]
    if not full:
        with Writer(out, schema=reader.schema(folders[0])):
            return 0
    for number, part in enumerate(full):
        target = out / schema.part_name(number)
        try:
            target.hardlink_to(part)
        except OSError:  # a file system without links
            shutil.copyfile(part, target)
    return reader.count(out)


def concatenate(paths: Sequence[Path], out: Path) -> int:
    """Write the rows of Parquet files of one schema as one file, in order; return how many."""
    rows = 0
    with pq.ParquetWriter(out, pq.read_schema(paths[0]), compression="zstd") as writer:
        for path in paths:
            with pq.ParquetFile(path) as file:
                table = file.read()
            writer.write_table(table)
            rows += len(table)
    return rows

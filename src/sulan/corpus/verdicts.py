"""Verdicts applied to one part of a corpus: a stage of `runs.shards`."""

from collections import Counter
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sulan.corpus import audits, columns
from sulan.corpus.codes import spelled
from sulan.corpus.pair import DROPPED, DROPPED_SCHEMA
from sulan.documents import reader
from sulan.documents.writer import Writer

NO_VERDICT = "language without a verdict"
LANGUAGE_DROPPED = "language dropped"
OTHER_LANGUAGE = "document in another language"
REASONS = (LANGUAGE_DROPPED, NO_VERDICT, OTHER_LANGUAGE)


def apply_part(part: Path, folder: Path, *, verdicts: Path, by: str, agree: bool) -> dict[str, int]:
    """Write the documents of one part that the verdicts keep, under their languages' new names.

    Parameters
    ----------
    part
        Documents.
    folder
        Where the corpus and `dropped.parquet` go.
    verdicts
        The verdicts' CSV.
    by
        Column of the languages under audit.
    agree
        Whether a document must be in the language of `by`, as its column `lang` says.
    """
    table = _read(verdicts)
    counted: Counter[str] = Counter({"documents": 0, "kept": 0, **dict.fromkeys(REASONS, 0)})
    with (
        Writer(folder, schema=reader.schema(part.parent)) as writer,
        pq.ParquetWriter(folder / DROPPED, DROPPED_SCHEMA, compression="zstd") as dropped,
    ):
        for batch in reader.part_batches(part):
            claimed = batch.column(by).fill_null("").to_pylist()
            told = batch.column(columns.LANG).to_pylist() if agree else claimed
            reasons = np.array(
                [_reason(table, name, lang, agree) for name, lang in zip(claimed, told, strict=True)],
                dtype=object,
            )
            stays = reasons == ""
            names = pa.array(
                [table[name].to or name if name in table else name for name in claimed], pa.string()
            )
            rows = columns.with_column(batch, by, names)
            writer.write(rows.filter(pa.array(stays)))
            gone = batch.column("id").filter(pa.array(~stays)).to_pylist()
            dropped.write_table(
                pa.table({"id": gone, "reason": reasons[~stays].tolist()}, schema=DROPPED_SCHEMA)
            )
            counted.update({"documents": len(batch), "kept": int(stays.sum())})
            counted.update(reasons[~stays].tolist())
    return dict(counted)


def _reason(table: dict[str, audits.VerdictRow], claimed: str, told: str | None, agree: bool) -> str:
    verdict = table.get(claimed)
    if verdict is None:
        return NO_VERDICT
    if verdict.verdict == "drop":
        return LANGUAGE_DROPPED
    if agree and spelled(told or "und") != spelled(verdict.to or claimed):
        return OTHER_LANGUAGE
    return ""


@lru_cache(maxsize=1)
def _read(path: Path) -> dict[str, audits.VerdictRow]:
    return audits.read_verdicts(path)

"""Filter one part of a corpus into noisy and clean: a stage of `runs.shards`."""

from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sulan.corpus import columns, judging, wordlists
from sulan.corpus.judging import ADDED, PAGE_REASONS, QUESTIONABLE, SHORT, judge
from sulan.corpus.pair import CLEAN, DROPPED, DROPPED_SCHEMA, NOISY
from sulan.corpus.rules import TESTS, Rules, Thresholds
from sulan.corpus.wordlists import Wordlists
from sulan.documents import reader
from sulan.documents.writer import Writer


def schema(found: pa.Schema) -> pa.Schema:
    """Return the columns of a corpus once it is filtered."""
    kept = [field for field in found if field.name not in ADDED]
    return pa.schema([*kept, *(pa.field(name, kind) for name, kind in ADDED.items())])


def filter_part(
    part: Path, folder: Path, *, rules: Rules, thresholds: Thresholds, words: Path | None, judged: bool
) -> dict[str, Any]:
    """Write the noisy and clean documents of one part; return what became of all.

    Parameters
    ----------
    part
        Documents, identified.
    folder
        Where `noisy`, `clean` and `dropped.parquet` go.
    rules, thresholds
        What to judge by.
    words
        Folder with word lists.
    judged
        Whether the flags are there already, so that only thresholds are applied.
    """
    counted: Counter[str] = Counter(dict.fromkeys(("documents", "noisy", "clean", "lines", "zawgyi"), 0))
    reasons: Counter[str] = Counter(dict.fromkeys(PAGE_REASONS, 0))
    unclean: Counter[str] = Counter({QUESTIONABLE: 0, SHORT: 0})
    tests: Counter[str] = Counter({"sentences": 0, **dict.fromkeys(TESTS, 0)})
    hits: Counter[str] = Counter()
    lists = _lists(words) if words else None
    columns_out = schema(reader.schema(part.parent))
    with (
        Writer(folder / NOISY, schema=columns_out) as noisy,
        Writer(folder / CLEAN, schema=columns_out) as clean,
        pq.ParquetWriter(folder / DROPPED, DROPPED_SCHEMA, compression="zstd") as dropped,
    ):
        for batch in reader.part_batches(part):
            counted["documents"] += len(batch)
            if judged:
                table = pa.Table.from_batches([batch])
            else:
                found = judge(batch, rules, thresholds.sentences, lists)
                table = found.table
                reasons.update(found.dropped.values())
                hits.update(found.cursed)
                counted.update({"lines": found.lines, "zawgyi": found.zawgyi})
                rows = {"id": list(found.dropped), "reason": list(found.dropped.values())}
                dropped.write_table(pa.table(rows, schema=DROPPED_SCHEMA))
            good, short = judging.clean(table, thresholds)
            table = columns.with_column(table, columns.CLEAN, pa.array(good))
            noisy.write(table)
            clean.write(table.filter(pa.array(good)))
            unclean.update({SHORT: int(short.sum()), QUESTIONABLE: int((~good & ~short).sum())})
            tests.update({test: pc.sum(table[f"questionable_{test}"]).as_py() or 0 for test in TESTS})
            tests["sentences"] += pc.sum(table["sentences"]).as_py() or 0
            tests["any of the five"] += pc.sum(table["questionable"]).as_py() or 0
    counted.update({"noisy": noisy.documents, "clean": clean.documents})
    return {
        "counted": dict(counted),
        "reasons": dict(reasons),
        "unclean": dict(unclean),
        "tests": dict(tests),
        "cursed": dict(hits),
    }


@lru_cache(maxsize=1)
def _lists(folder: Path) -> Wordlists:
    return wordlists.read(folder)


def explain(
    batch: pa.RecordBatch, rules: Rules, thresholds: Thresholds, words: Path | None, judged: bool
) -> Any:
    """Return what becomes of one document, given as a batch of one, and its sentences with the tests each fails.

    Returns
    -------
    tuple
        What became of it; its sentences as (text, language, tests failed).
    """
    if judged:
        table = pa.Table.from_batches([batch])
    else:
        found = judge(batch, rules, thresholds.sentences, _lists(words) if words else None)
        if found.dropped:
            (reason,) = found.dropped.values()
            return f"left out: {reason}", []
        table = found.table
    good, short = judging.clean(table, thresholds)
    row = table.to_pylist()[0]
    data = row["text"].encode()
    sentences = [
        (data[start:end].decode(), lang, ", ".join(t for bit, t in enumerate(TESTS) if flags >> bit & 1))
        for start, end, lang, flags in zip(
            row[columns.STARTS],
            row[columns.ENDS],
            row[columns.SENTENCE_LANGS],
            row[columns.FLAGS],
            strict=True,
        )
    ]
    share = np.mean([(flags & thresholds.mask) != 0 for flags in row[columns.FLAGS] or [0]])
    verdict = "clean" if good[0] else f"noisy only: {SHORT if short[0] else QUESTIONABLE}"
    return f"{verdict} ({100 * share:.0f} % of {len(sentences)} sentences questionable)", sentences

"""The stages of deduplication that work on one part of a corpus; `deduplicate` says their order."""

from hashlib import blake2b
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from sulan.corpus import columns, judging, matching, minhash
from sulan.corpus.assembly import assemble
from sulan.corpus.near import Near
from sulan.corpus.pair import CLEAN, DROPPED, DROPPED_SCHEMA, NOISY
from sulan.corpus.rules import Thresholds
from sulan.corpus.sentences import Sentences, Texts
from sulan.documents import reader
from sulan.documents.writer import Writer

EXACT = "same text"
SPANS = "repeated sentences"
NEAR = "near-duplicate"
REASONS = (EXACT, SPANS, NEAR)

EXACT_FILE, SPAN_FILE, BAND_FILE, KEY_FILE = "exact.npy", "spans.npy", "bands.npy", "keys.npy"

SPAN = 3
"""Sentences of a span (2309.04662, after C4: 1910.10683, section 2.2)."""


def sign_part(shard: list[Any], folder: Path, *, spans: bool) -> int:
    """Write the hashes of one part's texts and spans; return its documents.

    Parameters
    ----------
    shard
        The part, and the number of its first document.
    folder
        Where `exact.npy`, `spans.npy` and `keys.npy` go.
    spans
        Whether to hash spans.
    """
    part, number = shard
    exact, pieces, found_keys = [], [], []
    for batch in reader.part_batches(part):
        texts = Texts.of(batch.column("text"))
        keys = matching.keys(batch.column("id").to_pylist())
        documents = np.arange(number, number + len(batch))
        number += len(batch)
        found_keys.append(keys)
        rows = np.zeros(len(batch), matching.OCCURRENCE)
        data = texts.data.tobytes()
        digests = b"".join(
            blake2b(data[start:end], digest_size=16).digest()
            for start, end in zip(texts.offsets[:-1], texts.offsets[1:], strict=True)
        )
        rows["high"], rows["low"] = np.frombuffer(digests, ">u8").reshape(-1, 2).T
        rows["key"], rows["document"] = keys, documents
        exact.append(rows)
        if spans:
            found = columns.sentences(batch, texts)
            pieces.append(_spans(texts, found, keys, documents))
    empty = np.empty(0, matching.OCCURRENCE)
    matching.write(folder / EXACT_FILE, np.concatenate([empty, *exact]))
    matching.write(folder / SPAN_FILE, np.concatenate([empty, *pieces]))
    np.save(folder / KEY_FILE, np.concatenate([np.empty(0, np.uint64), *found_keys]), allow_pickle=False)
    return sum(map(len, found_keys))


def cut_part(
    shard: list[Any],
    folder: Path,
    *,
    exact: list[str],
    spans: list[str],
    fewest: int,
    near: Near | None,
    made: str,
) -> dict[str, int]:
    """Write one part without exact duplicates and repeated spans, and the bands of what is left.

    Parameters
    ----------
    shard
        The part, and the number of its first document.
    folder
        Where the corpus, `bands.npy`, `documents.npy` (their numbers) and `dropped.parquet` go.
    exact, spans
        Matches of all buckets.
    fewest
        A document that loses sentences and is left with fewer is left out.
    near
        Shape of the signatures; None: none are made.
    made
        What the matches were made from; another value is other work.
    """
    part, number = shard
    counted = dict.fromkeys(("documents", EXACT, SPANS, "sentences cut"), 0)
    kept_numbers, hashed = [np.empty(0, np.int64)], [np.empty(0, matching.OCCURRENCE)]
    with (
        Writer(folder, schema=reader.schema(part.parent)) as writer,
        pq.ParquetWriter(folder / DROPPED, DROPPED_SCHEMA, compression="zstd") as dropped,
    ):
        for batch in reader.part_batches(part):
            start, number = number, number + len(batch)
            same = np.zeros(len(batch), bool)
            same[matching.between(exact, start, number)["document"] - start] = True
            table = pa.Table.from_batches([batch])
            emptied = np.zeros(len(batch), bool)
            if spans:
                table, cut, emptied = _without_spans(
                    batch, matching.between(spans, start, number), start, fewest
                )
                emptied &= ~same
                counted["sentences cut"] += int(cut[~same & ~emptied].sum())
            stays = ~same & ~emptied
            reasons = np.where(same, EXACT, SPANS)[~stays]
            ids = table["id"].filter(pa.array(~stays)).to_pylist()
            dropped.write_table(pa.table({"id": ids, "reason": reasons.tolist()}, schema=DROPPED_SCHEMA))
            table = table.filter(pa.array(stays)).combine_chunks()
            writer.write(table)
            numbers = np.flatnonzero(stays) + start
            kept_numbers.append(numbers)
            if near and len(table):
                hashed.append(_bands(table, numbers, near))
            counted["documents"] += len(batch)
            counted[EXACT] += int(same.sum())
            counted[SPANS] += int(emptied.sum())
    np.save(folder / "documents.npy", np.concatenate(kept_numbers), allow_pickle=False)
    matching.write(folder / BAND_FILE, np.concatenate(hashed))
    return counted


def keep_part(
    shard: str, folder: Path, *, least: str, thresholds: Thresholds | None, made: str
) -> dict[str, int]:
    """Write one part without near-duplicates, as `noisy` and `clean` where it was judged.

    Parameters
    ----------
    shard
        Folder that `cut_part` wrote.
    folder
        Where the corpora go, or one corpus.
    least
        int64[documents]: the least document of each document's group.
    thresholds
        What makes a document clean; None: there is one corpus.
    made
        What the folder was made from; another value is other work.
    """
    cut = Path(shard)
    numbers = np.load(cut / "documents.npy", allow_pickle=False)
    stays = np.load(least, mmap_mode="r", allow_pickle=False)[numbers] == numbers
    found = reader.schema(cut)
    done = 0
    counted = {NEAR: int((~stays).sum()), "kept": int(stays.sum()), "clean": 0}
    with (
        Writer(folder / NOISY, schema=found) as noisy,
        Writer(folder / CLEAN, schema=found) as clean,
        pq.ParquetWriter(folder / DROPPED, DROPPED_SCHEMA, compression="zstd") as dropped,
    ):
        for batch in reader.batches(cut):
            chosen = pa.array(stays[done : done + len(batch)])
            done += len(batch)
            gone = batch.column("id").filter(pa.array(~stays[done - len(batch) : done]))
            dropped.write_table(pa.table({"id": gone, "reason": [NEAR] * len(gone)}, schema=DROPPED_SCHEMA))
            table = pa.Table.from_batches([batch.filter(chosen)])
            if thresholds:
                good, _ = judging.clean(table, thresholds)
                table = columns.with_column(table, columns.CLEAN, pa.array(good))
                clean.write(table.filter(pa.array(good)))
                counted["clean"] += int(good.sum())
            noisy.write(table)
    return counted


def _spans(texts: Texts, found: Sentences, keys: np.ndarray, documents: np.ndarray) -> np.ndarray:
    count = np.maximum(np.diff(found.first) - SPAN + 1, 0)
    rows = np.zeros(int(count.sum()), matching.OCCURRENCE)
    high, low = np.zeros(len(rows), np.uint64), np.zeros(len(rows), np.uint64)
    place = np.zeros(len(rows), np.int32)
    _hash_spans(texts.data, found.starts, found.ends, found.first, high, low, place)
    owner = np.repeat(np.arange(len(count)), count)
    rows["high"], rows["low"], rows["place"] = high, low, place
    rows["key"], rows["document"] = keys[owner], documents[owner]
    return rows


@numba.njit(cache=True)
def _hash_spans(data, starts, ends, first, high, low, place):
    a, b = np.empty(len(starts), np.uint64), np.empty(len(starts), np.uint64)
    for sentence in range(len(starts)):
        x, y = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)
        for at in range(starts[sentence], ends[sentence]):
            x = (x ^ np.uint64(data[at])) * np.uint64(0x100000001B3)
            x ^= x >> np.uint64(31)
            y = (y + np.uint64(data[at]) + np.uint64(1)) * np.uint64(0xFF51AFD7ED558CCD)
            y ^= y >> np.uint64(29)
        a[sentence], b[sentence] = x, y
    row = 0
    for document in range(len(first) - 1):
        for sentence in range(first[document], first[document + 1] - SPAN + 1):
            x, y = np.uint64(1), np.uint64(2)
            for each in range(sentence, sentence + SPAN):
                x = (x ^ a[each]) * np.uint64(0xC2B2AE3D27D4EB4F)
                x ^= x >> np.uint64(32)
                y = (y ^ b[each]) * np.uint64(0x9E3779B97F4A7C15)
                y ^= y >> np.uint64(32)
            high[row], low[row], place[row] = x, y, sentence - first[document]
            row += 1


def _without_spans(
    batch: pa.RecordBatch, matches: np.ndarray, start: int, fewest: int
) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Return the batch without the sentences of repeated spans, sentences cut, and which documents are too short."""
    texts = Texts.of(batch.column("text"))
    found = columns.sentences(batch, texts)
    gone = np.zeros(len(found.starts), bool)
    begins = found.first[matches["document"] - start] + matches["place"]
    for step in range(SPAN):
        gone[begins + step] = True
    owner = found.owner()
    cut = np.bincount(owner[gone], minlength=len(batch))
    left = np.diff(found.first) - cut
    emptied = (cut > 0) & (left < fewest)
    table = pa.Table.from_batches([batch])
    if not cut.any():
        return table, cut, emptied
    made = assemble(texts, found, ~gone)
    table = columns.with_column(table, "text", made.texts.array())
    for name, column in columns.boundaries(made.sentences, made.texts).items():
        table = columns.with_column(table, name, column)
    kept = pa.array(~gone)
    for name, kind in ((columns.SENTENCE_LANGS, columns.LABELS), (columns.FLAGS, columns.BITS)):
        if name in table.column_names:
            values, _ = columns.flat(batch.column(name))
            table = columns.with_column(
                table, name, columns.lists(values.filter(kept), made.sentences.first, kind)
            )
    return (judging.counted(table) if columns.FLAGS in table.column_names else table), cut, emptied


def _bands(table: pa.Table, numbers: np.ndarray, near: Near) -> np.ndarray:
    texts = Texts.of(table["text"].combine_chunks())
    hashes, worded = minhash.bands(texts, words=near.words, bands=near.bands, rows=near.rows)
    keys = matching.keys(table["id"].to_pylist())
    rows = np.zeros((int(worded.sum()), near.bands), matching.OCCURRENCE)
    rows["high"], rows["low"] = hashes[worded], np.arange(near.bands, dtype=np.uint64)
    rows["key"], rows["document"] = keys[worded][:, None], numbers[worded][:, None]
    return rows.ravel()

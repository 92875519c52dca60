"""Scores of one unit of a corpus: what a worker does, and what becomes of its files.

Sums are kept in float64; perplexity and bits per byte follow from them. A document without any score is in the
output with nulls and is counted, by reason. Not covered: dividing the corpus (`units`), the models (`scorers`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.errors import InputError
from sulan.prune import columns, scores
from sulan.prune.columns import BITS_PER_BYTE, N_BYTES, N_TOKENS, SUM_NLL, Metric
from sulan.prune.scorers import Precision, Predicted, Scorer, scorer

FILE = "scores.parquet"

EMPTY = "no token to predict"
LONG = "longer than max_bytes"
NOT_FINITE = "the model's answer is not finite"
SHORT = "fewer than 64 tokens, so no memorization score"
REASONS = (EMPTY, LONG, NOT_FINITE, SHORT)
"""Why a document has no score, or not all."""


@dataclass(frozen=True, kw_only=True)
class Scoring:
    """How documents are scored.

    Attributes
    ----------
    model, dtype, context
        See `scorers.scorer`.
    model_fingerprint, tokenizer_fingerprint
        What the model was when the run began: another one is not mixed in.
    metrics
        Scores to make.
    window
        Tokens of a window; 0: the document is one sequence.
    prefix
        What stands before the names of the columns.
    max_bytes
        Longest document that is scored.
    """

    model: str
    dtype: Precision
    context: int | None
    model_fingerprint: str
    tokenizer_fingerprint: str
    metrics: tuple[Metric, ...]
    window: int
    prefix: str
    max_bytes: int


def schema(scoring: Scoring) -> pa.Schema:
    """Return the columns that scoring adds, behind `id`."""
    fields: list[tuple[str, pa.DataType]] = []
    if {"perplexity", "el2n"} & set(scoring.metrics):
        fields += [(SUM_NLL, pa.float64()), (N_TOKENS, pa.int64()), (N_BYTES, pa.int64())]
        fields += [("perplexity", pa.float64()), (BITS_PER_BYTE, pa.float64())]
        if scoring.window:
            fields += [
                ("tokens_by_window", pa.list_(pa.int32())),
                ("sum_nll_by_window", pa.list_(pa.float64())),
            ]
    if "el2n" in scoring.metrics:
        fields.append(("el2n", pa.float64()))
        if scoring.window:
            fields.append(("el2n_by_window", pa.list_(pa.float64())))
    if "memorization" in scoring.metrics:
        fields.append(("memorization", pa.float64()))
    return pa.schema([(ID, pa.string()), *((scoring.prefix + name, kind) for name, kind in fields)])


def score_unit(unit: Sequence[int], folder: Path, *, corpus: Path, scoring: Scoring) -> dict[str, int]:
    """Score the documents of one unit; a stage of `runs.shards`.

    Parameters
    ----------
    unit
        (start, stop) document numbers.
    folder
        Where `scores.parquet` goes.
    corpus
        The corpus.
    scoring
        How to score them.

    Returns
    -------
    dict
        Documents, predicted tokens, and documents by each of `REASONS`.
    """
    how = scoring
    model = _opened(how.model, how.dtype, how.context, how.model_fingerprint, how.tokenizer_fingerprint)
    counted = {"documents": 0, "tokens": 0, **dict.fromkeys(REASONS, 0)}
    ids: list[str] = []
    rows: list[dict[str, Any]] = []
    waiting: list[tuple[int, np.ndarray]] = []
    for batch in reader.between(corpus, unit[0], unit[1], [ID, TEXT]):
        lengths = pc.binary_length(batch.column(1)).to_numpy()
        fit = lengths <= how.max_bytes
        counted[LONG] += int((~fit).sum())
        texts = batch.column(1).filter(pa.array(fit)).to_pylist()
        places = len(ids) + np.flatnonzero(fit)
        waiting += zip(places.tolist(), model.tokens(texts), strict=True)
        ids += batch.column(0).to_pylist()
        rows += [{columns.N_BYTES: int(length)} for length in lengths]
    sequences = [tokens for _, tokens in waiting]
    if {"perplexity", "el2n"} & set(how.metrics):
        for (place, _), found in zip(waiting, _sums(model, sequences, how), strict=True):
            rows[place] |= found
    if "memorization" in how.metrics:
        for (place, _), found in zip(waiting, model.memorized(sequences).tolist(), strict=True):
            rows[place]["memorization"] = found
    counted["documents"] = len(ids)
    table = _table(ids, rows, how, counted)
    pq.write_table(table, folder / FILE, compression="zstd")
    return counted


@lru_cache(maxsize=1)
def _opened(
    model: str, dtype: Precision, context: int | None, model_fingerprint: str, tokenizer_fingerprint: str
) -> Scorer:
    """Open the model once for the many units of a worker, and check that it is the one the run began with."""
    found = scorer(model, dtype=dtype, context=context)
    made = found.provenance
    if (made.model_fingerprint, made.tokenizer_fingerprint) != (model_fingerprint, tokenizer_fingerprint):
        raise InputError(f"the model {model} changed while it was scoring")
    return found


def _sums(model: Scorer, sequences: Sequence[np.ndarray], how: Scoring) -> Iterator[dict[str, Any]]:
    """Give each sequence's sums; those of its windows too where it is cut into windows."""
    pieces = [
        [tokens[i : i + how.window] for i in range(0, len(tokens), how.window)] if how.window else [tokens]
        for tokens in sequences
    ]
    flat = [piece for each in pieces for piece in each]
    predicted = model.predict(flat, el2n="el2n" in how.metrics)
    for each in pieces:
        yield _summed([next(predicted) for _ in each], windows=bool(how.window))


def _summed(parts: Sequence[Predicted], *, windows: bool) -> dict[str, Any]:
    nll = [float(part.nll.sum(dtype=np.float64)) for part in parts]
    tokens = [len(part.nll) for part in parts]
    found: dict[str, Any] = {SUM_NLL: sum(nll), N_TOKENS: sum(tokens)}
    error = [float(part.el2n.sum(dtype=np.float64)) for part in parts if part.el2n is not None]
    if error:
        found["el2n"] = sum(error) / max(sum(tokens), 1)
    if windows:
        found["tokens_by_window"], found["sum_nll_by_window"] = tokens, nll
        if error:
            found["el2n_by_window"] = [e / max(t, 1) for e, t in zip(error, tokens, strict=True)]
    return found


def _table(ids: list[str], rows: list[dict[str, Any]], how: Scoring, counted: dict[str, int]) -> pa.Table:
    wanted = schema(how)
    for row in rows:
        if SUM_NLL in row:
            counted["tokens"] += row[N_TOKENS]
            finite = np.isfinite(row[SUM_NLL])
            counted[EMPTY] += not row[N_TOKENS]
            counted[NOT_FINITE] += not finite
            if not (finite and row[N_TOKENS]):
                row.update(dict.fromkeys([SUM_NLL, "el2n", "sum_nll_by_window", "el2n_by_window"]))
        if "memorization" in row and np.isnan(row["memorization"]):
            counted[SHORT] += 1
            row["memorization"] = None
    arrays: dict[str, pa.Array] = {}
    for field in wanted:
        name = field.name.removeprefix(how.prefix)
        if name in ("perplexity", BITS_PER_BYTE) or field.name == ID:
            continue
        arrays[field.name] = pa.array([row.get(name) for row in rows], field.type)
    if how.prefix + SUM_NLL in arrays:
        total, tokens, size = (
            arrays[how.prefix + name].fill_null(0).to_numpy(zero_copy_only=False)
            for name in (SUM_NLL, N_TOKENS, N_BYTES)
        )
        scored = arrays[how.prefix + SUM_NLL].is_valid().to_numpy(zero_copy_only=False)
        for name, values in (
            ("perplexity", scores.perplexity(total, tokens)),
            (BITS_PER_BYTE, scores.bits_per_byte(total, size)),
        ):
            arrays[how.prefix + name] = pa.array(values, mask=~scored)
    arrays[ID] = pa.array(ids, pa.string())
    return pa.table([arrays[field.name] for field in wanted], schema=wanted)


def gathered(work: Path, units: int) -> Iterator[pa.Table]:
    """Give the scores of all units in the order of the corpus."""
    from sulan.runs.shards import shard_folder

    for number in range(units):
        yield pq.read_table(shard_folder(work, number) / FILE)

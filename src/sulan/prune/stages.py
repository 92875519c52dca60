"""What a comparison does, step by step: each function is a stage of `runs.shards`.

Split and pack, train the reference, score the units with it, train and judge one model. A stage reads what
earlier ones left in their folders and writes into its own; so a killed comparison goes on where it was, with
the same bytes. Torch is imported inside the stages, by the workers: who only hands out work does not need it.
Not covered: what the numbers say (`verdict`).
"""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sulan.documents import reader, writer
from sulan.documents.convert import text_id
from sulan.documents.schema import ID, TEXT
from sulan.errors import InputError
from sulan.prune.plans import FINAL, Arm, Comparison, Pretraining, Shape, Trial
from sulan.prune.scorers import NeuralScorer
from sulan.prune.scores import MEMORIZATION_CONTINUATION, MEMORIZATION_PROMPT
from sulan.prune.selection import interval
from sulan.runs import seeds
from sulan.runs.shards import shard_folder
from sulan.training import stream as streams
from sulan.training.stream import TokenStream

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

POOL, REFERENCE, HELD_OUT, TOKENIZER = "pool", "reference", "held-out", "tokenizer"

SOURCE = "source"

UNITS = 2048
"""Units that are scored as one shard."""

SHORTEST = MEMORIZATION_PROMPT + MEMORIZATION_CONTINUATION
"""Tokens that memorization needs."""

NLL, SIZES, TIES = "nll.npy", "sizes.npy", "ties.npy"


def prepare(
    _: int, folder: Path, *, corpus: Path, comparison: Comparison, shape: Shape, context: int
) -> dict[str, int]:
    """Split the corpus, learn the tokenizer, pack what is trained on.

    A document's part depends on the seed and its text alone, so that equal texts are in one part: none is both
    trained on and judged on.

    Returns
    -------
    dict
        Documents and tokens of each part.
    """
    from sulan.prune import pretraining
    from sulan.training.packing import encoded, pack

    words = pretraining.tokenizer(_texts(corpus, REFERENCE, comparison), shape=shape, context=context)
    words.save_pretrained(folder / TOKENIZER)
    counts: dict[str, int] = {}
    for part in (REFERENCE, POOL):
        documents = _Counted(encoded(_texts(corpus, part, comparison), words))
        stream = pack(documents, folder / part, vocabulary=shape.vocabulary, end=words.eos_token_id)
        counts |= {f"{part} tokens": stream.tokens, f"{part} documents": documents.count}
    judged = reader.schema(corpus)
    columns = [ID, TEXT, *([SOURCE] if SOURCE in judged.names else [])]
    counts["held-out documents"] = writer.write(
        (batch.filter(_in_part(batch, HELD_OUT, comparison)) for batch in reader.batches(corpus, columns)),
        folder / HELD_OUT,
        schema=pa.schema([judged.field(name) for name in columns]),
    )
    return counts


class _Counted:
    """Counts what passes through."""

    def __init__(self, items: Iterator[np.ndarray]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> Iterator[np.ndarray]:
        for item in self._items:
            self.count += 1
            yield item


def _texts(corpus: Path, part: str, comparison: Comparison) -> Iterator[str]:
    for batch in reader.batches(corpus, [TEXT]):
        yield from batch.column(0).filter(_in_part(batch, part, comparison)).to_pylist()


def _in_part(batch: pa.RecordBatch, part: str, comparison: Comparison) -> pa.Array:
    places = (
        seeds.key(comparison.seed, f"split {text_id(text)}") / 2**128
        for text in batch.column(TEXT).to_pylist()
    )
    return pa.array([_part(place, comparison) == part for place in places], pa.bool_())


def _part(place: float, comparison: Comparison) -> str:
    if place < comparison.held_out:
        return HELD_OUT
    return REFERENCE if place < comparison.held_out + comparison.reference else POOL


def train_reference(
    _: int,
    folder: Path,
    *,
    prepared: Path,
    comparison: Comparison,
    shape: Shape,
    training: Pretraining,
    work: str,
) -> dict[str, float | int]:
    """Train the reference model, and leave it as `at-100`, with the early one that gives EL2N."""
    from sulan.prune import pretraining

    found, done, parameters = pretraining.checkpoints(
        streams.read(prepared / REFERENCE),
        _tokenizer(prepared),
        shape=shape,
        training=training,
        percents=[comparison.el2n_at] if comparison.el2n_at < FINAL else [],
        work=Path(work),
        seed=comparison.seed,
    )
    for percent, made in found.items():
        shutil.copytree(made, folder / f"at-{percent}")
    return {"parameters": parameters, "loss": done.losses[-1], "tokens": done.tokens}


def score_units(
    unit: list[int],
    folder: Path,
    *,
    prepared: Path,
    reference: Path,
    comparison: Comparison,
    context: int,
) -> int:
    """Score units of the pool with the reference, each metric with its checkpoint; NaN where there is none."""
    stream = streams.read(prepared / POOL)
    numbers = np.arange(*unit)
    if comparison.unit == "sequence":
        sequences = list(stream.sequences(numbers, context=context).astype(np.int32))
    else:
        sequences = [_document(stream, number) for number in numbers.tolist()]
    late = NeuralScorer(str(reference / f"at-{FINAL}"), dtype="float32", context=context)
    scores: dict[str, np.ndarray] = {}
    if "perplexity" in comparison.metrics:
        scores["perplexity"] = np.array(
            [_mean(found.nll) for found in late.predict(sequences, el2n=False)]
        )  # its logarithm: the order is the same
    if "el2n" in comparison.metrics:
        early = NeuralScorer(str(reference / f"at-{comparison.el2n_at}"), dtype="float32", context=context)
        scores["el2n"] = np.array([_mean(found.el2n) for found in early.predict(sequences, el2n=True)])
    if "memorization" in comparison.metrics:
        scores["memorization"] = late.memorized(sequences)
    for metric, values in scores.items():
        np.save(folder / f"{metric}.npy", values)
    return len(numbers)


def _document(stream: TokenStream, number: int) -> np.ndarray:
    one = stream.documents([number])
    return one.sequences(np.zeros(1, dtype=np.int64), context=one.tokens)[0].astype(np.int32)


def _mean(values: np.ndarray | None) -> float:
    return float(values.mean(dtype=np.float64)) if values is not None and len(values) else float("nan")


def gather(work: Path, shards: int, folder: Path, *, comparison: Comparison) -> None:
    """Write the scores of all units, and a number of each that orders equal scores, into a new folder."""
    folder.mkdir(exist_ok=True)
    count = 0
    for metric in comparison.metrics:
        values = [np.load(shard_folder(work, number) / f"{metric}.npy") for number in range(shards)]
        np.save(folder / f"{metric}.npy", np.concatenate(values))
        count = sum(map(len, values))
    ties = [seeds.key(comparison.seed, f"tie {i}") >> 64 for i in range(count)]
    np.save(folder / TIES, np.array(ties, dtype=np.uint64))


def train_arm(
    trial: Trial,
    folder: Path,
    *,
    prepared: Path,
    scores: Path,
    comparison: Comparison,
    shape: Shape,
    training: Pretraining,
    work: str,
) -> dict[str, float | int]:
    """Train one model on its part of the pool, and judge it on the held-out documents.

    Parameters
    ----------
    trial
        What to train on, and the seed of weights and order.
    folder
        Where `NLL` goes, the summed negative log-likelihood of each held-out document, float64 [documents], and
        `SIZES`, their tokens and bytes, int64 [2, documents].
    prepared, scores
        What `prepare` made, and the scores of all units.
    comparison, shape, training
        The settings.
    work
        Folder of the training, which survives a kill.
    """
    from sulan.evaluation.perplexity import perplexity
    from sulan.models.loading import LanguageModel
    from sulan.prune import pretraining
    from sulan.training.loop import train

    config = replace(training, seed=trial.seed)
    stream = streams.read(prepared / POOL)
    kept = chosen(trial.arm, scores=scores, seed=trial.seed)
    if kept is None:
        part = stream
    elif comparison.unit == "sequence":
        part = stream.select(kept, context=config.context)
    else:
        part = stream.documents(kept)
    model = pretraining.model(shape, context=config.context, seed=trial.seed)
    place = Path(work) / f"{trial.arm}-{trial.seed}"
    done = train(model, part, config=config, folder=place)
    language_model = LanguageModel(
        model=model.eval().requires_grad_(False),
        tokenizer=_tokenizer(prepared),
        name=str(trial.arm),
        fingerprint="",
        tokenizer_fingerprint="",
        context=config.context,
    )
    judged = perplexity(language_model, prepared / HELD_OUT, label=f"judge {trial.arm}")
    np.save(folder / NLL, judged.document_nll)
    np.save(folder / SIZES, np.stack([judged.document_tokens, judged.document_bytes]))
    shutil.rmtree(place)
    return {
        "units": part.count(config.context),
        "loss": done.losses[-1],
        "perplexity": judged.perplexity,
        "parameters": sum(p.numel() for p in model.parameters()),
    }


def chosen(arm: Arm, *, scores: Path, seed: int) -> np.ndarray | None:
    """Return the numbers of the units that an arm keeps, rising, int64; None: all.

    Raises
    ------
    InputError
        The part is empty.
    """
    if arm.metric == "none":
        return None
    ties = np.load(scores / TIES)
    if arm.metric == "random":
        keys = [seeds.key(seed, f"random {i}") >> 64 for i in range(len(ties))]
        values = np.array(keys, dtype=np.uint64)
    else:
        values = np.load(scores / f"{arm.metric}.npy")
    order = np.lexsort((ties, values))
    order = order[: int((~np.isnan(values)).sum())] if values.dtype.kind == "f" else order  # NaN sorts last
    start, stop = interval(len(order), len(order) * arm.percent // 100, side=arm.side or "bottom")
    if start == stop:
        raise InputError(f"{arm} keeps none of {len(order)} units", hint="give more documents, or keep more")
    return np.sort(order[start:stop])


def _tokenizer(prepared: Path) -> "PreTrainedTokenizerFast":
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast.from_pretrained(prepared / TOKENIZER, local_files_only=True)

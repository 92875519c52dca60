"""The units of a scan: runs of windows, counted by one worker each and lost one at a time."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from sulan import models
from sulan.errors import InputError
from sulan.models import LanguageModel, tokens
from sulan.models.devices import Precision
from sulan.neurons import collection, counters, families, rules, sequences
from sulan.neurons.counters import Meta
from sulan.neurons.rules import Rule, RuleName
from sulan.neurons.sequences import Sequences
from sulan.neurons.settings import Reading
from sulan.runs.processes import cores

FILE = "unit.safetensors"

MOST = 50
"""Highest covering number that is told exactly: the paper's trigram detectors have 1 to 50 trigrams."""

CETT = 0.2
"""Error that `output-norm` allows at a token, in the mean (2402.03804)."""

CALIBRATION = 4096
"""Tokens that thresholds of `output-norm` are found on."""

_MASK_BYTES = 16
"""Bytes a neuron and token of one forward pass: values, comparison, and what the model holds beside them."""


@lru_cache(maxsize=1)
def opened(model: str, dtype: Precision) -> LanguageModel:
    """Load a model once in a process."""
    return models.load(model, dtype=dtype)


def text_of(documents: Iterable[str], language_model: LanguageModel, *, reading: Reading) -> Sequences:
    """Cut texts into windows for a model.

    Raises
    ------
    InputError
        The context is longer than the model's, or the tokenizer has no beginning of sequence.
    """
    context = reading.context or language_model.context
    if context > language_model.context:
        raise InputError(
            f"{language_model.name} takes {language_model.context} tokens, not {context}",
            hint="leave reading.context out for the longest",
        )
    if reading.batch is not None and reading.batch < 1:
        raise InputError(f"reading.batch must be at least 1, not {reading.batch}")
    bos = -1
    if reading.bos == "auto":
        found = tokens.first_context(language_model.tokenizer)
        if found is None:
            raise InputError(
                f"the tokenizer of {language_model.name} has no beginning-of-sequence token",
                hint="--reading.bos none counts without one",
            )
        bos = found
    encoded = tokens.encode(language_model.tokenizer, documents)
    return sequences.cut(encoded, context=context, bos=bos, packed=reading.packed, limit=reading.tokens)


def describe(
    text: Sequences,
    language_model: LanguageModel,
    *,
    rule: RuleName,
    ngrams: tuple[int, ...],
    layers: str,
    shard: tuple[int, int],
    reading: Reading,
) -> Meta:
    """Return what a scan counts, and how.

    Raises
    ------
    InputError
        No such layers or n-grams, or an architecture whose neurons are not known.
    """
    model = language_model.model
    blocks = families.feed_forwards(model)
    chosen = chosen_layers(layers, len(blocks))
    if any(not 0 < n <= 3 for n in ngrams):
        raise InputError(f"n-grams of {', '.join(map(str, ngrams))} tokens", hint="1, 2, 3, or 0 for none")
    name = rules.resolve(rule, model)
    thresholds: tuple[float, ...] = ()
    if name == "output-norm":
        thresholds = rules.calibrate(model, _some(text), target=CETT, layers=chosen)
    return Meta(
        model=language_model.name,
        fingerprint=language_model.fingerprint,
        tokenizer=language_model.tokenizer_fingerprint,
        architecture=model.config.get_text_config().model_type,
        activation=families.activation(model),
        depth=len(blocks),
        neurons=blocks[0].neurons,
        layers=chosen,
        rule=name,
        thresholds=thresholds,
        dtype="bfloat16" if model.dtype == torch.bfloat16 else "float32",
        context=text.context,
        bos=text.bos,
        packed=reading.packed,
        ngrams=ngrams,
        most=MOST,
        sequences=text.fingerprint(),
        tokens=len(text.tokens),
        windows=len(text.windows) - 1,
        full=text.full,
        shard=shard,
    )


def _some(text: Sequences) -> Iterator[np.ndarray]:
    seen = 0
    for number in range(len(text.windows) - 1):
        if seen >= CALIBRATION:
            return
        window = text.window(number)
        seen += len(window)
        yield window


def chosen_layers(layers: str, depth: int) -> tuple[int, ...]:
    """Return the layers that a word or a list of numbers and ranges means.

    Examples
    --------
    >>> chosen_layers("first-half", 5), chosen_layers("0,2-3", 5)
    ((0, 1, 2), (0, 2, 3))
    """
    if layers == "all":
        return tuple(range(depth))
    if layers == "first-half":
        return tuple(range((depth + 1) // 2))
    found: set[int] = set()
    for piece in layers.split(","):
        first, _, last = piece.partition("-")
        if not first.isdigit() or (last and not last.isdigit()):
            raise InputError(f"no layers {layers!r}", hint="all, first-half, or numbers and ranges: 0,3-5")
        found |= set(range(int(first), int(last or first) + 1))
    if not found or max(found) >= depth:
        raise InputError(f"no layers {layers!r}: the model has layers 0 to {depth - 1}")
    return tuple(sorted(found))


def plan(
    text: Sequences, meta: Meta, *, batch: int | None, budget: int, workers: int | None, most: int
) -> list[list[list[int]]]:
    """Divide a text into units; each is a list of runs of windows that are forwarded together.

    Parameters
    ----------
    text, meta
        What is counted, and how.
    batch
        Windows of a run; see `collection.groups`.
    budget
        Bytes for all workers together.
    workers
        How many there are; None: one a core.
    most
        Most tokens a unit.

    Raises
    ------
    InputError
        The budget holds no unit.
    """
    each = budget // (workers or cores())
    layers, neurons = len(meta.layers), meta.neurons
    position = layers * neurons * meta.context if meta.full else 0
    row = max(collection.ROW, meta.context) if batch is None else batch * meta.context
    row = min(row, int(text.lengths.sum()))
    run = row * neurons * _MASK_BYTES
    a_token = layers * ((neurons + 7) // 8) if meta.ngrams else 0
    room = each - position - run
    if room < a_token * row or room <= 0:
        least = (position + run + a_token * row) * (workers or cores())
        raise InputError(
            f"the memory budget holds no window's counters: they need {least / 2**20:.0f} MiB",
            hint="--memory-budget with more, fewer workers, fewer layers or a shorter reading.context",
        )
    limit = max(row, min(most, room // a_token if a_token else most))
    lengths = text.lengths
    units: list[list[list[int]]] = []
    held = full = 0
    for begin, end in collection.groups(text, batch=batch):
        count = int(lengths[begin:end].sum())
        fuller = int((lengths[begin:end] == text.context).sum())
        if not units or held + count > limit or full + fuller > 255:  # positions are counted in one byte
            units.append([])
            held = full = 0
        units[-1].append([begin, end])
        held, full = held + count, full + fuller
    return units


def file_name(number: int) -> str:
    """Return the name of a unit's file in a part of a scan."""
    return f"unit-{number:05d}.safetensors"


def count(
    unit: list[list[int]], folder: Path, *, model: str, dtype: Precision, text: Path, meta: Meta
) -> list[int]:
    """Count one unit; a stage of `runs.shards`."""
    language_model = opened(model, dtype)
    if language_model.fingerprint != meta.fingerprint:
        raise InputError(f"{model} has changed since the scan began")
    runs = [(begin, end) for begin, end in unit]
    found = collection.collect(
        language_model.model,
        sequences.load(text.parent),
        runs,
        layers=meta.layers,
        rule=Rule(name=meta.rule, thresholds=meta.thresholds),
        bits=bool(meta.ngrams),
    )
    windows = (runs[0][0], runs[-1][1])
    counters.write_unit(found, windows, folder / FILE)
    return list(windows)

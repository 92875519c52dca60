"""A scan without the command line: any model and text, divided in any way, in this process."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from transformers import PreTrainedModel

from sulan.neurons import collection, counters, families, reduction, rules
from sulan.neurons.counters import Counters, Meta
from sulan.neurons.rules import Rule
from sulan.neurons.sequences import Sequences, cut


def text_of(rows: np.ndarray) -> Sequences:
    """Windows whose first token is the beginning of sequence, int [windows, context]."""
    return cut([row[1:] for row in rows], context=rows.shape[1], bos=int(rows[0, 0]))


def meta_of(
    model: PreTrainedModel,
    text: Sequences,
    *,
    rule: rules.RuleName = "auto",
    ngrams: tuple[int, ...] = (1, 2, 3),
    most: int = 50,
    layers: tuple[int, ...] | None = None,
) -> Meta:
    blocks = families.feed_forwards(model)
    return Meta(
        model="model",
        fingerprint="model",
        tokenizer="tokenizer",
        architecture=model.config.model_type,
        activation=families.activation(model),
        depth=len(blocks),
        neurons=blocks[0].neurons,
        layers=layers or tuple(range(len(blocks))),
        rule=rules.resolve(rule, model),
        thresholds=(),
        dtype="float32",
        context=text.context,
        bos=text.bos,
        packed=False,
        ngrams=ngrams,
        most=most,
        sequences=text.fingerprint(),
        tokens=len(text.tokens),
        windows=len(text.windows) - 1,
        full=text.full,
    )


def counted(
    model: PreTrainedModel,
    text: Sequences,
    meta: Meta,
    folder: Path,
    *,
    batch: int | None = None,
    cuts: Sequence[int] = (),
) -> Counters:
    """Count a text in units that begin at the given runs, and add them up in reverse order."""
    runs = collection.groups(text, batch=batch)
    edges = [0, *sorted(set(cuts)), len(runs)]
    paths = []
    folder.mkdir(parents=True, exist_ok=True)
    for number, (begin, end) in enumerate(pairwise(edges)):
        if begin == end:
            continue
        found = collection.collect(
            model,
            text,
            runs[begin:end],
            layers=meta.layers,
            rule=Rule(name=meta.rule, thresholds=meta.thresholds),
            bits=bool(meta.ngrams),
        )
        paths.append(folder / f"{number}.safetensors")
        counters.write_unit(found, (runs[begin][0], runs[end - 1][1]), paths[-1])
    return reduction.reduce(paths[::-1], text, meta, budget=1 << 28)


def written(found: Counters, folder: Path) -> dict[str, bytes]:
    """The counter files' bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    found.write(folder)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}

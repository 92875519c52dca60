"""Every neuron of a scan with what it is: alive or not, what triggers it, what it marks, what it writes.

One table has a row a neuron; others a row a trigger, a layer, a positional neuron's curve, a neuron's words. They are
plain Parquet, ids of layers and neurons from 0 as on the dashboards. Not covered: causes; `ablate` looks at effects.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from sulan.models import LanguageModel
from sulan.neurons import certificates, coverings, information, positions, projection, statistics
from sulan.neurons.counters import Counters, Meta
from sulan.neurons.detectors import Verdict, judge
from sulan.neurons.families import ZERO_CLOSED
from sulan.neurons.sequences import Sequences
from sulan.neurons.spelling import Speller
from sulan.runs.progress import progress

RARE = 0.001
"""Frequency below which a neuron is rare: what Sparsing Law (2411.02335) calls dead."""

TOP = 10
"""Most promoted and most suppressed tokens kept for every neuron."""

BEFORE, AFTER = 12, 4
"""Tokens of context around an example."""

DEAD = {"nonzero": "dead", "gate-open": "never open", "output-norm": "never above"}
"""What a neuron is called that was never active, by rule; only a closed ReLU adds nothing and is dead."""


@dataclass(frozen=True, kw_only=True)
class Classified:
    """The tables of a classification; see `docs/neurons.md` for their columns.

    Attributes
    ----------
    neurons, triggers, layers, curves, words
        A row a neuron; a row a neuron and n-gram; a row a layer; a row a positional neuron; a row a neuron.
    measured
        What the run records: metric -> value.
    """

    neurons: pa.Table
    triggers: pa.Table
    layers: pa.Table
    curves: pa.Table
    words: pa.Table
    measured: dict[str, float | int]


def classify(
    counters: Counters, text: Sequences, meta: Meta, model: LanguageModel, *, minimum: int
) -> Classified:
    """Classify every neuron.

    Parameters
    ----------
    counters, text, meta
        A whole scan.
    model
        The model that was scanned.
    minimum
        Occurrences that a detected n-gram must have.
    """
    speller = Speller(model.tokenizer)
    bounds = certificates.bounds(model.model, meta.layers)
    columns: dict[str, np.ndarray] = {
        "layer": np.repeat(np.asarray(meta.layers, dtype=np.int32), meta.neurons),
        "neuron": np.tile(np.arange(meta.neurons, dtype=np.int32), len(meta.layers)),
        "active": counters.active.reshape(-1),
        "first": counters.first.reshape(-1),
        **_activity(counters, meta, bounds),
        **_positional(counters, meta),
    }
    verdicts = {
        order: {
            int(table.neuron[number]): judge(table, number, order=order, minimum=minimum)
            for number in range(len(table.neuron))
        }
        for order, table in counters.tables.items()
    }
    for order, table in counters.tables.items():
        columns |= _detection(verdicts[order], table.covering.reshape(-1), order=order)
    words, effects = _words(counters, text, meta, model, speller, verdicts.get(1, {}))
    columns["effect"] = effects
    neurons = pa.table(columns)
    layers = coverings.by_layer(columns, verdicts, meta)
    return Classified(
        neurons=neurons,
        triggers=_triggers(verdicts, meta, speller),
        layers=layers,
        curves=_curves(counters, columns, meta),
        words=words,
        measured=coverings.measured(columns, layers, meta, can_die=can_die(meta)),
    )


def can_die(meta: Meta) -> bool:
    """Tell whether never being active means adding nothing: the rule sees zeros, and a closed gate is one."""
    return meta.rule == "nonzero" and meta.activation in ZERO_CLOSED


def _activity(counters: Counters, meta: Meta, bounds: np.ndarray) -> dict[str, np.ndarray]:
    active, first = counters.active.reshape(-1), counters.first.reshape(-1)
    low, high = statistics.wilson(active, np.full_like(active, meta.tokens))
    never = (active == 0) & (first == 0)
    frequency = active / meta.tokens
    status = np.select(
        [never, active == 0, active == meta.tokens, frequency < RARE],
        [
            DEAD[meta.rule] if can_die(meta) or meta.rule != "nonzero" else "never",
            "first only",
            "always",
            "rare",
        ],
        default="alive",
    )
    provable = meta.rule == "gate-open" or can_die(meta)
    bound = bounds.reshape(-1)
    proof = np.select([never & provable & (bound < 0), never], ["proved", "observed"], default="")
    most = statistics.never_bound(meta.tokens + meta.windows * (meta.bos >= 0))
    return {
        "frequency": frequency,
        "frequency_low": low,
        "frequency_high": np.where(proof == "proved", 0.0, np.where(never, most, high)),
        "status": status.astype(object),
        "proof": proof.astype(object),
        "bound": bound,
    }


def skips_first(meta: Meta) -> bool:
    """Tell whether position 0 is left out of positional information.

    A neuron that marks the beginning of sequence alone has `H(1/T)`, above the threshold in windows shorter than
    115 positions; there it would pass for positional.
    """
    return bool(information.entropy(np.asarray(1 / meta.context)) > information.THRESHOLD)


def _positional(counters: Counters, meta: Meta) -> dict[str, np.ndarray]:
    size = len(meta.layers) * meta.neurons
    found: dict[str, np.ndarray] = {
        "information": np.full(size, np.nan),
        "information_bias": np.full(size, np.nan),
        "information_corrected": np.full(size, np.nan),
        "positional": np.zeros(size, dtype=bool),
        "type": np.full(size, "", dtype=object),
        "strong": np.zeros(size, dtype=bool),
    }
    if not meta.full:
        return found
    begin = int(skips_first(meta))
    for index in range(len(meta.layers)):
        place = slice(index * meta.neurons, (index + 1) * meta.neurons)
        position = counters.position[index]
        used = position[begin:]
        bias = information.bias(used, meta.full)
        corrected = information.information(used, meta.full) - bias
        found["information"][place] = information.information(position, meta.full)
        found["information_bias"][place] = bias
        found["information_corrected"][place] = corrected
        for neuron in np.flatnonzero(corrected > information.THRESHOLD):
            kind = positions.kind(used[:, neuron] / meta.full)
            at = place.start + neuron
            found["positional"][at] = True
            found["type"][at] = kind.name
            found["strong"][at] = kind.strong
    return found


def _detection(verdicts: dict[int, Verdict], covering: np.ndarray, *, order: int) -> dict[str, np.ndarray]:
    size = len(covering)
    precision = np.full(size, np.nan)
    detector, sure = np.zeros(size, dtype=bool), np.zeros(size, dtype=bool)
    for at, verdict in verdicts.items():
        precision[at] = verdict.precision
        detector[at], sure[at] = verdict.detector, verdict.sure
    return {
        f"covering_{order}": covering,
        f"precision_{order}": precision,
        f"detector_{order}": detector,
        f"sure_{order}": sure,
    }


def _triggers(verdicts: dict[int, dict[int, Verdict]], meta: Meta, speller: Speller) -> pa.Table:
    rows: list[dict[str, Any]] = [
        {
            "layer": meta.layers[at // meta.neurons],
            "neuron": at % meta.neurons,
            "n": order,
            "rank": rank,
            "tokens": list(trigger.tokens),
            "text": speller.text(trigger.tokens),
            "total": trigger.total,
            "active": trigger.active,
            "recall": trigger.recall,
            "recall_low": trigger.recall_low,
            "covered": trigger.covered,
        }
        for order, found in verdicts.items()
        for at, verdict in found.items()
        for rank, trigger in enumerate(verdict.triggers)
    ]
    return pa.Table.from_pylist(
        rows,
        schema=pa.schema(
            {
                "layer": pa.int32(),
                "neuron": pa.int32(),
                "n": pa.int32(),
                "rank": pa.int32(),
                "tokens": pa.list_(pa.int32()),
                "text": pa.string(),
                "total": pa.int64(),
                "active": pa.int64(),
                "recall": pa.float64(),
                "recall_low": pa.float64(),
                "covered": pa.bool_(),
            }
        ),
    )


def _curves(counters: Counters, columns: dict[str, np.ndarray], meta: Meta) -> pa.Table:
    chosen = np.flatnonzero(columns["positional"])
    curves = [
        (counters.position[at // meta.neurons, :, at % meta.neurons] / meta.full).astype(np.float32)
        for at in chosen
    ]
    return pa.table(
        {
            "layer": columns["layer"][chosen],
            "neuron": columns["neuron"][chosen],
            "frequency": pa.array([curve.tolist() for curve in curves], pa.list_(pa.float32())),
        }
    )


def _words(
    counters: Counters,
    text: Sequences,
    meta: Meta,
    model: LanguageModel,
    speller: Speller,
    verdicts: dict[int, Verdict],
) -> tuple[pa.Table, np.ndarray]:
    """Return each neuron's promoted and suppressed tokens and contexts, and what detectors add to their tokens."""
    effects = np.full(len(meta.layers) * meta.neurons, np.nan)
    head = projection.vocabulary(model.model)
    rows: dict[str, list[Any]] = {
        name: [] for name in ("layer", "neuron", "promoted", "suppressed", "examples")
    }
    for index, layer in enumerate(progress(meta.layers, label="words by layer")):
        for place, added, promoted, suppressed in projection.of_layer(model.model, layer, head, top=TOP):
            for row, neuron in enumerate(range(place.start, place.stop)):
                at = index * meta.neurons + neuron
                if at in verdicts and verdicts[at].detector:
                    covered = [t.tokens[0] for t in verdicts[at].triggers if t.covered]
                    effects[at] = float(added[row, covered].mean())
                rows["layer"].append(layer)
                rows["neuron"].append(neuron)
                rows["promoted"].append([speller.token(token) for token in promoted[row]])
                rows["suppressed"].append([speller.token(token) for token in suppressed[row]])
                rows["examples"].append(
                    [
                        speller.context(text, int(e), before=BEFORE, after=AFTER)
                        for e in _kept(counters, at, meta)
                    ]
                )
    schema = {
        "layer": pa.int32(),
        "neuron": pa.int32(),
        "promoted": pa.list_(pa.string()),
        "suppressed": pa.list_(pa.string()),
        "examples": pa.list_(pa.list_(pa.string())),
    }
    return pa.table(rows, schema=pa.schema(schema)), effects


def _kept(counters: Counters, at: int, meta: Meta) -> np.ndarray:
    examples = counters.examples[at // meta.neurons, at % meta.neurons]
    return examples[examples >= 0]

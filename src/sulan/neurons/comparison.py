"""What two or more classifications have in common and where they differ."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow.compute as pc

from sulan.neurons import listing
from sulan.neurons.tables import Tables
from sulan.reports import charts
from sulan.reports.charts import Line
from sulan.reports.report import Cell, Report, Table

_MOVES = 12
"""Changes of class listed, the commonest first."""


def compare(runs: Mapping[Path, Tables]) -> Report:
    """Compare classifications in the order given; the first is what the others are compared with."""
    names = [path.name for path in runs]
    if len(set(names)) < len(names):
        names = [str(path) for path in runs]
    every = list(runs.values())
    measured = [listing.measured(path) for path in runs]
    metrics = sorted(set().union(*measured))
    parts = [
        Table(
            title="Measured",
            columns=("metric", *names),
            rows=tuple((metric, *(of.get(metric) for of in measured)) for metric in metrics),
        )
    ]
    summary: dict[str, Cell] = {"classifications": len(every)}
    notes = []
    first = every[0]
    for name, other in zip(names[1:], every[1:], strict=True):
        if (first.meta.layers, first.meta.neurons) == (other.meta.layers, other.meta.neurons):
            table, agreement = _moves(first, other, names[0], name)
            parts.append(table)
            summary[f"same class: {names[0]} and {name}"] = agreement
        else:
            notes.append(f"{names[0]} and {name} have other neurons: only shares and counts are compared.")
        shared = _shared_tokens(first, other)
        if shared is not None:
            summary[f"detected tokens shared: {names[0]} and {name}"] = shared
        if first.meta.rule != other.meta.rule:
            notes.append(f"{name} was counted by another rule: its frequencies mean something else.")
        if first.meta.tokenizer != other.meta.tokenizer:
            notes.append(f"{name} has another tokenizer: its tokens are other ones.")
    return Report(
        title=f"Neurons of {' and '.join(names)}",
        summary=summary,
        tables=tuple(parts),
        notes=tuple(notes),
        charts=_charts(names, every),
    )


def _moves(first: Tables, other: Tables, a: str, b: str) -> tuple[Table, float]:
    """Count how many neurons went from which class to which."""
    classes = [_classes(tables) for tables in (first, other)]
    pairs, counts = np.unique(np.stack(classes, axis=1).astype(str), axis=0, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:_MOVES]
    return (
        Table(
            title=f"Neurons by class in {a} and in {b}",
            columns=(a, b, "neurons"),
            rows=tuple((*map(str, pairs[place]), int(counts[place])) for place in order),
        ),
        float((classes[0] == classes[1]).mean()),
    )


def _classes(tables: Tables) -> np.ndarray:
    """Return one word a neuron: its status, else what it marks or detects."""
    neurons = tables.neurons
    status = neurons["status"].to_numpy(zero_copy_only=False).astype(object)
    kind = neurons["type"].to_numpy(zero_copy_only=False)
    found = np.where(kind != "", np.char.add("positional, ", kind.astype(str)).astype(object), status)
    if "detector_1" in neurons.column_names:
        detects = neurons["detector_1"].to_numpy(zero_copy_only=False)
        found = np.where(detects, "token detector", found)
    return np.where(neurons["proof"].to_numpy(zero_copy_only=False) != "", status, found)


def _shared_tokens(first: Tables, other: Tables) -> float | None:
    """Return the Jaccard index of the tokens that detectors cover, as text; None where neither detects any."""
    sets = []
    for tables in (first, other):
        if "detector_1" not in tables.neurons.column_names:
            return None
        detectors = {
            (row["layer"], row["neuron"])
            for row in tables.neurons.filter(pc.field("detector_1")).select(["layer", "neuron"]).to_pylist()
        }
        rows = tables.triggers.filter((pc.field("n") == 1) & pc.field("covered")).to_pylist()
        sets.append({row["text"] for row in rows if (row["layer"], row["neuron"]) in detectors})
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1]) if sets[0] | sets[1] else None


def _charts(names: list[str], every: list[Tables]) -> dict[str, str]:
    found = {}
    shown = {
        "never_share": ("Never active, by layer", "share of the layer"),
        "frequency": ("Mean frequency of the others, by layer", "share of tokens"),
        "positional": ("Positional neurons, by layer", "neurons"),
        "detectors_1": ("Token detectors, by layer", "neurons"),
    }
    for column, (title, y) in shown.items():
        series = [
            Line(
                name=name,
                x=[row["layer"] / max(1, tables.meta.depth - 1) for row in rows],
                y=[row[column] for row in rows],
            )
            for name, tables in zip(names, every, strict=True)
            if column in (rows := tables.layers.to_pylist())[0]
        ]
        if series:
            found[title] = charts.lines(series, title=title, x="depth (0: first layer, 1: last)", y=y)
    return found

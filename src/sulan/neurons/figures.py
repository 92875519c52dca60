"""The paper's figures from the tables of a classification."""

from collections.abc import Iterable

import numpy as np

from sulan.neurons.coverings import BINS
from sulan.neurons.tables import Tables
from sulan.reports import charts
from sulan.reports.charts import Line

NAMES = {1: "tokens", 2: "bigrams", 3: "trigrams"}
TYPES = ("oscillatory", "both extremes", "one extreme", "other")

_CURVES = 6
"""Curves drawn of each type: those with the most information."""

_POINTS = 512
"""Positions drawn of a curve; longer ones are averaged in steps."""


def draw(tables: Tables) -> dict[str, str]:
    """Return the charts by caption."""
    layers = tables.layers.to_pylist()
    names = [str(row["layer"]) for row in layers]
    never = "dead" if tables.meta.rule == "nonzero" else "never active"
    found = {
        f"Neurons that are {never}, by layer (layers count from 0; the paper's prose counts from 1)": charts.bars(
            names,
            {
                "proved by the weights": [100 * row["proved"] / tables.meta.neurons for row in layers],
                "observed": [100 * (row["never"] - row["proved"]) / tables.meta.neurons for row in layers],
            },
            title=f"Share of neurons that are {never}, by layer",
            y="% of the layer",
            stacked=True,
        ),
        "How often the others are active": charts.lines(
            [
                Line(
                    name="mean frequency",
                    x=[row["layer"] for row in layers],
                    y=[row["frequency"] for row in layers],
                )
            ],
            title="Mean activation frequency of the other neurons, by layer",
            x="layer",
            y="share of tokens",
        ),
    }
    for order in tables.meta.ngrams:
        found |= _of_order(layers, names, order)
    if any(row.get("detectors_1") for row in layers):
        found["Token detectors that suppress what they detect, and that promote it"] = charts.bars(
            names,
            {
                "suppress": [row["suppressing"] for row in layers],
                "promote": [row["detectors_1"] - row["suppressing"] for row in layers],
            },
            title="Token detectors by what they write to the logits of their tokens, by layer",
            y="detectors",
            stacked=True,
        )
    found |= _positional(tables)
    return found


def _of_order(layers: list[dict[str, float]], names: list[str], order: int) -> dict[str, str]:
    what = NAMES[order]
    bins = {f"{low} to {high}": f"covering_{order}_{low}_{high}" for low, high in BINS}
    bins["more"] = f"covering_{order}_more"
    found = {
        f"How many {what} cover 95 % of a neuron's activations": charts.bars(
            names,
            {name: [row[column] for row in layers] for name, column in bins.items()},
            title=f"Neurons by the number of {what} that cover them, by layer",
            y="neurons",
            stacked=True,
        )
    }
    if any(row[f"detectors_{order}"] for row in layers):
        found[f"Detectors of {what}, and what they detect"] = charts.bars(
            names,
            {
                "detectors": [row[f"detectors_{order}"] for row in layers],
                f"{what} detected": [row[f"detected_{order}"] for row in layers],
                "new: in no layer below": [row[f"new_{order}"] for row in layers],
                "new against the layer below": [row[f"new_against_below_{order}"] for row in layers],
            },
            title=f"Detectors of {what} and {what} detected, by layer",
            y="count",
        )
    return found


def _positional(tables: Tables) -> dict[str, str]:
    rows = tables.neurons.select(["layer", "neuron", "information_corrected", "type", "strong"]).to_pylist()
    rows = [row for row in rows if row["type"]]
    if not rows:
        return {}
    groups = {}
    for kind in TYPES:
        for strong in (True, False):
            of = [row for row in rows if row["type"] == kind and row["strong"] == strong]
            if of:
                groups[f"{kind}, {'strong' if strong else 'weak'}"] = (
                    [row["layer"] for row in of],
                    [row["information_corrected"] for row in of],
                )
    found = {
        "Positional neurons by layer and type": charts.scatter(
            groups,
            title="Mutual information of activation and position, by layer and type",
            x="layer",
            y="nats, bias taken off",
        )
    }
    curves = {(row["layer"], row["neuron"]): row["frequency"] for row in tables.curves.to_pylist()}
    for kind in TYPES:
        of = sorted(
            (row for row in rows if row["type"] == kind), key=lambda row: -row["information_corrected"]
        )
        if of:
            found[f"Frequency by position: {kind}"] = charts.lines(
                list(_curves([(row["layer"], row["neuron"]) for row in of[:_CURVES]], curves)),
                title=f"Activation frequency by position, {kind}",
                x="position",
                y="share of windows",
            )
    return found


def _curves(neurons: Iterable[tuple[int, int]], curves: dict[tuple[int, int], list[float]]) -> Iterable[Line]:
    for layer, neuron in neurons:
        curve = np.asarray(curves[layer, neuron])
        step = -(-len(curve) // _POINTS)
        starts = np.arange(0, len(curve), step)
        means = np.add.reduceat(curve, starts) / np.diff([*starts, len(curve)])
        yield Line(name=f"{layer}.{neuron}", x=starts.tolist(), y=means.tolist())

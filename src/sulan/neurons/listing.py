"""Detectors and positional neurons as rows that a person reads."""

from pathlib import Path

import pyarrow.compute as pc

from sulan.neurons.counters import Meta
from sulan.neurons.figures import NAMES
from sulan.neurons.tables import Tables
from sulan.reports.report import Table
from sulan.runs import record

_WORDS = 6
"""Triggers, promoted and suppressed tokens in a row."""


def measured(folder: Path) -> dict[str, float | int]:
    """Return what the classification recorded."""
    return {metric["name"]: metric["value"] for metric in record.read(folder)["metrics"]}


def detectors(tables: Tables, *, order: int, rows: int) -> Table:
    """Return the detectors for one n, those with the most activations first."""
    chosen = tables.neurons.filter(pc.field(f"detector_{order}"))
    ordered = sorted(chosen.to_pylist(), key=lambda row: (-row["active"], row["layer"], row["neuron"]))[:rows]
    words = _by_neuron(
        tables.words.select(["layer", "neuron", "promoted", "suppressed"]).to_pylist(), ordered
    )
    of_order = tables.triggers.filter(pc.field("n") == order).to_pylist()
    found = []
    for row in ordered:
        key = (row["layer"], row["neuron"])
        triggers = [t["text"] for t in of_order if (t["layer"], t["neuron"]) == key and t["covered"]]
        found.append(
            (
                f"{key[0]}.{key[1]}",
                row["active"],
                len(triggers),
                "  ".join(triggers[:_WORDS]),
                row[f"precision_{order}"],
                "yes" if row[f"sure_{order}"] else "no",
                "  ".join(words[key]["suppressed"][:_WORDS]),
                "  ".join(words[key]["promoted"][:_WORDS]),
            )
        )
    return Table(
        title=f"Detectors of {NAMES[order]} ({len(found)} of {chosen.num_rows})",
        columns=(
            "neuron",
            "activations",
            "covered",
            "triggers",
            "precision",
            "sure",
            "suppresses",
            "promotes",
        ),
        rows=tuple(found),
    )


def positional(tables: Tables, *, rows: int) -> Table:
    """Return the positional neurons with the most information."""
    chosen = tables.neurons.filter(pc.field("positional")).to_pylist()
    ordered = sorted(chosen, key=lambda row: (-row["information_corrected"], row["layer"], row["neuron"]))[
        :rows
    ]
    return Table(
        title=f"Positional neurons ({len(ordered)} of {len(chosen)})",
        columns=("neuron", "type", "form", "nats, plug-in", "bias", "nats, corrected", "frequency"),
        rows=tuple(
            (
                f"{row['layer']}.{row['neuron']}",
                row["type"],
                "strong" if row["strong"] else "weak",
                row["information"],
                row["information_bias"],
                row["information_corrected"],
                row["frequency"],
            )
            for row in ordered
        ),
    )


def notes(meta: Meta) -> tuple[str, ...]:
    """Return how the words of the page are meant."""
    found = [
        "A neuron is layer.neuron, both from 0. Detectors follow the paper's rule: at most 5 tokens (50 bigrams or "
        "trigrams) make up 95 % of the activations, the neuron is active at 95 % of the occurrences of those it "
        "covers, and those make up 95 % of its activations. Sure: also at the lower ends of the 95 % intervals.",
        "The types of positional neurons are the paper's, the numeric rule behind them is ours.",
    ]
    if meta.layers != tuple(range(meta.depth)):
        found.append(f"Only layers {', '.join(map(str, meta.layers))} of {meta.depth} were counted.")
    return tuple(found)


def _by_neuron(rows: list[dict], wanted: list[dict]) -> dict[tuple[int, int], dict]:
    keys = {(row["layer"], row["neuron"]) for row in wanted}
    return {(row["layer"], row["neuron"]): row for row in rows if (row["layer"], row["neuron"]) in keys}

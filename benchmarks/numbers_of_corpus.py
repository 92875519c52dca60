"""The figures of docs/corpus.md, from their run records."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sulan.papers.claims import PACKAGED
from sulan.runs import record

RECORDS = Path(__file__).parent / "records"


def build() -> str:
    """Return what the build of 3,000 pages took, and left."""
    made = record.read(RECORDS / "corpus-manuals")
    found = {metric["name"].removeprefix("counts."): metric["value"] for metric in made["metrics"]}
    took = datetime.fromisoformat(made["end"]) - datetime.fromisoformat(made["start"])
    return (
        f"{found['records']} pages became {found['noisy']} noisy and {found['clean']} clean documents in "
        f"{found['languages']} languages, in {took.total_seconds():.0f} seconds and {made['peak_memory_mb']:.0f} MB "
        f"({_machine(made)}, {made['environment']['cores']} core, {made['end'][:10]})."
    )


def identifier() -> str:
    """Return how good the trained identifier is, and where."""
    made = record.read(RECORDS / "corpus-identifier")
    found = {metric["name"]: metric for metric in made["metrics"]}
    rows = {
        "languages": "languages",
        "megabytes": "size, MB",
        "accuracy.held_out.declaration_udhr": "held-out paragraphs of the Declaration of Human Rights, told right",
        "accuracy.held_out.descriptions_descriptions": "held-out lines of package descriptions, told right",
        "accuracy.held_out.all": "all held-out lines, down to menu entries of one word, told right",
        "accuracy.elsewhere": "manual pages, of which nothing was trained on, told right",
        "speed.ratio.cld2": "documents a CPU second, times CLD2's",
        "speed.ratio.fasttext": "documents a CPU second, times fastText's",
    }
    return _table(found, rows)


def beside_datatrove() -> str:
    """Return cost and agreement beside datatrove."""
    made = record.read(RECORDS / "corpus")
    found = {metric["name"]: metric for metric in made["metrics"]}
    rows = {
        "documents.per.cpu.second.ours": "documents a CPU second, Sulan, start-up included",
        "documents.per.cpu.second.datatrove": "documents a CPU second, datatrove, start-up included",
        "ratio.datatrove.whole": "times",
        "milliseconds.per.document.ours": "CPU milliseconds for a document more, Sulan",
        "milliseconds.per.document.datatrove": "CPU milliseconds for a document more, datatrove",
        "ratio.datatrove.marginal": "times",
        "kept.jaccard.c4": "documents that both keep by C4's rules, share of those that either keeps",
        "kept.jaccard.minhash": "groups of near-duplicates kept by both, the same share",
        "kept.jaccard.minhash.datatrove.twice": "the same share of two runs of datatrove, seeds 1 and 2",
    }
    return f"{_machine(made)}, {made['end'][:10]}.\n\n{_table(found, rows)}"


def translation() -> str:
    """Return the scores of the translation model beside what it must beat; without records, that there are none."""
    held_out = {"corpus-translate-score-books": "books", "corpus-translate-score": "manual pages"}
    if not all((PACKAGED / name).is_dir() for name in held_out):
        return "Not measured yet."
    lines = [
        "| held out | direction | system | chrF2 | the model's lead |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, what in held_out.items():
        found = {metric["name"]: metric for metric in record.read(PACKAGED / name)["metrics"]}
        directions = [key.removeprefix("chrf.model.") for key in found if key.startswith("chrf.model.")]
        for direction in directions:
            for system in ("model", "copy", "dictionary", "memory"):
                lead = found.get(f"chrf.difference.{system}.{direction}")
                said = f"{lead['value']} ({lead['scale'].partition('; ')[2]})" if lead else ""
                score = found[f"chrf.{system}.{direction}"]
                lines.append(f"| {what} | {score['scale']} | {system} | {score['value']} | {said} |")
    return "\n".join(lines)


def _machine(made: dict[str, Any]) -> str:
    return f"{made['environment']['cpu']}, Python {made['environment']['python']}"


def _table(found: dict[str, dict[str, Any]], rows: dict[str, str]) -> str:
    lines = ["| | measured | scale |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {found[key]['value']} | {found[key]['scale']} |"
        for key, name in rows.items()
        if key in found
    ]
    return "\n".join(lines)

"""README's table of rooms: cards, commands, and ratios from the run records that the benchmarks wrote.

`make numbers` regenerates README from this. A ratio without a record is an empty cell.
"""

from pathlib import Path

from sulan.errors import MissingFile
from sulan.papers import card, claims
from sulan.papers.room import rooms
from sulan.runs import record

RECORDS = Path(__file__).parent / "records"

RATIOS: dict[str, tuple[tuple[str, str], ...]] = {
    "digest": (
        ("sentence.ratio.summa", "sentences {:.1f}x faster than summa"),
        ("keywords.ratio.yake", "keywords {:.1f}x faster than yake"),
        ("model.ratio.sequential", "50 papers {:.1f}x faster than one by one"),
    ),
    "prune": (
        ("score.ratio.bfloat16.loop.float32", "scores {:.1f}x faster than a float32 loop"),
        ("score.ratio.bfloat16.loop.bfloat16", "{:.1f}x than a bfloat16 one"),
    ),
    "corpus": (
        ("ratio.datatrove.whole", "WARC to deduplicated text {:.1f}x less CPU than datatrove"),
        ("ratio.datatrove.marginal", "{:.1f}x without start-up"),
    ),
    "neurons": (
        ("ratio.bridge_with_a_whole_cache", "counts {:.1f}x faster than TransformerLens's bridge caches"),
    ),
    "quantize": (
        ("smollm2-w2.cpu.ratio.ours", "2 bit in {:.1f}x less CPU time than auto-round"),
        ("smollm2-w2.kl.ratio.ours", "at {:.2f} of its divergence"),
    ),
    "tune": (
        ("bfloat16.ratio.trl", "adapters {:.1f}x faster than trl + peft"),
        ("asking.ratio.generate", "rationales {:.1f}x faster than generate in a loop"),
    ),
    "radiance": (
        ("training.ratio.torch", "to 30 dB {:.0f}x faster than torch's grid_sample"),
        ("queries.ratio.warp.field", "distances of a field {:.0f}x faster than Warp's mesh queries"),
    ),
}
"""Metric of a room's benchmark and how the table says it."""


def table() -> str:
    """Return the table in Markdown: built rooms first."""
    rows = [
        "| room | paper | what it is for | one command | beside a peer |",
        "| --- | --- | --- | --- | --- |",
    ]
    built = rooms()
    for name, read in sorted(card.all_cards().items(), key=lambda pair: (not built[pair[0]].verbs, pair[0])):
        paper = f"[{read.paper}](https://arxiv.org/abs/{read.paper})" if read.paper else "the digest itself"
        command = f"`{read.command}`" if read.command else "not built yet"
        rows.append(f"| {name} | {paper} | {read.use} | {command} | {ratios(name)} |")
    return "\n".join(rows)


def ratios(room: str) -> str:
    """Return what a room's benchmark measured beside its peers, with its date; empty without a record."""
    try:
        made = record.read(RECORDS / room)
    except MissingFile:
        return ""
    metrics = {metric["name"]: metric["value"] for metric in made["metrics"]}
    said = [text.format(metrics[name]) for name, text in RATIOS.get(room, ()) if name in metrics]
    return f"{'; '.join(said)} ({made['end'][:10]})" if said else ""


def measured(room: str) -> str:
    """Return every metric of a room's benchmark as a table, with machine, command and date."""
    if not (RECORDS / room).is_dir():
        return f"Not measured yet; `python benchmarks/{room}.py` does it."
    made = record.read(RECORDS / room)
    machine = made["environment"]
    lines = [
        f"Measured on {made['end'][:10]} with `python benchmarks/{room}.py`, {machine['cpu']}, "
        f"{machine['cores']} cores, Python {machine['python']}:",
        "",
        "| what | value | scale |",
        "| --- | --- | --- |",
    ]
    lines += [f"| {metric['name']} | {metric['value']} | {metric['scale']} |" for metric in made["metrics"]]
    return "\n".join(lines)


def compared(*names: str) -> str:
    """Return the accuracies of packaged runs of `tune compare`, a column each, in per cent."""
    runs = {name: record.read(claims.PACKAGED / f"tune-compare-{name}") for name in names}
    found = {
        name: {
            each["name"]: each["value"] for each in made["metrics"] if each["name"].startswith("accuracy.")
        }
        for name, made in runs.items()
    }
    rows = list(dict.fromkeys(row for each in found.values() for row in each))
    lines = [f"| row | {' | '.join(names)} |", "| --- |" + " --- |" * len(names)]
    for row in rows:
        cells = [f"{100 * each[row]:.1f}" if row in each else "" for each in found.values()]
        said = row.removeprefix("accuracy.").replace("plus_", "+ ").replace(".", ", ").replace("_", " ")
        lines.append(f"| {said} | {' | '.join(cells)} |")
    return "\n".join(lines)


def claims_beside_measurements(room: str) -> str:
    """Return a room's card as a table: what its paper says, what was measured here, at which scale."""
    rows = claims.measured(card.all_cards()[room], claims.records())
    lines = ["| claim | says | measured here | scale |", "| --- | --- | --- | --- |"]
    lines += [
        f"| {row.says} | {row.value} ({row.source}) | {row.measured} | {row.scale or '-'} |" for row in rows
    ]
    return "\n".join(lines)

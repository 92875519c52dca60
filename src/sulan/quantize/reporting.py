"""What `quantize run` tells: a report whose bytes depend on the result alone. Times and memory stand in `run.json`."""

from collections import Counter
from collections.abc import Iterable

from sulan.quantize.artefact import DENSE, PACKED
from sulan.quantize.blocks import Tuned
from sulan.quantize.job import Job
from sulan.quantize.layers import Layer
from sulan.reports import charts
from sulan.reports.charts import Line
from sulan.reports.report import Cell, Report, Table


def of_run(job: Job) -> Report:
    """Return the report of a run."""
    description = job.description
    schemes = Counter(str(layer.scheme) for layer in description.packed)
    kept = [layer for layer in description.layers if layer.scheme is None]
    notes = [*job.notes, *_grouped(description.layers)]
    if not job.loadable:
        notes.append(
            f"transformers does not read this packed layout: {DENSE} holds the same values unpacked, "
            f"{PACKED} is the small file"
        )
    unimproved = sum(1 for block in job.blocks if block.steps and not block.kept)
    if unimproved:
        notes.append(
            f"tuning did not improve {unimproved} of {len(job.blocks)} blocks: they keep their start"
        )
    rows = [_row(number, block) for number, block in enumerate(job.blocks)]
    summary: dict[str, Cell] = {
        "teacher": description.teacher,
        "recipe": job.asked.recipe,
        "schemes": ", ".join(f"{count} x {name}" for name, count in sorted(schemes.items())),
        "matrices kept": len(kept),
        "bits a weight, scales included": round(description.average_bits(), 3),
        "packed MB": round(job.size / 1e6, 3),
        "teacher MB": round(job.teacher_size / 1e6, 3),
        "calibration": f"{job.windows[0]} x {job.windows[1]} tokens" if job.windows[0] else "none",
        "steps a block": job.plan.steps,
    }
    tables = [
        Table(
            title="Relative error of every block on windows that tuning did not see",
            columns=("block", "nearest", "searched", "start", "tuned", "steps", "best after"),
            rows=tuple(rows),
        )
    ] * bool(job.windows[0])
    if job.asked.budget.average_bits or job.asked.budget.max_size_mb:
        tables.append(_bits_table(job))
    return Report(
        title=f"quantize run {job.asked.model}",
        summary=summary,
        tables=tuple(tables),
        notes=tuple(notes),
        charts=_charts(job),
    )


def _row(number: int, block: Tuned) -> tuple[Cell, ...]:
    values = [block.losses.get(kind) for kind in ("nearest", "searched", "start", "tuned")]
    return (number, *values, block.steps, block.kept)


def _grouped(layers: Iterable[Layer]) -> list[str]:
    """Say once what holds for many matrices."""
    by_note: dict[str, list[str]] = {}
    for layer in layers:
        if layer.note:
            by_note.setdefault(layer.note, []).append(layer.name)
    return [
        f"{names[0]}{f' and {len(names) - 1} more' if len(names) > 1 else ''}: {note}"
        for note, names in by_note.items()
    ]


def _bits_table(job: Job) -> Table:
    counts = Counter(
        (layer.name.rpartition(".")[2], layer.scheme.bits) for layer in job.description.packed if layer.scheme
    )
    kinds = sorted({kind for kind, _ in counts})
    return Table(
        title="Matrices by kind and bits",
        columns=("kind", "2", "3", "4", "8"),
        rows=tuple((kind, *(counts.get((kind, bits), 0) for bits in (2, 3, 4, 8))) for kind in kinds),
    )


def _charts(job: Job) -> dict[str, str]:
    made = [(number, block.losses) for number, block in enumerate(job.blocks) if block.losses]
    if len(made) < 2:
        return {}
    kinds = [kind for kind in ("nearest", "searched", "start", "tuned") if kind in made[0][1]]
    series = [
        Line(name=kind, x=[number for number, _ in made], y=[losses[kind] for _, losses in made])
        for kind in kinds
    ]
    title = "Relative error of the blocks' outputs"
    return {title: charts.lines(series, title=title, x="block", y="relative error", logarithmic_y=True)}

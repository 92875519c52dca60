"""`sulan prune score`: what a reference model makes of each document of a corpus (2309.04564)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.prune.columns import Metric
from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sulan.prune.scorers import Provenance

SHOWN = (0, 10, 50, 90, 100)
"""Percentiles in the report."""


def score(
    corpus: Path,
    *,
    model: str,
    out: Path,
    metric: tuple[Metric, ...] = ("perplexity", "el2n"),
    window: int = 0,
    prefix: str = "",
    context: int | None = None,
    dtype: Literal["auto", "float32", "bfloat16"] = "auto",
    max_bytes: int = 10_000_000,
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Score the documents of a corpus with a reference model.

    The unit is the document. (In 2309.04564 it is a packed sequence of the model's context: `sulan prune compare`.)
    A text longer than the context is scored in windows that do not overlap. A killed run goes on where it was.

    Parameters
    ----------
    corpus
        Corpus to score; or `python`, the built-in one.
    model
        Reference model: `smollm2`, `gemma`, a checkpoint folder (also of an early checkpoint), a `.gguf` file, a
        Hub id; or an n-gram model, for perplexity alone: a folder of `sulan prune reference --ngram`, a `.arpa`
        or KenLM `.binary` file.
    out
        Folder of the scored corpus: the same documents with columns added. Written aside, renamed when whole.
    metric
        `perplexity` and `el2n` come out of one forward pass; `memorization` out of greedily continuing the first
        32 tokens for 32 more (M and N of 2309.04564), which goes through the model's weights 32 times.
        Default: what one forward pass gives.
    window
        Score each document as separate windows of so many tokens, and add lists with the scores of each;
        a document's score is then over its windows. 0: the document is one sequence.
    prefix
        What stands before the names of the columns, e.g. `early_`, when they are of a second model.
    context
        Longest sequence in tokens. None: the model's own.
    dtype
        Precision of the forward pass. Default: bfloat16 where the machine multiplies it, else float32.
    max_bytes
        A longer document gets no score, and is counted. Default: 10 MB on one page is an accident of extraction,
        and takes a small model an hour.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Processes, each with one thread and its own copy of the model. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Documents with and without scores, by reason; mean scores; what the model was.

    Raises
    ------
    InputError
        A column exists already or is of another model, ids repeat, the model does not fit the metric.
    MissingFile
        There is no such corpus, or no such model.
    BackendError
        A worker failed every time; what is done is kept.
    """
    config = dict(locals())
    import shutil

    from sulan.documents import reader, writer
    from sulan.errors import InputError
    from sulan.prune import provenance, scoring, units
    from sulan.prune.built_in import located
    from sulan.prune.scorers import scorer
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards

    if window < 0 or max_bytes < 1:
        raise InputError("window must not be negative, and max_bytes at least 1")
    corpus = located(corpus)
    present = reader.schema(corpus).names
    reference = scorer(model, dtype=dtype, context=context).provenance
    if reference.kind == "ngram" and set(metric) != {"perplexity"}:
        raise InputError(
            f"{model} is an n-gram model: it gives perplexity, not {' or '.join(sorted({*metric} - {'perplexity'}))}",
            hint="--metric perplexity",
        )
    how = scoring.Scoring(
        model=model,
        dtype=dtype,
        context=context,
        model_fingerprint=reference.model_fingerprint,
        tokenizer_fingerprint=reference.tokenizer_fingerprint,
        metrics=tuple(sorted(set(metric))),
        window=window,
        prefix=prefix,
        max_bytes=max_bytes,
    )
    new = scoring.schema(how).names[1:]
    made = provenance.added(
        corpus, prefix=prefix, provenance=reference, window=window, present=present, new=new
    )
    divided = units.divide(corpus, longest=max_bytes)
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(verb="prune score", folder=folder, config=config, inputs=[corpus]) as run,
    ):
        counted = map_shards(
            scoring.score_unit,
            divided.ranges,
            out=work,
            arguments={"corpus": corpus, "scoring": how},
            engine=engine,
            workers=workers,
            cluster=cluster,
            label="prune score",
        )
        if divided.ranges:
            writer.with_columns(corpus, scoring.gathered(work, len(divided.ranges)), folder)
        else:
            writer.with_columns(corpus, scoring.schema(how).empty_table(), folder)
        provenance.write(made, folder)
        totals = {name: sum(each[name] for each in counted) for name in (counted[0] if counted else ())}
        report = _report(reference, totals, window=window, new=new, folder=folder)
        html.write(report, folder)
        scale = f"{totals.get('documents', 0)} documents, {totals.get('tokens', 0)} tokens"
        for name, value in totals.items():
            run.metric(name.replace(" ", "_"), value, scale=scale)
    shutil.rmtree(work)
    return report


def _report(
    reference: "Provenance", totals: "Mapping[str, int]", *, window: int, new: list[str], folder: Path
) -> Report:
    from sulan.prune import order_statistics
    from sulan.prune.columns import scores
    from sulan.prune.percentiles import percentiles
    from sulan.prune.scoring import REASONS

    rows: list[tuple[str | int | float, ...]] = []
    for name in scores(new):
        for count, places in percentiles(folder, metric=name, by=None, at=SHOWN).values():
            rows.append((name, count, *(order_statistics.score(place.score) for place in places)))
    return Report(
        title="prune score",
        summary={
            "documents": totals.get("documents", 0),
            "tokens": totals.get("tokens", 0),
            **{f"without: {reason}": totals[reason] for reason in REASONS if totals.get(reason)},
            "unit": f"windows of {window} tokens of a document" if window else "document",
            "model": reference.model,
            "dtype": reference.dtype,
            "context": reference.context,
        },
        tables=(
            Table(
                title="Scores",
                columns=("column", "scored", *(f"{percentile} %" for percentile in SHOWN)),
                rows=tuple(rows),
            ),
        ),
    )

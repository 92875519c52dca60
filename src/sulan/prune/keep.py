"""`sulan prune keep`: one part of a scored corpus (2309.04564)."""

from pathlib import Path

from sulan.prune.columns import N_TOKENS, RANDOM, Side, prefix, scores
from sulan.reports.report import Report


def keep(
    corpus: Path,
    *,
    out: Path,
    metric: str = "perplexity",
    fraction: float = 0.5,
    side: Side = "middle",
    by: str | None = None,
    tokens: int | None = None,
    seed: int = 0,
) -> Report:
    """Keep one part of a scored corpus.

    Parameters
    ----------
    corpus
        Corpus with the column `metric`, which `sulan prune score` adds; or `python`, the built-in one.
    out
        Folder of the kept corpus, its documents unchanged and in their order. Written aside, renamed when whole.
    metric
        Column that orders the documents, or `random`: the baseline of 2309.04564, which needs no score.
        Default: the metric that did best there (abstract).
    fraction
        Share of the scored documents to keep, in (0, 1]: exactly floor(fraction * n), in each stratum.
        Default: the best setting of 2309.04564 for perplexity (section 4, as a public review gives it).
    side
        Part of the order to keep: `bottom` is the lowest scores (by perplexity the easiest documents), `top`
        the highest, `middle` is centred on the median. Default: as for `fraction`.
    by
        Column inside whose values the fraction is kept, such as `lang` or `source`. None: over the whole
        corpus, where pruning by perplexity may remove a language or a source altogether.
    tokens
        Keep at most so many tokens instead of a fraction of the documents, counted by the metric's `n_tokens`.
        `middle` then leaves the same number of tokens on both sides.
    seed
        For `random` and for the order of equal scores.

    Returns
    -------
    Report
        Documents in, kept and without a score, thresholds by stratum, overlap with the other metrics.

    Raises
    ------
    MissingColumn
        The corpus has no such scores; the hint is the command that makes them.
    InputError
        A value is out of range, or a column holds no numbers.
    """
    config = dict(locals())
    import pyarrow as pa

    from sulan.documents import reader, writer
    from sulan.prune import provenance
    from sulan.prune.built_in import located
    from sulan.prune.selection import select
    from sulan.prune.tally import tally
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    corpus = located(corpus)
    names = reader.schema(corpus).names
    weights = prefix(metric) + N_TOKENS
    choices = {
        name: select(
            corpus,
            metric=name,
            fraction=None if tokens else fraction,
            tokens=tokens,
            side=side,
            by=by,
            weights=weights,
            seed=seed,
        )
        for name in dict.fromkeys([metric, *scores(names)])
    }
    with (
        outputs.folder(out) as folder,
        record(verb="prune keep", folder=folder, config=config, seed=seed, inputs=[corpus]) as run,
    ):
        choose = choices[metric].chooser()
        writer.filtered(corpus, lambda batch: pa.array(choose(batch)), folder)
        provenance.write(provenance.read(corpus), folder)
        found = tally(
            corpus,
            choices.pop(metric),
            tokens=weights if weights in names else None,
            others=choices,
        )
        report = Report(
            title=f"prune keep: {side if metric != RANDOM else 'a random part'} by {metric}",
            summary={
                "documents": found.documents,
                "without a score": found.unscored,
                "kept": found.total,
                "fraction": None if tokens else fraction,
                "tokens": tokens,
                "unit": "document",
            },
            tables=(found.strata_table(), *([found.overlap_table()] if choices else ())),
            notes=_notes(found.unscored),
        )
        html.write(report, folder)
        scale = f"{found.documents} documents"
        run.metric("documents.kept", found.total, scale=scale)
        run.metric("documents.without_score", found.unscored, scale=scale)
    return report


def _notes(unscored: int) -> tuple[str, ...]:
    return (f"{unscored} documents have no score and were not kept.",) if unscored else ()

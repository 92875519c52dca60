"""`sulan corpus audit-sample`: some documents of every language to look at (2309.04662, section 2.2)."""

from pathlib import Path

from sulan.reports.report import Report, Table


def audit_sample(
    corpus: Path,
    *,
    out: Path,
    by: str = "lang",
    documents: int = 20,
    round: int = 1,
    seed: int = 0,
) -> Report:
    """Draw documents of every language for an audit.

    Parameters
    ----------
    corpus
        Corpus, or the noisy and clean corpora of `sulan corpus filter` or `deduplicate`: then of noisy.
    out
        Folder of the sample, a corpus, with `label.html`, a page to label it in any browser without a server or a
        network, and `labels.csv`, a file to label it in instead.
    by
        Column of the languages under audit: `lang`, or `label` for those that the source claims.
    documents
        Documents of each language. Default: 20 (2309.04662, section 2.2).
    round
        Another round, other documents. The paper looks twice: before and after filters are mended.
    seed
        Of the draw.

    Returns
    -------
    Report
        Documents drawn by language.

    Raises
    ------
    MissingColumn
        The corpus has no such column.
    InputError
        A number is not positive.
    """
    config = dict(locals())
    from sulan.corpus import labelling, pair
    from sulan.documents import reader, sample, schema
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if documents < 1 or round < 1:
        raise InputError("documents and round must be at least 1")
    source = pair.noisy(corpus)
    schema.require(reader.schema(source), [by], where=source, hint="sulan corpus identify adds lang")
    with (
        outputs.folder(out) as folder,
        record(verb="corpus audit-sample", folder=folder, config=config, seed=seed, inputs=[source]) as run,
    ):
        # Far apart, so that no other seed's first round is this seed's second.
        drawn = sample.sample(source, folder, size=documents, by=by, seed=seed + (round - 1) * 1_000_003)
        labelling.write(folder, by=by, round=round)
        report = Report(
            title="corpus audit-sample",
            summary={"languages": len(drawn.available), "drawn": sum(drawn.drawn.values()), "round": round},
            tables=(
                Table(
                    title="Sample",
                    columns=("language", "documents", "drawn"),
                    rows=tuple((name, count, drawn.drawn[name]) for name, count in drawn.available.items()),
                ),
            ),
            notes=(
                "Open label.html, or fill the column `label` of labels.csv; then sulan corpus audit-label.",
            ),
        )
        html.write(report, folder)
        run.metric("drawn", sum(drawn.drawn.values()), scale=f"{drawn.documents} documents")
    return report

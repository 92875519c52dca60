"""`sulan corpus audit-report`: what auditors found, how far they agree, and verdicts on languages."""

from pathlib import Path

from sulan.reports.report import Report, Table


def audit_report(
    labels: tuple[Path, ...],
    *,
    corpus: Path,
    out: Path,
    by: str = "lang",
    noise: float = 0.5,
    fewest: int = 20,
) -> Report:
    """Put the labels of auditors and rounds together and propose what becomes of each language.

    Parameters
    ----------
    labels
        Folders of `sulan corpus audit-label`.
    corpus
        The corpus under audit.
    out
        Folder of the report and `verdicts.csv`: a language, a verdict (keep, drop, rename, merge) and a reason a
        line. Read it, change it, then `sulan corpus audit-apply`.
    by
        Column of the languages under audit.
    noise
        A language with a larger share of bad labels is dropped. Default: one half, "majority noise" (2309.04662,
        section 2.2).
    fewest
        A language of so many documents or fewer is dropped. Default: 20 (the same).

    Returns
    -------
    Report
        Verdicts; labels by language and round; Cohen's kappa of every two auditors.

    Raises
    ------
    InputError
        There are no labels, or a number is out of range.
    """
    config = dict(locals())
    from sulan.corpus import audits, pair, tables
    from sulan.corpus.inventory import documents
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if not 0 <= noise <= 1 or fewest < 0:
        raise InputError("noise must be a share, fewest not negative")
    rows = [row for path in labels for row in audits.read_labels(path)]
    if not rows:
        raise InputError("there are no labels", hint="fill labels.csv or label.html, or name a judge")
    source = pair.noisy(corpus)
    counts = documents(source, column=by)
    found = audits.verdicts(rows, counts, noise=noise, fewest=fewest)
    with (
        outputs.folder(out) as folder,
        record(verb="corpus audit-report", folder=folder, config=config, inputs=[*labels, source]) as run,
    ):
        audits.write_verdicts(folder / audits.VERDICTS_FILE, found)
        dropped = [row for row in found if row.verdict == "drop"]
        lost = sum(row.documents for row in dropped)
        report = Report(
            title="corpus audit-report",
            summary={
                "languages": len(found),
                "kept": sum(row.verdict == "keep" for row in found),
                "dropped": len(dropped),
                "renamed or merged": sum(row.verdict in ("rename", "merge") for row in found),
                "documents of dropped languages": lost,
                "labels": len(rows),
            },
            tables=(
                Table(
                    title="Verdicts",
                    columns=("language", "verdict", "to", "documents", "labelled", "bad", "reason"),
                    rows=tuple(
                        (r.language, r.verdict, r.to, r.documents, r.labelled, r.bad, r.reason) for r in found
                    ),
                ),
                tables.labels(rows),
                tables.agreement(rows),
            ),
        )
        html.write(report, folder)
        scale = f"{len(rows)} labels, {sum(counts.values())} documents, {len(counts)} languages by {by}"
        run.metric("languages.dropped", len(dropped), scale=scale)
        run.metric("languages.kept", len(found) - len(dropped), scale=scale)
    return report

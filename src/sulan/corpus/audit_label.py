"""`sulan corpus audit-label`: take an auditor's labels, of a person or of another identifier."""

from pathlib import Path

from sulan.reports.report import Report, Table


def audit_label(
    sample: Path,
    *,
    out: Path,
    labels: Path | None = None,
    judge: str = "",
    auditor: str = "",
    by: str = "lang",
) -> Report:
    """Take the labels of one auditor.

    Parameters
    ----------
    sample
        Sample of `sulan corpus audit-sample`.
    out
        Folder of the checked labels.
    labels
        What a person filled in: the file that `label.html` saved, or `labels.csv`.
    judge
        Instead of a person an identifier, `cld2`, `fasttext` or a trained one's folder: it labels documents that it
        takes for another language `wrong-language` and others `ok`, and sees nothing else.
    auditor
        Who looked. Empty: as the file says, or the judge.
    by
        Column of the languages under audit, as in the sample.

    Returns
    -------
    Report
        Labels by language.

    Raises
    ------
    InputError
        Neither or both of `labels` and `judge` are given, a label is none of the fixed ones, or a document is not in
        the sample.
    """
    config = dict(locals())
    from collections import Counter
    from dataclasses import replace

    from sulan.corpus import audits, judges
    from sulan.documents import reader
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if (labels is None) == (not judge):
        raise InputError("give either labels or a judge")
    known = set(reader.columns(sample, ["id"])["id"].to_pylist())
    drawn_for = audits.round_of(sample)
    if labels is not None:
        rows = audits.read_labels(labels)
        strangers = [row.id for row in rows if row.id not in known]
        if strangers:
            raise InputError(f"{labels} labels {strangers[0]}, which is not in {sample}")
        if auditor:
            rows = [replace(row, auditor=auditor) for row in rows]
    else:
        rows = judges.label(sample, judge, by=by, auditor=auditor or Path(judge).name, round=drawn_for)
    with (
        outputs.folder(out) as folder,
        record(
            verb="corpus audit-label",
            folder=folder,
            config=config,
            inputs=[sample, *([labels] if labels else [])],
        ) as run,
    ):
        audits.write_labels(folder / audits.LABELS_FILE, rows)
        counted = Counter((row.language, row.label) for row in rows)
        report = Report(
            title="corpus audit-label",
            summary={
                "labelled": len(rows),
                "of": len(known),
                **{label: sum(row.label == label for row in rows) for label in audits.LABELS},
            },
            tables=(
                Table(
                    title="Labels",
                    columns=("language", "label", "documents"),
                    rows=tuple(
                        (language, label, count) for (language, label), count in sorted(counted.items())
                    ),
                ),
            ),
        )
        html.write(report, folder)
        run.metric("labelled", len(rows), scale=f"{len(known)} documents")
    return report

"""`sulan corpus audit-apply`: a corpus without what its audit rejects, and its card."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def audit_apply(
    corpus: Path,
    *,
    verdicts: Path,
    out: Path,
    by: str = "lang",
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Apply an audit's verdicts: drop, rename and merge languages.

    Where the languages are those that the source claims (`by` is not `lang`) and the corpus is identified, documents
    of kept languages that are in another language are left out as well.

    Parameters
    ----------
    corpus
        Corpus, or noisy and clean corpora: both are treated alike.
    verdicts
        `verdicts.csv` of `sulan corpus audit-report`, changed by people or not; or its folder.
    out
        Folder of the audited corpora, `dropped.parquet` and the dataset card `README.md`.
    by
        Column of the languages under audit.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Parts worked on at once. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Documents in, left out by reason, kept.

    Raises
    ------
    InputError
        A verdict is none, or names no language where it must.
    MissingColumn
        The corpus has no column `by`.
    """
    config = dict(locals())
    import shutil

    from sulan.corpus import audits, cards, columns, counts, pair, rules
    from sulan.corpus.parts import concatenate, gather
    from sulan.corpus.verdicts import REASONS, apply_part
    from sulan.documents import reader, schema
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder

    table = audits.read_verdicts(verdicts)
    names = (pair.NOISY, pair.CLEAN) if pair.is_pair(corpus) else (".",)
    found = reader.schema(pair.noisy(corpus))
    schema.require(found, [by], where=corpus, hint="sulan corpus identify adds lang")
    agree = by != columns.LANG and columns.LANG in found.names
    file = verdicts / audits.VERDICTS_FILE if verdicts.is_dir() else verdicts
    parts = [part for name in names for part in schema.parts(corpus / name)]
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(verb="corpus audit-apply", folder=folder, config=config, inputs=[corpus, verdicts]) as run,
    ):
        made = map_shards(
            apply_part,
            parts,
            out=work,
            arguments={"verdicts": file, "by": by, "agree": agree},
            engine=engine,
            workers=workers,
            cluster=cluster,
            label="corpus audit-apply",
        )
        shards = [shard_folder(work, number) for number in range(len(parts))]
        own = {
            name: [s for s, part in zip(shards, parts, strict=True) if part.parent == corpus / name]
            for name in names
        }
        for name in names:
            (folder / name).mkdir(exist_ok=True)
            gather(own[name], folder / name)
            judged = rules.read(corpus / name)
            if judged:
                judged.write(folder / name)
        concatenate([shard / pair.DROPPED for shard in own[names[0]]], folder / pair.DROPPED)
        totals = counts.added(
            each for each, part in zip(made, parts, strict=True) if part.parent == corpus / names[0]
        )
        outputs.write_text(folder / "README.md", cards.card(folder, corpus, table, totals, by=by))
        report = Report(
            title="corpus audit-apply",
            summary={"documents": totals["documents"], "kept": totals["kept"]},
            tables=(counts.dropped_table(totals, REASONS, of="documents"),),
        )
        html.write(report, folder)
        counts.measure(run, totals, scale=f"{totals['documents']} documents")
    shutil.rmtree(work)
    return report

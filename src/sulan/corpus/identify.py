"""`sulan corpus identify`: the language of every document and sentence (2309.04662, section 2)."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report


def identify(
    corpus: Path,
    *,
    out: Path,
    identifier: str = "cld2",
    vote: Literal["sentences", "document"] = "sentences",
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Tell the language of every document and sentence.

    Parameters
    ----------
    corpus
        Corpus to identify.
    out
        Folder of the same corpus with `lang`, `lang_share`, `sentence_starts`, `sentence_ends` (bytes) and
        `sentence_langs`. Written aside, renamed when whole.
    identifier
        `cld2` (165 languages), `fasttext` (176), or a folder of `sulan corpus train-identifier`, which knows more
        than 400 where it was trained on as many. Default: what works without training.
    vote
        `sentences`: a document is in the language of most of its sentences (2309.04662, section 2). `document`: as
        the identifier says of the whole text, which is surer where sentences are short.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Parts worked on at once. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Documents and sentences by language.

    Raises
    ------
    MissingFile
        There is no such corpus or identifier.
    MissingExtra
        The identifier's package is not installed.
    """
    config = dict(locals())
    import shutil

    from sulan.corpus import counts
    from sulan.corpus.identification import identify_part
    from sulan.corpus.identifiers import PACKAGED, opened
    from sulan.corpus.parts import gather
    from sulan.documents import reader, schema
    from sulan.reports import html
    from sulan.reports.report import Table
    from sulan.runs import fingerprints, outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder

    reader.schema(corpus)
    opened(identifier)
    own = identifier not in PACKAGED
    parts = schema.parts(corpus)
    work = out.absolute().with_name(f".{out.name}.work")
    with (
        outputs.folder(out) as folder,
        record(
            verb="corpus identify",
            folder=folder,
            config=config,
            inputs=[corpus, *([Path(identifier)] if own else [])],
        ) as run,
    ):
        model = fingerprints.path(Path(identifier)) if own else ""
        counted = map_shards(
            identify_part,
            parts,
            out=work,
            arguments={
                "identifier": str(Path(identifier).absolute()) if own else identifier,
                "model": model,
                "vote": vote,
            },
            engine=engine,
            workers=workers,
            cluster=cluster,
            label="corpus identify",
        )
        gather([shard_folder(work, number) for number in range(len(parts))], folder)
        documents = counts.added(each["documents"] for each in counted)
        sentences = counts.added(each["sentences"] for each in counted)
        rows = sorted(sentences, key=lambda name: (-documents.get(name, 0), -sentences[name], name))
        report = Report(
            title="corpus identify",
            summary={
                "documents": sum(documents.values()),
                "sentences": sum(sentences.values()),
                "languages of documents": len(documents),
                "identifier": identifier if not own else "trained here",
            },
            tables=(
                Table(
                    title="Languages",
                    columns=("language", "documents", "sentences"),
                    rows=tuple((name, documents.get(name, 0), sentences[name]) for name in rows),
                ),
            ),
        )
        html.write(report, folder)
        scale = f"{sum(documents.values())} documents"
        run.metric("languages.documents", len(documents), scale=scale)
        run.metric("sentences", sum(sentences.values()), scale=scale)
    shutil.rmtree(work)
    return report

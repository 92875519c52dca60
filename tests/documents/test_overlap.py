"""Overlap: what is planted is found, what is found is there; the oracle is plain Python."""

import re
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents.memory import peak
from sulan.documents.overlap import Index, overlap, words
from sulan.documents.writer import Writer
from sulan.errors import InputError

QUESTION = (
    "Janet's ducks lay sixteen eggs per day. She eats three for breakfast every morning and bakes muffins "
    "for her friends every day with four."
)


def batch(*texts: str) -> pa.RecordBatch:
    return pa.record_batch({"id": [f"d{n}" for n in range(len(texts))], "text": list(texts)})


def plain(text: str) -> list[str]:
    """The normalisation as the documentation words it, with Python's `re` and `unicodedata`."""
    text = "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if unicodedata.category(c) != "Mn")
    text = re.sub("([\u3040-\u30ff\u4e00-\u9fff\u0e00-\u0e7f])", r" \1 ", text)
    return "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text).split()


@pytest.mark.parametrize(
    "disguise",
    [
        str.upper,
        lambda text: text.replace(" ", "\n\t  "),
        lambda text: text.replace("e", "é").replace(".", " ... "),
        lambda text: f"Before, {text} after.",
        lambda text: unicodedata.normalize("NFD", text.replace("a", "ä")),
        lambda text: text.replace(" ", " - "),
    ],
)
def test_a_planted_text_is_found_in_disguise(disguise: Callable[[str], str]) -> None:
    index = Index.of([("gsm8k/1", QUESTION), ("gsm8k/2", "something else " * 10)])
    (match,) = index.matches(batch("nothing here", disguise(QUESTION), "nor here")).to_pylist()
    assert (match["id"], match["evaluation_id"], match["share"]) == ("d1", "gsm8k/1", 1.0)
    assert match["ngrams"] == len(plain(QUESTION)) - 12
    assert match["passage"] == " ".join(plain(QUESTION))


def test_twelve_words_are_not_thirteen() -> None:
    index = Index.of([("q", QUESTION)])
    said = plain(QUESTION)
    assert len(index.matches(batch(" ".join(said[3:15])))) == 0
    (match,) = index.matches(batch(" ".join(said[3:16]))).to_pylist()
    assert match["ngrams"] == 1
    assert match["passage"] == " ".join(said[3:16])


def test_a_match_never_crosses_documents() -> None:
    said = plain(QUESTION)
    index = Index.of([("q", QUESTION)])
    assert len(index.matches(batch(" ".join(said[:12]), " ".join(said[12:24])))) == 0


def test_chinese_counts_characters() -> None:
    question = "小明有十六个鸡蛋他每天早上吃三个"
    (match,) = Index.of([("q", question)]).matches(batch(f"题目:{question}。")).to_pylist()
    assert match["ngrams"] == len(question) - 12
    assert match["passage"] == " ".join(question)


def test_what_cannot_be_found_is_said() -> None:
    template = "choose the correct answer to the following question from these four options and explain"
    texts = [
        (f"q{n}", f"{template} question number {n} about item {n} and nothing but {n}") for n in range(11)
    ]
    index = Index.of([*texts, ("short", "too short to be found")])
    assert index.short == ("short",)
    assert index.templates == len(plain(template)) + len(["question", "number"]) - 12
    assert len(index.matches(batch(template))) == 0
    assert Index.of(texts[:10]).templates == 0


def test_without_texts_there_is_nothing_to_compare() -> None:
    with pytest.raises(InputError, match="no evaluation texts"):
        Index.of([])


VOCABULARY = st.lists(st.sampled_from(["a", "B", "é", "c,", "速", "x y", "\u0e01"]), max_size=25).map(
    " ".join
)


@given(
    evaluation=st.lists(VOCABULARY, min_size=1, max_size=5),
    documents=st.lists(VOCABULARY, min_size=1, max_size=5),
    n=st.integers(1, 4),
    shared_by=st.integers(1, 5),
)
def test_the_matches_are_those_of_plain_python(
    evaluation: list[str], documents: list[str], n: int, shared_by: int
) -> None:
    def grams(text: str) -> set[tuple[str, ...]]:
        said = plain(text)
        return {tuple(said[start : start + n]) for start in range(len(said) - n + 1)}

    wanted = [grams(text) for text in evaluation]
    common = {g for gram in wanted for g in gram if sum(g in other for other in wanted) > shared_by}
    expected = [
        (f"d{d}", f"e{e}", len(found), len(found) / len(texts - common))
        for d, document in enumerate(documents)
        for e, texts in enumerate(wanted)
        if (found := grams(document) & texts - common)
    ]
    index = Index.of([(f"e{e}", text) for e, text in enumerate(evaluation)], n=n, shared_by=shared_by)
    rows = index.matches(batch(*documents)).to_pylist()
    assert [(r["id"], r["evaluation_id"], r["ngrams"], r["share"]) for r in rows] == expected
    assert index.templates == len(common)
    for row in rows:
        assert f" {row['passage']} " in f" {' '.join(plain(documents[int(row['id'][1:])]))} "
        assert grams(row["passage"]) <= wanted[int(row["evaluation_id"][1:])] - common


@given(text=st.text(max_size=80))
def test_words_of_any_text(text: str) -> None:
    found = words(pa.array([text], pa.large_string())).to_pylist()[0] or []
    assert all(word and word.split() == [word] for word in found)
    kinds = {unicodedata.category(c) for word in found for c in word} - {"Cn", "Co"}  # newer Unicode, private
    assert {kind[0] for kind in kinds} <= set("LNM")
    assert words(pa.array([f"  {text}!"], pa.large_string())).to_pylist()[0] in (found, found or None)


def test_a_corpus_against_a_corpus(tmp_path: Path) -> None:
    with Writer(tmp_path / "evaluation") as writer:
        writer.write(pa.table({"id": ["q"], "text": [QUESTION]}))
    with Writer(tmp_path / "corpus", part_rows=2) as writer:
        writer.write(pa.table({"id": list("abcde"), "text": ["x", QUESTION, "y", "z", QUESTION + " w"]}))
    found = pa.concat_tables(overlap(tmp_path / "corpus", tmp_path / "evaluation"))
    assert found["id"].to_pylist() == ["b", "e"]


def test_memory_is_flat_in_the_size_of_the_corpus(tmp_path: Path) -> None:
    small, large, bound = 12, 96, 48  # MB; a copy of the larger input would add 84
    for size in (small, large):
        peak("make", tmp_path, size)
        peak("convert", tmp_path, size)
    assert peak("overlap", tmp_path, large) - peak("overlap", tmp_path, small) < bound

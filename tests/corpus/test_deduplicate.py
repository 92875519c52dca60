"""`corpus deduplicate`: one of each is left, whichever the order, the parts and the workers."""

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import small
from sulan import corpus
from sulan.corpus import groups, matching, minhash
from sulan.corpus.near import Near
from sulan.corpus.samples import sentence
from sulan.corpus.sentences import Texts
from sulan.documents import reader
from sulan.errors import InputError, MissingColumn
from sulan.runs import fingerprints


def text(*numbers: int) -> str:
    return " ".join(sentence("en", number) for number in numbers)


TEXTS = {
    "a": text(*range(0, 9)),
    "a again": text(*range(0, 9)),
    "b": text(*range(100, 109)),
    "b with the middle of a": text(*range(110, 114), 3, 4, 5, *range(114, 118)),
    "c": text(*range(200, 212)),
    "nearly c": text(
        *range(200, 202), 990, *range(203, 205), 991, *range(206, 208), 992, *range(209, 211), 993
    ),
}


def run(tmp_path: Path, name: str, ids: list[str], *, parts: int = 1, workers: int = 1) -> dict[str, str]:
    source = small.identified(tmp_path / f"in-{name}", [TEXTS[id_] for id_ in ids], ids=ids, parts=parts)
    loose = Near(bands=20, rows=6, words=4)
    corpus.deduplicate(source, out=tmp_path / name, similarity=loose, workers=workers)
    rows = reader.columns(tmp_path / name, ["id", "text"]).to_pydict()
    return dict(zip(rows["id"], rows["text"], strict=True))


def test_what_is_left_and_why(tmp_path: Path) -> None:
    kept = run(tmp_path, "out", list(TEXTS))
    gone = pq.read_table(tmp_path / "out" / "dropped.parquet").to_pydict()
    reasons = dict(zip(gone["id"], gone["reason"], strict=True))
    assert len(kept) + len(reasons) == len(TEXTS)
    assert sum(reason == "same text" for reason in reasons.values()) == 1
    assert ("a" in kept) != ("a again" in kept)
    assert sum(reason == "near-duplicate" for reason in reasons.values()) == 1
    assert ("c" in kept) != ("nearly c" in kept)
    whole = " ".join(kept.values())
    # Of a span that occurs twice one occurrence is left.
    assert whole.count(text(3, 4, 5)) == 1
    assert kept["b"] == TEXTS["b"]


def test_order_parts_and_workers_change_nothing(tmp_path: Path) -> None:
    ids = list(TEXTS)
    found = run(tmp_path, "straight", ids)
    assert run(tmp_path, "turned", ids[::-1], parts=2, workers=2) == found
    run(tmp_path, "one", ids[::-1], parts=2, workers=1)
    assert fingerprints.path(tmp_path / "turned") == fingerprints.path(tmp_path / "one")


def test_the_clean_corpus_is_chosen_from_the_survivors(tmp_path: Path) -> None:
    good = [text(*range(n, n + 8)) for n in (0, 20, 40)]
    bad = "Short. Bits. Of. It. All. " + text(700)
    source = small.identified(tmp_path / "in", [*good, good[0], bad])
    corpus.filter(source, out=tmp_path / "filtered", workers=1)
    report = corpus.deduplicate(tmp_path / "filtered", out=tmp_path / "out", workers=1)
    assert (report.summary["documents"], report.summary["kept"], report.summary["clean"]) == (5, 4, 3)
    noisy = set(reader.columns(tmp_path / "out" / "noisy", ["id"])["id"].to_pylist())
    assert set(reader.columns(tmp_path / "out" / "clean", ["id"])["id"].to_pylist()) < noisy
    assert corpus.filter(tmp_path / "out", out=tmp_path / "again", workers=1).summary["flags"] == "as stored"


def test_spans_need_sentences_and_a_plain_corpus_needs_none(tmp_path: Path) -> None:
    source = small.corpus(tmp_path / "in", ["one and two", "one and two", "", "", "three"])
    with pytest.raises(MissingColumn) as error:
        corpus.deduplicate(source, out=tmp_path / "out")
    assert "--no-spans" in error.value.hint
    report = corpus.deduplicate(source, out=tmp_path / "out", spans=False, workers=1)
    assert report.summary["kept"] == 3
    with pytest.raises(InputError, match="bands"):
        Near(bands=0)


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30), st.permutations(range(20)))
@settings(max_examples=40, deadline=None)
def test_union_is_that_of_a_naive_one(pairs: list[tuple[int, int]], order: list[int]) -> None:
    rows = np.zeros(len(pairs), matching.MATCH)
    rows["document"], rows["least"] = ([a for a, _ in pairs], [b for _, b in pairs]) if pairs else ([], [])
    keys = np.array(order, np.uint64)
    parents = np.arange(20)
    groups._join(rows["document"].copy(), rows["least"].copy(), keys, parents)
    sets = {number: {number} for number in range(20)}
    for a, b in pairs:
        joined = sets[a] | sets[b]
        for number in joined:
            sets[number] = joined
    wanted = [min(sets[number], key=lambda each: order[each]) for number in range(20)]
    assert groups._roots(parents).tolist() == wanted


def test_recall_follows_the_formula() -> None:
    """Pairs of texts with a known overlap of words collide as often as 1 - (1 - s^r)^b says."""
    draw = np.random.default_rng(0)
    words = [f"w{letter}{number}" for letter, number in itertools.product("abcdefgh", range(600))]
    words = ["".join(chr(97 + int(digit)) for digit in str(number + 10_000)) for number in range(len(words))]
    for similarity, shared in ((0.5, 200), (0.8, 240)):
        size = round(shared * (1 + similarity) / (2 * similarity))
        found = 0
        count = 150
        for _ in range(count):
            chosen = draw.permutation(len(words))
            one = [words[number] for number in chosen[:size]]
            two = one[:shared] + [words[number] for number in chosen[size : 2 * size - shared]]
            texts = Texts.of(pa.array([" ".join(one), " ".join(two)]))
            hashes, _ = minhash.bands(texts, words=1, bands=14, rows=8)
            found += bool((hashes[0] == hashes[1]).any())
        wanted = minhash.probability(shared / (2 * size - shared), bands=14, rows=8)
        assert abs(found / count - wanted) < 4 * np.sqrt(max(wanted * (1 - wanted), 0.01) / count)


def test_signatures_see_words_and_not_their_dress() -> None:
    texts = Texts.of(pa.array(["One, two 12 three!", "one two 99 THREE", "one two three", "", "——"]))
    hashes, worded = minhash.bands(texts, words=2, bands=3, rows=2)
    assert (hashes[0] == hashes[1]).all()
    assert not (hashes[0] == hashes[2]).all()
    assert worded.tolist() == [True, True, True, False, False]


def test_buckets_of_any_number_find_the_same(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    rows = np.zeros(400, matching.OCCURRENCE)
    rows["high"] = draw.integers(0, 2**63, 120, dtype=np.uint64)[draw.integers(0, 120, 400)] * np.uint64(2)
    rows["key"], rows["document"] = draw.permutation(400), np.arange(400)
    for number in range(2):
        (tmp_path / f"shard-0000{number}").mkdir()
        matching.write(tmp_path / f"shard-0000{number}" / "x.npy", rows[number::2])
    found = []
    for count in (1, 7):
        matches = []
        for bucket in range(count):
            folder = tmp_path / f"{count}-{bucket}"
            folder.mkdir()
            matching.match_bucket(["x.npy", bucket, count], folder, shards=str(tmp_path), made="")
            matches.append(np.load(folder / "matches.npy"))
        found.append(np.sort(np.concatenate(matches), order=["document"]))
    assert (found[0] == found[1]).all()
    assert len(found[0]) == 400 - len(np.unique(rows["high"]))

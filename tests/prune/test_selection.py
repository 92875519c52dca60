"""Selection: exact counts, sides that partition, order and sharding that do not matter, budgets, strata."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prune import small
from sulan.documents import reader
from sulan.errors import InputError, MissingColumn
from sulan.prune.selection import Selection, select

PROPERTY = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def kept(corpus: Path, **asked: Any) -> list[str]:
    selection = select(corpus, **asked)
    return ids(corpus, selection)


def ids(corpus: Path, selection: Selection) -> list[str]:
    choose = selection.chooser()
    found: list[str] = []
    for batch in reader.batches(corpus, selection.columns, rows=7):
        found += batch.column(0).filter(pa.array(choose(batch))).to_pylist()
    return found


def scored(folder: Path, scores: Sequence[float | None], **more: Any) -> Path:
    return small.corpus(
        folder,
        [""] * len(scores),
        columns={"perplexity": pa.array(scores, pa.float64()), **more.pop("columns", {})},
        **more,
    )


numbers = st.lists(
    st.one_of(st.none(), st.just(float("nan")), st.integers(0, 5).map(float), st.floats(-1e9, 1e9)),
    min_size=1,
    max_size=60,
)


@PROPERTY
@given(numbers, st.sampled_from([0.1, 0.29, 0.3, 0.5, 1.0]), st.sampled_from([1, 5, 1000]), st.data())
def test_exactly_the_floor_is_kept_and_never_what_has_no_score(
    tmp_path_factory: pytest.TempPathFactory,
    scores: list[float | None],
    fraction: float,
    collected: int,
    data: st.DataObject,
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    corpus = scored(folder / "c", scores, parts=data.draw(st.sampled_from([1, 3])))
    have = {f"document-{i}": s for i, s in enumerate(scores) if s is not None and s == s}
    count = len(have) * round(fraction * 100) // 100
    sides = {
        side: kept(corpus, metric="perplexity", fraction=fraction, side=side, collected=collected)
        for side in ("bottom", "middle", "top")
    }
    for found in sides.values():
        assert len(found) == len(set(found)) == count
        assert set(found) <= set(have)
    order = sorted(have.values())
    below = (len(have) - count) // 2
    assert sorted(have[name] for name in sides["bottom"]) == order[:count]
    assert sorted(have[name] for name in sides["middle"]) == order[below : below + count]
    assert sorted(have[name] for name in sides["top"]) == order[len(have) - count :]


def test_bottom_middle_and_top_partition(tmp_path: Path) -> None:
    corpus = scored(tmp_path / "c", [1.0] * 7 + [2.0] * 3)
    sizes = {"bottom": 0.3, "middle": 0.4, "top": 0.3}
    found = [
        name for side, f in sizes.items() for name in kept(corpus, metric="perplexity", fraction=f, side=side)
    ]
    assert sorted(found) == sorted(f"document-{i}" for i in range(10))


@PROPERTY
@given(st.permutations(range(30)))
def test_order_and_monotone_changes_of_the_score_do_not_matter(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    scores = [float(i // 3) for i in range(30)]
    names = [f"document-{i}" for i in range(30)]
    straight = scored(folder / "a", scores, ids=names)
    mixed = scored(folder / "b", [2 ** scores[i] - 7 for i in order], ids=[names[i] for i in order], parts=4)
    asked: dict[str, Any] = {"metric": "perplexity", "fraction": 0.4, "side": "middle"}
    assert sorted(kept(straight, **asked)) == sorted(kept(mixed, **asked))


def test_equal_scores_are_ordered_by_id_and_seed(tmp_path: Path) -> None:
    corpus = scored(tmp_path / "c", [0.0] * 200)
    first, again, other = (
        kept(corpus, metric="perplexity", fraction=0.5, side="bottom", seed=seed) for seed in (0, 0, 1)
    )
    assert first == again != other
    later = [name for name in first if int(name.split("-")[1]) >= 100]
    assert 20 < len(later) < 80  # of 100: not the first ones, nor the last


def test_documents_alike_in_score_and_id_are_counted_one_by_one(tmp_path: Path) -> None:
    corpus = scored(tmp_path / "c", [1.0] * 10, ids=["same"] * 10, parts=3)
    for side in ("bottom", "middle", "top"):
        for collected in (1, 1000):
            found = kept(corpus, metric="perplexity", fraction=0.5, side=side, collected=collected)
            assert len(found) == 5


def test_strata_each_keep_their_share(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    drawn = generator.choice(["de", "en", "zh", ""], p=[0.1, 0.7, 0.1, 0.1], size=400).tolist()
    langs = [lang or None for lang in drawn]
    scores = (
        generator.normal(size=400) + [{"zh": 9, "de": -9}.get(lang or "", 0) for lang in langs]
    ).tolist()
    corpus = scored(tmp_path / "c", scores, parts=3, columns={"lang": pa.array(langs, pa.string())})
    there = Counter(lang or "" for lang in langs)
    place = {f"document-{i}": lang or "" for i, lang in enumerate(langs)}
    found = Counter(place[name] for name in kept(corpus, metric="perplexity", fraction=0.3, by="lang"))
    assert found == {lang: n * 3 // 10 for lang, n in there.items()}
    whole = Counter(place[name] for name in kept(corpus, metric="perplexity", fraction=0.3))
    assert whole["zh"] == whole["de"] == 0  # what strata are for


def test_a_budget_of_tokens_is_not_exceeded_and_nearly_used(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    sizes = generator.integers(1, 100, size=500)
    tokens = {f"document-{i}": int(n) for i, n in enumerate(sizes)}
    scores = generator.normal(size=500)
    corpus = scored(
        tmp_path / "c", scores.tolist(), columns={"n_tokens": pa.array(sizes, pa.int64())}, parts=2
    )
    for side in ("bottom", "middle", "top"):
        for collected in (16, 10_000):
            found = kept(corpus, metric="perplexity", tokens=5_000, side=side, collected=collected)
            total = sum(tokens[name] for name in found)
            assert 5_000 - 200 < total <= 5_000
    ranked = sorted(range(500), key=lambda i: scores[i])
    bottom = kept(corpus, metric="perplexity", tokens=5_000, side="bottom")
    assert {f"document-{i}" for i in ranked[: len(bottom)]} == set(bottom)
    assert len(kept(corpus, metric="perplexity", tokens=10**9)) == 500


def test_random_needs_no_score_and_nests(tmp_path: Path) -> None:
    corpus = small.corpus(tmp_path / "c", [""] * 300)
    small_part, larger = (set(kept(corpus, metric="random", fraction=f, side="bottom")) for f in (0.1, 0.4))
    assert len(small_part) == 30
    assert len(larger) == 120
    assert small_part < larger


def test_what_cannot_be_asked_costs_one_line(tmp_path: Path) -> None:
    corpus = scored(tmp_path / "c", [1.0, 2.0])
    with pytest.raises(MissingColumn, match="el2n") as missing:
        select(corpus, metric="el2n", fraction=0.5)
    assert "sulan prune score" in missing.value.hint
    with pytest.raises(MissingColumn, match="n_tokens"):
        select(corpus, metric="perplexity", tokens=5)
    wrong: list[dict[str, Any]] = [{"fraction": 0.0}, {"fraction": 1.5}, {"tokens": 0}, {}]
    for asked in wrong:
        with pytest.raises(InputError):
            select(corpus, metric="perplexity", **asked)
    with pytest.raises(InputError, match="holds large_string, not scores"):
        select(corpus, metric="text", fraction=0.5)


def test_nothing_scored_keeps_nothing(tmp_path: Path) -> None:
    corpus = scored(tmp_path / "c", [None, float("nan")])
    assert kept(corpus, metric="perplexity", fraction=1.0) == []
    assert (
        kept(
            small.corpus(tmp_path / "e", [], columns={"perplexity": pa.array([], pa.float64())}),
            metric="perplexity",
            fraction=0.5,
        )
        == []
    )

"""Samples: exact sizes, and a choice that order, sharding and batches cannot change."""

from collections import Counter
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.documents import reader
from sulan.documents.sample import sample
from sulan.documents.writer import Writer
from sulan.errors import InputError, MissingColumn
from sulan.runs import seeds


def made(folder: Path, numbers: list[int], part_rows: int = 1000) -> Path:
    """A corpus of one document a number, in three languages and without one."""
    languages = ["en", "zh", "de", None]
    with Writer(folder, part_rows=part_rows) as writer:
        writer.write(
            pa.table(
                {
                    "id": pa.array([f"d{n}" for n in numbers], pa.string()),
                    "text": pa.array([f"text {n}" for n in numbers], pa.string()),
                    "lang": pa.array([languages[n % 10 // 3] for n in numbers], pa.string()),
                }
            )
        )
    return folder


def ids(corpus: Path) -> list[str]:
    return reader.columns(corpus, ["id"])["id"].to_pylist()


@given(
    numbers=st.lists(st.integers(0, 10_000), unique=True, max_size=60),
    size=st.integers(0, 70),
    seed=st.integers(0, 3),
    data=st.data(),
)
@settings(max_examples=40)
def test_a_sample_depends_on_seed_and_ids_alone(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], size: int, seed: int, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("sample")
    shuffled = data.draw(st.permutations(numbers))
    sample(made(folder / "a", numbers), folder / "a1", size=size, seed=seed)
    sample(made(folder / "b", shuffled, part_rows=7), folder / "b1", size=size, seed=seed)
    smallest = sorted((f"d{n}" for n in numbers), key=lambda name: seeds.key(seed, name))[:size]
    assert set(ids(folder / "a1")) == set(ids(folder / "b1")) == set(smallest)
    assert ids(folder / "b1") == [f"d{n}" for n in shuffled if f"d{n}" in smallest]  # the corpus's own order


def test_samples_of_shards_sampled_again_are_the_sample_of_the_whole(tmp_path: Path) -> None:
    whole = made(tmp_path / "whole", list(range(300)))
    sample(whole, tmp_path / "at-once", size=20, seed=5)
    kept = []
    for number, start in enumerate(range(0, 300, 100)):
        shard = made(tmp_path / f"shard{number}", list(range(start, start + 100)))
        sample(shard, tmp_path / f"part{number}", size=20, seed=5)
        kept += [int(name[1:]) for name in ids(tmp_path / f"part{number}")]
    sample(made(tmp_path / "together", kept), tmp_path / "in-two-steps", size=20, seed=5)
    assert ids(tmp_path / "in-two-steps") == ids(tmp_path / "at-once")


def test_strata_by_size_and_by_fraction(tmp_path: Path) -> None:
    corpus = made(tmp_path / "corpus", list(range(1000)))
    done = sample(corpus, tmp_path / "size", size=20, by="lang", seed=1)
    assert done.available == {"": 100, "de": 300, "en": 300, "zh": 300}
    assert done.drawn == {"": 20, "de": 20, "en": 20, "zh": 20}
    found = Counter(reader.columns(tmp_path / "size", ["lang"])["lang"].to_pylist())
    assert found == {None: 20, "de": 20, "en": 20, "zh": 20}
    done = sample(corpus, tmp_path / "fraction", fraction=0.29, by="lang", seed=1)
    assert done.drawn == {"": 29, "de": 87, "en": 87, "zh": 87}  # in binary 0.29 * 100 < 29
    assert done.documents == reader.count(tmp_path / "fraction") == 290


def test_every_document_is_as_likely_as_any_other(tmp_path: Path) -> None:
    corpus = made(tmp_path / "corpus", list(range(100)))
    drawn: Counter[str] = Counter()
    for seed in range(60):
        sample(corpus, tmp_path / f"{seed}", size=50, seed=seed)
        drawn.update(ids(tmp_path / f"{seed}"))
    # Binomial(60, 1/2): mean 30, standard deviation 3.87; the extreme of 100 stays within five of them
    assert min(drawn[f"d{n}"] for n in range(100)) > 10
    assert max(drawn.values()) < 50


def test_repeated_ids_do_not_make_a_sample_larger(tmp_path: Path) -> None:
    corpus = made(tmp_path / "corpus", [1] * 10 + [2] * 10)
    assert sample(corpus, tmp_path / "sample", size=5).documents == 5
    assert reader.count(tmp_path / "sample") == 5


def test_what_cannot_be_drawn(tmp_path: Path) -> None:
    corpus = made(tmp_path / "corpus", [1, 2])
    with pytest.raises(InputError, match="either size or fraction"):
        sample(corpus, tmp_path / "a")
    with pytest.raises(InputError, match="fraction must be in"):
        sample(corpus, tmp_path / "b", fraction=1.5)
    with pytest.raises(MissingColumn, match="no column topic"):
        sample(corpus, tmp_path / "c", size=1, by="topic")

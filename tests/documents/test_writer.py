"""Writing: what went in comes out, in the same bytes however it was batched, and never half."""

import hashlib
import itertools
import signal
import subprocess
import sys
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from documents.memory import peak
from sulan.documents import reader, schema, writer
from sulan.documents.writer import Writer
from sulan.errors import BrokenArtefact, InputError

MESSAGE = st.fixed_dictionaries(
    {"role": st.sampled_from(["user", "assistant"]), "content": st.text(max_size=9)}
)
DOCUMENT = st.fixed_dictionaries(
    {
        "id": st.text(max_size=5),
        "text": st.text(max_size=60),
        "lang": st.none() | st.sampled_from(["en", "zh"]),
        "messages": st.none() | st.lists(MESSAGE, max_size=3),
        "score": st.none() | st.floats(allow_nan=False),
    }
)
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("text", pa.large_string()),
        ("lang", pa.string()),
        ("messages", schema.MESSAGES),
        ("score", pa.float64()),
    ]
)


def digest(corpus: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(corpus.iterdir())}


def table(count: int) -> pa.Table:
    return pa.table({"id": [f"d{n}" for n in range(count)], "text": [f"text of {n}" for n in range(count)]})


@given(
    documents=st.lists(DOCUMENT, max_size=30),
    cuts=st.lists(st.integers(0, 30), max_size=5),
    group=st.integers(1, 400),
    part=st.integers(1, 1500),
)
def test_round_trip_in_the_same_bytes_however_batched(
    tmp_path_factory: pytest.TempPathFactory, documents: list[dict], cuts: list[int], group: int, part: int
) -> None:
    folder = tmp_path_factory.mktemp("corpus")
    whole = pa.Table.from_pylist(documents, schema=SCHEMA)
    sizes = {"group_bytes": group, "part_bytes": part, "group_rows": 7, "part_rows": 11}
    with Writer(folder / "one", schema=SCHEMA, **sizes) as at_once:
        at_once.write(whole)
    with Writer(folder / "many", schema=SCHEMA, **sizes) as in_pieces:
        edges = sorted({0, *(min(cut, len(whole)) for cut in cuts), len(whole)})
        for start, stop in itertools.pairwise(edges):
            in_pieces.write(whole.slice(start, stop - start))
    found = reader.columns(folder / "one", SCHEMA.names)
    assert found.to_pylist() == documents
    assert digest(folder / "one") == digest(folder / "many")
    assert max(reader.part_rows(folder / "one").values()) <= 11


def test_a_part_ends_with_the_group_that_fills_it(tmp_path: Path) -> None:
    documents = pa.table({"id": ["a"] * 12, "text": ["x" * 99] * 12})  # 100 bytes each
    with Writer(tmp_path, group_bytes=250, part_bytes=500) as made:
        made.write(documents)
    groups = [pq.ParquetFile(path).metadata for path in schema.parts(tmp_path)]
    assert [[m.row_group(n).num_rows for n in range(m.num_row_groups)] for m in groups] == [[3, 3], [3, 3]]


def test_nothing_tells_when_or_where_it_was_written(tmp_path: Path) -> None:
    writer.write([table(5)], tmp_path / "a")
    metadata = pq.ParquetFile(tmp_path / "a" / "part-00000.parquet").metadata
    assert metadata.created_by == f"parquet-cpp-arrow version {pa.__version__}"
    assert set(metadata.metadata) == {b"ARROW:schema"}


def test_an_empty_corpus_has_columns(tmp_path: Path) -> None:
    assert writer.write([], tmp_path, schema=SCHEMA) == 0
    assert reader.schema(tmp_path).names == SCHEMA.names
    assert reader.count(tmp_path) == 0
    assert list(reader.batches(tmp_path)) == []
    with pytest.raises(InputError, match="no documents"):
        writer.write([], tmp_path / "other")


def test_a_corpus_is_not_written_over(tmp_path: Path) -> None:
    writer.write([table(3)], tmp_path)
    before = digest(tmp_path)
    with pytest.raises(InputError, match="already holds a corpus"):
        writer.write([table(4)], tmp_path)
    assert digest(tmp_path) == before


def test_a_stream_that_fails_leaves_no_part(tmp_path: Path) -> None:
    with (
        pytest.raises(BrokenArtefact, match="1 documents without text"),
        Writer(tmp_path, part_rows=2) as made,
    ):
        made.write(table(5))
        made.write(pa.table({"id": ["x"], "text": pa.array([None], pa.string())}))
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, sys
import pyarrow as pa
from pathlib import Path
from sulan.documents.writer import Writer
with Writer(Path(sys.argv[1]), part_rows=10) as made:
    made.write(pa.table({"id": [str(n) for n in range(35)], "text": ["x"] * 35}))
    os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_leaves_nothing_that_looks_whole(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert list(tmp_path.glob("*.partial"))
    assert not list(tmp_path.glob("*.parquet"))
    with pytest.raises(BrokenArtefact, match="half-made"):
        reader.count(tmp_path)


FULL = """
import resource, sys
import numpy, pyarrow as pa
from pathlib import Path
from sulan.documents.writer import Writer
from sulan.errors import SulanError
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
letters = numpy.random.default_rng(0).integers(97, 123, (100, 20_000), dtype=numpy.uint8)
texts = [row.tobytes().decode() for row in letters]
try:
    with Writer(Path(sys.argv[1]), group_rows=10) as made:
        made.write(pa.table({"id": [str(n) for n in range(100)], "text": texts}))
except SulanError as error:
    print(f"{error.exit_code} {error}")
"""


def test_a_full_disk_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(f"2 cannot write to {tmp_path}: ")
    assert "File too large" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@given(kept=st.lists(st.booleans(), min_size=50, max_size=50))
@settings(max_examples=30)
def test_filtered_keeps_the_same_by_ids_by_mask_and_by_function(
    tmp_path_factory: pytest.TempPathFactory, kept: list[bool]
) -> None:
    folder = tmp_path_factory.mktemp("filtered")
    with Writer(folder / "corpus", part_rows=20) as made:
        made.write(table(50))
    ids = [f"d{n}" for n, keep in enumerate(kept) if keep]
    writer.filtered(folder / "corpus", set(ids), folder / "ids")
    writer.filtered(folder / "corpus", pa.array(kept), folder / "mask")
    numbers = {f"d{n}": keep for n, keep in enumerate(kept)}
    writer.filtered(
        folder / "corpus",
        lambda batch: pa.array([numbers[name] for name in batch["id"].to_pylist()]),
        folder / "function",
    )
    found = reader.columns(folder / "ids", ["id", "text"])
    assert found.to_pylist() == [row for row, keep in zip(table(50).to_pylist(), kept, strict=True) if keep]
    assert digest(folder / "ids") == digest(folder / "mask") == digest(folder / "function")


def test_filtered_refuses_what_does_not_match(tmp_path: Path) -> None:
    writer.write([table(5)], tmp_path / "corpus")
    with pytest.raises(InputError, match=r"2 ids are not in .*, the first is d7"):
        writer.filtered(tmp_path / "corpus", ["d1", "d7", "d9"], tmp_path / "a")
    with pytest.raises(InputError, match="the mask has 4 values, the corpus 5 documents"):
        writer.filtered(tmp_path / "corpus", pa.array([True] * 4), tmp_path / "b")
    assert not list((tmp_path / "a").iterdir())


@given(order=st.permutations(range(20)), cut=st.integers(1, 20))
@settings(max_examples=30)
def test_scores_from_a_table_and_from_a_stream_are_the_same(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], cut: int
) -> None:
    folder = tmp_path_factory.mktemp("scored")
    with Writer(folder / "corpus", part_rows=6) as made:
        made.write(table(20))
    scores = pa.table({"id": [f"d{n}" for n in range(20)], "loss": pa.array(range(20), pa.float32())})
    writer.with_columns(folder / "corpus", scores.take(order), folder / "table")
    stream = (scores.slice(start, cut) for start in range(0, 20, cut))
    writer.with_columns(folder / "corpus", stream, folder / "stream")
    assert digest(folder / "table") == digest(folder / "stream")
    found = reader.columns(folder / "table", ["id", "text", "loss"])
    assert found.drop_columns(["loss"]).to_pylist() == table(20).to_pylist()
    assert found["loss"].to_pylist() == [float(n) for n in range(20)]


def test_scores_that_do_not_match_are_never_shifted(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    writer.write([table(3)], corpus)

    def scored(*ids: str) -> pa.Table:
        return pa.table({"id": list(ids), "loss": [0.5] * len(ids)})

    with pytest.raises(InputError, match="document 1 is d1, but its score is of d2"):
        writer.with_columns(corpus, [scored("d0", "d2", "d1")], tmp_path / "a")
    with pytest.raises(InputError, match="document 2 is d2, but its score is of missing"):
        writer.with_columns(corpus, [scored("d0"), scored("d1")], tmp_path / "b")
    with pytest.raises(InputError, match="more scores than the 3 documents"):
        writer.with_columns(corpus, [scored("d0", "d1", "d2", "d3")], tmp_path / "c")
    with pytest.raises(InputError, match="no score for the document d2"):
        writer.with_columns(corpus, scored("d0", "d1"), tmp_path / "d")
    with pytest.raises(InputError, match="1 scores are of no document, the first is of d7"):
        writer.with_columns(corpus, scored("d7", "d0", "d1", "d2"), tmp_path / "e")
    with pytest.raises(InputError, match="an id more than once"):
        writer.with_columns(corpus, scored("d0", "d0", "d1", "d2"), tmp_path / "f")
    assert not [path for name in "abcde" for path in (tmp_path / name).glob("*")]


def test_a_column_is_replaced_only_when_asked_and_text_never(tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    writer.write([table(2).append_column("loss", pa.array([1.0, 2.0]))], corpus)
    new = pa.table({"id": ["d0", "d1"], "loss": [3.0, 4.0]})
    with pytest.raises(InputError, match="already has a column loss"):
        writer.with_columns(corpus, new, tmp_path / "a")
    writer.with_columns(corpus, new, tmp_path / "b", replace=True)
    assert reader.columns(tmp_path / "b", ["loss"])["loss"].to_pylist() == [3.0, 4.0]
    with pytest.raises(InputError, match="already has a column text"):
        writer.with_columns(corpus, new.rename_columns(["id", "text"]), tmp_path / "c", replace=True)


def test_a_table_whose_text_exceeds_an_arrow_chunk_is_cut_into_groups(tmp_path: Path) -> None:
    rng = numpy.random.default_rng(0)
    texts = ["x" * int(size) for size in rng.integers(0, 300_000, 300)]  # 45 MB in one call
    with Writer(tmp_path) as made:
        made.write(pa.table({"id": [str(n) for n in range(300)], "text": texts}))
    metadata = pq.ParquetFile(tmp_path / "part-00000.parquet").metadata
    sizes = [metadata.row_group(n).column(1).total_uncompressed_size for n in range(metadata.num_row_groups)]
    assert len(sizes) > 1
    assert max(sizes) < writer.GROUP_BYTES + 400_000


@pytest.mark.parametrize("peer", ["polars", "duckdb", "datasets"])
def test_other_programs_open_what_we_write(tmp_path: Path, peer: str) -> None:
    library = pytest.importorskip(peer)
    rows = [
        {
            "id": f"d{n}",
            "text": "速览 " * n,
            "lang": None if n % 2 else "zh",
            "messages": [{"role": "user", "content": "hi"}] * (n % 3),
            "score": n / 2,
        }
        for n in range(50)
    ]
    with Writer(tmp_path / "corpus", part_rows=20) as made:
        made.write(pa.Table.from_pylist(rows, schema=SCHEMA))
    pattern = str(tmp_path / "corpus" / "*.parquet")
    if peer == "polars":
        found = library.read_parquet(pattern).to_dicts()
    elif peer == "duckdb":
        found = library.sql(f"select * from '{pattern}' order by score").to_arrow_table().to_pylist()
    else:
        found = library.load_dataset(
            "parquet", data_files=pattern, split="train", cache_dir=str(tmp_path / "cache")
        ).to_list()
    assert found == rows


@pytest.mark.xdist_group("memory")
def test_memory_is_flat_in_the_size_of_the_input(tmp_path: Path) -> None:
    small, large, bound = 32, 256, 112  # MB; a copy of the larger input would add 224
    for size in (small, large):
        peak("make", tmp_path, size)
    for stage in ("convert", "filtered", "with_columns"):
        growth = peak(stage, tmp_path, large) - peak(stage, tmp_path, small)
        assert growth < bound, f"{stage} took {growth} MB more for 8 times the input"

"""Reading: order, projection, damage, repeated ids."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.documents import reader, schema
from sulan.documents.writer import Writer
from sulan.errors import BrokenArtefact


def numbered(count: int) -> pa.Table:
    texts = [f"text {n} " * (n % 7) for n in range(count)]
    return pa.table({"id": [f"d{n}" for n in range(count)], "text": texts, "score": list(range(count))})


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """1,000 documents in four parts of three row groups."""
    with Writer(tmp_path / "corpus", part_rows=300, group_rows=100) as writer:
        writer.write(numbered(1000))
    return tmp_path / "corpus"


def test_order_counts_and_parts(corpus: Path) -> None:
    assert reader.count(corpus) == 1000
    assert [(path.name, rows) for path, rows in reader.part_rows(corpus).items()] == [
        ("part-00000.parquet", 300),
        ("part-00001.parquet", 300),
        ("part-00002.parquet", 300),
        ("part-00003.parquet", 100),
    ]
    assert reader.columns(corpus, ["score"])["score"].to_pylist() == list(range(1000))


def test_the_parts_read_alone_are_the_corpus(corpus: Path) -> None:
    alone = [batch for part in schema.parts(corpus) for batch in reader.part_batches(part, rows=64)]
    together = pa.Table.from_batches(list(reader.batches(corpus)))
    assert pa.Table.from_batches(alone).equals(together)
    assert together.equals(numbered(1000).cast(together.schema))


@pytest.mark.parametrize("rows", [1, 99, 100, 5000])
def test_no_batch_is_larger_than_asked_for(corpus: Path, rows: int) -> None:
    sizes = [len(batch) for batch in reader.batches(corpus, ["id"], rows=rows)]
    assert max(sizes) == min(rows, 100)  # a row group has 100
    assert sum(sizes) == 1000


def test_columns_come_in_the_order_asked_for(corpus: Path) -> None:
    assert next(reader.batches(corpus, ["score", "id"])).schema.names == ["score", "id"]


@pytest.mark.parametrize("keep", [0, 3, 100, -1])
def test_a_truncated_part_is_found_before_the_first_batch(corpus: Path, keep: int) -> None:
    last = corpus / "part-00003.parquet"
    last.write_bytes(last.read_bytes()[:keep])
    with pytest.raises(BrokenArtefact, match=r"part-00003\.parquet is damaged or cut off"):
        next(reader.batches(corpus))


def test_a_flipped_bit_is_an_error_and_not_a_changed_text(tmp_path: Path) -> None:
    with Writer(tmp_path) as writer:
        writer.write(pa.table({"id": ["a"], "text": ["".join(map(chr, range(33, 5000)))]}))
    part = tmp_path / "part-00000.parquet"
    whole = part.read_bytes()
    column = pq.ParquetFile(part).metadata.row_group(0).column(1)
    end = column.data_page_offset + column.total_compressed_size
    for place in range(end - 3000, end, 500):  # inside the compressed text
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(BrokenArtefact, match="damaged or cut off"):
            list(reader.batches(tmp_path))


def test_text_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    bad = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"id": ["a"], "text": bad}), tmp_path / "part-00000.parquet")
    with pytest.raises(BrokenArtefact, match="part-00000"):
        list(reader.batches(tmp_path))


@given(ids=st.lists(st.text(alphabet="abé", max_size=2), min_size=1, max_size=40))
def test_repeated_ids_are_counted_exactly(tmp_path_factory: pytest.TempPathFactory, ids: list[str]) -> None:
    corpus = tmp_path_factory.mktemp("corpus")
    with Writer(corpus, part_rows=7) as writer:
        writer.write(pa.table({"id": ids, "text": ids}))
    expected = {name: ids.count(name) for name in ids if ids.count(name) > 1}
    found = reader.duplicates(corpus)
    assert found == expected
    assert list(found) == [name for name in dict.fromkeys(ids) if name in expected]

"""What counts as a corpus, and what is said about a folder that is none."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sulan.documents import reader, schema, writer
from sulan.errors import BrokenArtefact, MissingColumn, MissingFile

DOCUMENTS = pa.table({"id": ["a", "b"], "text": ["one", "two"], "lang": ["en", None]})


def put(folder: Path, table: pa.Table, number: int = 0) -> Path:
    """Write a part as another program would."""
    folder.mkdir(exist_ok=True)
    pq.write_table(table, folder / schema.part_name(number))
    return folder


def test_types_of_other_writers_are_read_as_ours(tmp_path: Path) -> None:
    foreign = pa.table(
        {
            "id": pa.array(["a", "b"], pa.large_string()),
            "text": pa.array(["one", "two"], pa.string()),
            "lang": pa.array(["en", "en"]).dictionary_encode(),
            "score": pa.array([1, 2], pa.float32()),
        }
    )
    found = reader.columns(put(tmp_path / "corpus", foreign), ["id", "text", "lang", "score"])
    assert found.schema.types == [pa.string(), pa.large_string(), pa.string(), pa.float32()]
    assert found["text"].to_pylist() == ["one", "two"]


def test_messages_with_members_in_another_order_are_read(tmp_path: Path) -> None:
    said = [[{"content": "hello", "role": "user"}]]
    kind = pa.list_(pa.struct([("content", pa.string()), ("role", pa.string())]))
    table = pa.table({"id": ["a"], "text": ["hello"], "messages": pa.array(said, kind)})
    found = reader.columns(put(tmp_path / "corpus", table), ["messages"])
    assert found.schema.field("messages").type == schema.MESSAGES
    assert found["messages"].to_pylist() == said


def test_no_folder_and_no_part(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no corpus at"):
        reader.count(tmp_path / "nowhere")
    with pytest.raises(MissingFile, match=r"no part-00000\.parquet"):
        reader.count(tmp_path)


def test_a_lost_part_is_named(tmp_path: Path) -> None:
    for number in (0, 2):
        put(tmp_path, DOCUMENTS, number)
    with pytest.raises(BrokenArtefact, match=r"lacks part-00001\.parquet"):
        reader.count(tmp_path)


def test_a_half_made_corpus_is_refused(tmp_path: Path) -> None:
    put(tmp_path, DOCUMENTS)
    (tmp_path / "part-00001.parquet.partial").write_bytes(b"PAR1")
    with pytest.raises(BrokenArtefact, match="half-made"):
        reader.count(tmp_path)


@pytest.mark.parametrize("column", ["id", "text"])
def test_a_required_column_is_missing(tmp_path: Path, column: str) -> None:
    with pytest.raises(BrokenArtefact, match=f"has no column {column}") as caught:
        reader.schema(put(tmp_path, DOCUMENTS.drop_columns([column])))
    assert "convert" in caught.value.hint


def test_a_column_of_another_kind(tmp_path: Path) -> None:
    with pytest.raises(BrokenArtefact, match="column lang is int64"):
        reader.schema(put(tmp_path, DOCUMENTS.set_column(2, "lang", pa.array([1, 2]))))


def test_parts_that_differ(tmp_path: Path) -> None:
    put(tmp_path, DOCUMENTS)
    put(tmp_path, DOCUMENTS.drop_columns(["lang"]), 1)
    with pytest.raises(BrokenArtefact, match=r"part-00001\.parquet and .* differ in lang"):
        reader.schema(tmp_path)


@pytest.mark.parametrize("column", ["id", "text"])
def test_a_null_where_a_value_is_required(tmp_path: Path, column: str) -> None:
    place = DOCUMENTS.column_names.index(column)
    put(tmp_path, DOCUMENTS.set_column(place, column, pa.array(["x", None])))
    with pytest.raises(BrokenArtefact, match=f"1 documents without {column}"):
        reader.columns(tmp_path, [column])


def test_a_missing_column_says_how_to_make_it(tmp_path: Path) -> None:
    writer.write([DOCUMENTS], tmp_path)
    with pytest.raises(MissingColumn, match="no column perplexity; it has id, text, lang") as caught:
        reader.columns(tmp_path, ["perplexity"], hint="sulan prune score")
    assert caught.value.hint == "sulan prune score"
    assert caught.value.exit_code == 2

"""Converting: every record becomes a document or is counted; whatever the format, the same document."""

import bz2
import csv
import gzip
import io
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.documents import json_stream, reader, streams
from sulan.documents.convert import convert, text_id
from sulan.errors import BrokenArtefact, InputError, MissingFile

LINES = b'{"id": "a", "text": "one"}\n\n{"text": "two", "other": 1}\n{"id": 3, "text": "three"}\n'
DOCUMENTS = [
    {"id": "a", "text": "one"},
    {"id": text_id("two"), "text": "two"},
    {"id": "3", "text": "three"},
]
BROKEN = (
    b'{"text": "good"}\n'
    b'{"text": "cut off\n'
    b'["not an object"]\n'
    b'{"id": "without text"}\n'
    b'{"text": 5}\n'
    b'{"text": "lone \\ud800 surrogate"}\n'
    b'{"text": "not utf-8: \xe9"}\n'
    b'{"text": "also good"}\n'
)


def read(corpus: Path) -> list[dict]:
    return reader.columns(corpus, reader.schema(corpus).names).to_pylist()


def converted(folder: Path, name: str, data: bytes, **options: object) -> list[dict]:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)
    convert(folder / name, folder / f"{name}.corpus", **options)  # type: ignore[arg-type]
    return read(folder / f"{name}.corpus")


@pytest.mark.parametrize(
    ("ending", "compress"),
    [
        ("", bytes),
        (".gz", gzip.compress),
        (".bz2", bz2.compress),
        (".zst", zstandard.compress),
        (".gz", lambda data: gzip.compress(data[:40]) + gzip.compress(data[40:])),
        (".zst", lambda data: zstandard.compress(data[:40]) + zstandard.compress(data[40:])),
        ("", gzip.compress),  # told by the content, not by the name
    ],
)
def test_compressions(tmp_path: Path, ending: str, compress: Callable[[bytes], bytes]) -> None:
    assert converted(tmp_path, f"x.jsonl{ending}", compress(LINES)) == DOCUMENTS


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.jsonl", b"\xef\xbb\xbf" + LINES),
        ("x.jsonl", LINES.replace(b"\n", b"\r\n")),
        ("x.json", LINES),
        ("x.json", b'[{"id":"a","text":"one"},\n {"text":"two"} , {"id":3,"text":"three"}]\n'),
        ("x.json", b'{"id":"a",\n"text":"one"}\n{"text":\n"two"}{"id":3,"text":"three"}'),
        ("x.csv", b'id,text\na,one\n,two\n3,"three"\n'),
        ("x.tsv", b"id\ttext\na\tone\n\ttwo\n3\tthree"),
    ],
)
def test_formats_give_the_same_documents(tmp_path: Path, name: str, data: bytes) -> None:
    assert converted(tmp_path, name, data) == DOCUMENTS


def test_foreign_parquet(tmp_path: Path) -> None:
    table = pa.table({"doc": [1, None, 3], "content": ["one", "two", "three"], "vector": [[0.5]] * 3})
    pq.write_table(table, tmp_path / "train-00000.parquet")
    convert(tmp_path / "train-00000.parquet", tmp_path / "corpus", columns={"id": "doc"})
    assert [row["id"] for row in read(tmp_path / "corpus")] == ["1", text_id("two"), "3"]
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "train-00000.parquet").read_bytes()[:-1])
    with pytest.raises(BrokenArtefact, match="not a whole Parquet file"):
        convert(tmp_path / "cut.parquet", tmp_path / "other")


def test_plain_text_by_file_and_by_paragraph(tmp_path: Path) -> None:
    text = "Première ligne\nsecond\n\n\n  \nthird\r\n".encode()
    assert [row["text"] for row in converted(tmp_path, "whole.txt", text)] == [text.decode()]
    rows = converted(tmp_path, "pieces.txt", text, paragraphs=True)
    assert [row["text"] for row in rows] == ["Première ligne\nsecond", "third"]
    assert {row["source"] for row in rows} == {"pieces.txt"}


def test_folders_in_the_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.jsonl", "a/z.jsonl.gz", "a.txt", "c.csv", ".hidden.jsonl", "notes.pdf"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        line = b"text\n" + name.encode() if name.endswith("csv") else b'{"text": "%s"}' % name.encode()
        path.write_bytes(gzip.compress(line) if name.endswith("gz") else line)
    done = convert(tmp_path / "in", tmp_path / "corpus")
    assert done.files == 4
    found = [row["text"] for row in read(tmp_path / "corpus")]
    assert found == ['{"text": "a.txt"}', "a/z.jsonl.gz", "b.jsonl", "c.csv"]


def test_standard_input(tmp_path: Path) -> None:
    convert(streams.STDIN, tmp_path / "corpus", stdin=io.BytesIO(gzip.compress(LINES)))
    assert read(tmp_path / "corpus") == DOCUMENTS


def test_columns_are_mapped_and_typed(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps(record).encode() + b"\n"
        for record in (
            {"key": 7, "body": "x", "lang": "en", "stars": 3, "rate": 1.5, "ok": True, "meta": {"a": 1}},
            {"key": 8, "body": "y", "lang": None, "rate": 2},
        )
    )
    columns = {"id": "key", "stars": "stars", "rate": "rate", "ok": "ok"}
    assert converted(tmp_path, "x.jsonl", lines, columns=columns) == [
        {"id": "7", "text": "x", "stars": 3, "rate": 1.5, "ok": True, "lang": "en"},
        {"id": "8", "text": "y", "stars": None, "rate": 2.0, "ok": None, "lang": None},
    ]


def test_chats_are_read_plainly(tmp_path: Path) -> None:
    said = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "Because.", "weight": 1}]
    (row,) = converted(tmp_path, "x.jsonl", json.dumps({"messages": said}).encode())
    assert row["text"] == "Why?\n\nBecause."
    assert row["messages"] == [{"role": m["role"], "content": m["content"]} for m in said]


def test_the_first_broken_record_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^x\.jsonl:2: broken JSON at column 10: Unterminated") as caught:
        converted(tmp_path, "x.jsonl", BROKEN)
    assert "skip" in caught.value.hint
    assert not list((tmp_path / "x.jsonl.corpus").glob("*"))  # nothing half-made


def test_broken_records_are_counted_and_add_up(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(BROKEN)
    done = convert(tmp_path / "x.jsonl", tmp_path / "corpus", errors="skip")
    assert done.skipped == {
        "broken JSON": 1,
        "encoding": 2,
        "no text": 1,
        "not an object": 1,
        "wrong type": 1,
    }
    assert done.documents + sum(done.skipped.values()) == 8
    assert [message.partition(": ")[0] for message in done.problems] == [f"x.jsonl:{n}" for n in range(2, 8)]
    assert [row["text"] for row in read(tmp_path / "corpus")] == ["good", "also good"]


def test_bytes_that_are_not_utf8_can_be_replaced(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(BROKEN)
    done = convert(tmp_path / "x.jsonl", tmp_path / "corpus", errors="replace")
    assert done.repaired == 2
    assert [row["text"] for row in read(tmp_path / "corpus")] == [
        "good",
        "lone \ufffd surrogate",
        "not utf-8: \ufffd",
        "also good",
    ]


def test_too_many_broken_records_end_it(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"more than 20 records cannot be read; the first: x\.jsonl:2: broken"
    ):
        converted(tmp_path, "x.jsonl", b'{"text": "a"}\n' + b"<html>\n" * 50, errors="skip", max_errors=20)


def test_a_line_that_is_too_long_costs_itself_alone(tmp_path: Path) -> None:
    data = LINES + b'{"text": "' + b"x" * 5_000_000 + b'"}\n' + LINES
    (tmp_path / "x.jsonl").write_bytes(data)
    done = convert(tmp_path / "x.jsonl", tmp_path / "corpus", errors="skip", max_document=1000)
    assert done.skipped == {"too long": 1}
    assert done.problems == ("x.jsonl:5: a line of more than 1000 bytes",)
    assert [row["text"] for row in read(tmp_path / "corpus")] == ["one", "two", "three"] * 2


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, zstandard.compress])
def test_a_truncated_file_is_never_a_shorter_one(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    data = compress(b"".join(b'{"text": "document %d"}\n' % n for n in range(200_000)))[:-20]
    with pytest.raises(BrokenArtefact, match=r"^x\.jsonl is damaged or cut off"):
        converted(tmp_path, "x.jsonl", data)
    done = convert(tmp_path / "x.jsonl", tmp_path / "corpus", errors="skip")
    assert done.skipped == {"damaged file": 1}
    assert [row["text"] for row in read(tmp_path / "corpus")[:2]] == ["document 0", "document 1"]
    assert done.documents < 200_000


def test_nothing_cut_off_is_taken_for_whole(tmp_path: Path) -> None:
    text = "".join(f"line {n} of a paragraph\nwhich goes on\n\n" for n in range(100_000))
    data = gzip.compress(text.encode())[:-2000]
    rows = converted(tmp_path, "x.txt", data, paragraphs=True, errors="skip")
    assert 0 < len(rows) < 100_000
    assert {row["text"].partition("\n")[2] for row in rows} == {"which goes on"}
    with pytest.raises(InputError, match="no document"):
        converted(tmp_path, "whole.txt", data, errors="skip")


@pytest.mark.parametrize("compress", [bz2.compress, zstandard.compress])
def test_a_decompression_bomb_is_stopped(tmp_path: Path, compress: Callable[[bytes], bytes]) -> None:
    (tmp_path / "x.txt").write_bytes(compress(bytes(100 << 20)))
    with pytest.raises(InputError, match="a decompression bomb"):
        convert(tmp_path / "x.txt", tmp_path / "corpus", max_document=1 << 30)


def test_hostile_json_costs_its_line(tmp_path: Path) -> None:
    lines = (
        b'{"text": "a"}\n{"text": ' + b"[" * 200_000 + b"\n" + b'{"text": "b", "n": ' + b"9" * 9_000 + b"}\n"
    )
    rows = converted(tmp_path, "x.jsonl", lines, errors="skip")
    assert [row["text"] for row in rows] in (["a"], ["a", "b"])  # the number is in a field that is not read


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b'[{"text": "a"}, {"text": ', r"x\.json: line 1: broken JSON"),
        (b'[{"text": "a"}\n', r"x\.json: line 2: the array is not closed"),
        (b'[{"text": "a"}\n{"text": "b"}]', r"x\.json: line 2: an array element is followed by '\{'"),
        (b'[{"text": "a"}] more', r"x\.json: line 1: something follows the end of the array"),
        (b"[1]", r"no document in x\.json|x\.json:1: a JSON number"),
    ],
)
def test_a_broken_array_says_where(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        converted(tmp_path, "x.json", data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"id,text\n1,a\n2\n", r"x\.csv:3: 1 fields, the header has 2"),
        (b'id,text\n1,"a" b\n', r"x\.csv:2: broken csv"),
        (b'id,text\n1,"a\n2,b\n', r"x\.csv:2: broken csv: unexpected end of data"),
    ],
)
def test_a_broken_table_says_where(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message):
        converted(tmp_path, "x.csv", data)


def test_what_cannot_be_converted_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no file or folder at"):
        convert(tmp_path / "nowhere", tmp_path / "corpus")
    with pytest.raises(InputError, match=r"cannot be told from its name") as caught:
        converted(tmp_path, "x.dat", LINES)
    assert ".jsonl" in caught.value.hint
    with pytest.raises(InputError, match=r"no document in empty\.jsonl"):
        converted(tmp_path, "empty.jsonl", b"\n\n")
    with pytest.raises(InputError, match=r"has no field text, content, body; it has title"):
        converted(tmp_path, "other.jsonl", b'{"title": "x"}')
    with pytest.raises(InputError, match=r"has no field nope; it has text"):
        converted(tmp_path, "named.jsonl", b'{"text": "x"}', columns={"text": "nope"})


JSON_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
RECORD = st.fixed_dictionaries(
    {"text": JSON_TEXT},
    optional={
        "id": JSON_TEXT | st.integers(-(2**62), 2**62),
        "lang": st.none() | JSON_TEXT,
        "other": st.integers(),
    },
)


@given(
    records=st.lists(RECORD, min_size=1, max_size=20),
    ascii=st.booleans(),
    spare=st.sampled_from(["", "\n", " \r\n"]),
)
@settings(max_examples=150)
def test_the_fast_parser_and_the_careful_one_agree(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict], ascii: bool, spare: str
) -> None:
    folder = tmp_path_factory.mktemp("agree")
    lines = "\n".join(json.dumps(record, ensure_ascii=ascii) + spare for record in records)
    rows = converted(folder, "x.jsonl", lines.encode())
    array = converted(folder, "x.json", json.dumps(records).encode())  # never goes through pyarrow's parser
    assert rows == array
    assert [row["text"] for row in rows] == [record["text"] for record in records]
    given_ids = [record.get("id") for record in records]
    made = [text_id(record["text"]) for record in records]
    wanted = [new if old in (None, "") else str(old) for old, new in zip(given_ids, made, strict=True)]
    assert [row["id"] for row in rows] == wanted


@given(
    rows=st.lists(
        st.tuples(JSON_TEXT, JSON_TEXT).filter(lambda row: "\x00" not in "".join(row)), min_size=1, max_size=9
    )
)
def test_csv_as_the_standard_library_writes_it(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str]]
) -> None:
    written = io.StringIO()
    csv.writer(written).writerows([("text", "title"), *(("." + text, title) for text, title in rows)])
    found = converted(tmp_path_factory.mktemp("csv"), "x.csv", written.getvalue().encode())
    assert [(row["text"][1:], row.get("title") or "") for row in found] == rows


@given(
    data=st.lists(st.sampled_from([b"a", b"bb", b"\n", b"ccccc", b"\r"]), max_size=30).map(b"".join),
    cuts=st.lists(st.integers(0, 60), max_size=6),
    block=st.integers(1, 20),
    longest=st.integers(1, 8),
)
def test_blocks_are_the_lines_of_the_file(data: bytes, cuts: list[int], block: int, longest: int) -> None:
    edges = sorted({0, *(min(cut, len(data)) for cut in cuts), len(data)})
    chunks = [data[a:b] for a, b in itertools.pairwise(edges)]
    too_long: list[int] = []
    found: dict[int, bytes] = {}
    for first, piece in streams.blocks(chunks, max_line=longest, too_long=too_long.append, block=block):
        found |= dict(enumerate(piece.removesuffix(b"\n").split(b"\n"), first))
    lines = dict(enumerate(data.removesuffix(b"\n").split(b"\n"), 1)) if data else {}
    assert found == {number: line for number, line in lines.items() if len(line) <= longest}
    assert too_long == [number for number, line in lines.items() if len(line) > longest]


@given(
    values=st.lists(
        st.recursive(st.none() | st.integers() | st.text(), st.lists, max_leaves=5).map(lambda v: {"": v})
    ),
    cut=st.integers(1, 9),
    indent=st.sampled_from([None, 1]),
)
def test_an_array_in_any_pieces(values: list[dict], cut: int, indent: int | None) -> None:
    text = json.dumps(values, indent=indent)
    pieces = [text[start : start + cut] for start in range(0, len(text), cut)]
    assert [value for _, value in json_stream.values(pieces, limit=10_000)] == values


def test_ids_of_texts_do_not_depend_on_order_or_sharding(tmp_path: Path) -> None:
    lines = [json.dumps({"text": f"text {n}"}) for n in range(50)]
    for name, part in (("all", lines), ("back", lines[::-1]), ("half", lines[25:])):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(part))
        convert(tmp_path / f"{name}.jsonl", tmp_path / name)
    ids = {row["text"]: row["id"] for row in read(tmp_path / "all")}
    assert len(set(ids.values())) == 50
    assert {row["text"]: row["id"] for row in read(tmp_path / "back")} == ids
    assert all(ids[row["text"]] == row["id"] for row in read(tmp_path / "half"))


def test_the_real_papers_become_a_corpus(tmp_path: Path, shared: Path) -> None:
    papers = json.loads((shared / "data" / "daily_papers_2023-09-12.json").read_text())
    (tmp_path / "papers.jsonl").write_text("\n".join(json.dumps(entry["paper"]) for entry in papers))
    convert(tmp_path / "papers.jsonl", tmp_path / "corpus", columns={"text": "summary"})
    found = read(tmp_path / "corpus")
    assert [(row["id"], row["text"], row["title"]) for row in found] == [
        (entry["paper"]["id"], entry["paper"]["summary"], entry["paper"]["title"]) for entry in papers
    ]

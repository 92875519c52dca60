"""`corpus extract`: what is wrong with a record costs that record, is counted, and nothing else is lost."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from corpus import small
from sulan import corpus
from sulan.corpus import sources
from sulan.corpus.charsets import clean, decode
from sulan.documents import reader
from sulan.errors import InputError, MissingFile
from sulan.runs import fingerprints

GOOD = [small.record(f"http://x/{number}", small.page(f"This is page {number}.")) for number in range(4)]


def extracted(
    tmp_path: Path, data: bytes, name: str = "a.warc.gz", **more: Any
) -> tuple[dict[str, Any], list[str]]:
    (tmp_path / name).write_bytes(data)
    report = corpus.extract((tmp_path / name,), out=tmp_path / "out", workers=1, **more)
    texts = reader.columns(tmp_path / "out", ["text"])["text"].to_pylist()
    dropped: dict[str, Any] = {str(row[0]): row[1] for row in report.tables[0].rows}
    assert report.summary["records"] == len(texts) + sum(dropped.values())
    return dropped, texts


def bad_archives() -> dict[str, tuple[bytes, dict[str, int], list[int]]]:
    flipped = bytearray(GOOD[1])
    flipped[60] ^= 0xFF
    return {
        "truncated": (b"".join(GOOD)[:-40], {"damaged record": 1}, [0, 1, 2]),
        "flipped": (GOOD[0] + bytes(flipped) + GOOD[2] + GOOD[3], {"damaged record": 1}, [0, 2, 3]),
        "too long by far": (
            GOOD[0]
            + small.record("http://x/1", small.page("This is page 1."), extra=10**6)
            + GOOD[2]
            + GOOD[3],
            {"damaged record": 1},
            [0, 2, 3],
        ),
    }


@pytest.mark.parametrize("name", bad_archives())
def test_damage_costs_one_record(tmp_path: Path, name: str) -> None:
    data, reasons, kept = bad_archives()[name]
    dropped, texts = extracted(tmp_path, data)
    assert dropped == reasons
    assert texts == [f"This is page {number}." for number in kept]


def test_a_wrong_length_loses_no_other_record(tmp_path: Path) -> None:
    wrong = small.record("http://x/1", small.page("This is page 1."), extra=30)
    _, texts = extracted(tmp_path, GOOD[0] + wrong + GOOD[2] + GOOD[3])
    assert [text for text in texts if "page 1" not in text] == [
        f"This is page {number}." for number in (0, 2, 3)
    ]


def test_poison_large_empty_and_foreign_records_are_counted(tmp_path: Path) -> None:
    data = [
        GOOD[0],
        small.record("http://x/deep", b"<div>" * 200_000),
        small.record("http://x/large", b"x" * 3_000_000),
        small.record("http://x/empty", b"<p> </p>"),
        small.record("http://x/image", b"GIF89a", mime="image/gif"),
        small.record("http://x/missing", b"<p>not found</p>", status=404),
        GOOD[1],
    ]
    dropped, texts = extracted(tmp_path, b"".join(data), seconds=0.3, max_bytes=2_000_000)
    assert texts == ["This is page 0.", "This is page 1."]
    assert dropped.pop("not a page (status or media type)") == 2
    assert dropped.pop("larger than max_bytes") == dropped.pop("no text") == 1
    assert set(dropped) <= {"took too much time", "crashed the parser"}
    assert sum(dropped.values()) == 1


def test_json_lines_with_surrogates_nuls_long_and_broken_lines(tmp_path: Path) -> None:
    lines = [
        json.dumps({"id": "a", "text": "one\x00 two", "lang": "fr"}),
        '{"id": "b", "text": "half \\ud83d of it"}',
        json.dumps({"id": "c", "text": "x" * 100_000}),
        "{broken",
        json.dumps({"id": "d", "text": ""}),
    ]
    dropped, texts = extracted(tmp_path, "\n".join(lines).encode(), name="a.jsonl", max_bytes=50_000)
    assert texts == ["one two", "half \ufffd of it"]
    assert dropped == {"broken line": 2, "no text": 1}
    assert reader.columns(tmp_path / "out", ["id", "label"]).to_pydict() == {
        "id": ["a", "b"],
        "label": ["fr", None],
    }


@pytest.mark.parametrize(
    ("text", "charset", "declared"),
    [
        ("Größe und Übung, nichts weiter", "utf-8", "iso-8859-1"),
        ("Большое спасибо, до свидания", "windows-1251", "utf-8"),
        ("Большое спасибо, до свидания", "windows-1251", "iso-8859-1"),
        ("Ça a été réglé à la fête", "iso-8859-1", "iso-8859-1"),
        ("日本語の文章です。これは試験です。", "shift_jis", "shift_jis"),
        ("日本語の文章です。これは試験です。", "euc-jp", "utf-8"),
        ("grüße" * 10, "utf-16-le", "utf-8"),
    ],
)
def test_charsets_are_believed_as_far_as_the_bytes_agree(text: str, charset: str, declared: str) -> None:
    body = text.encode(charset)
    if charset == "utf-16-le":
        body = b"\xff\xfe" + body
    assert decode(body, declared)[0] == text


def test_damaged_utf8_stays_utf8() -> None:
    body = ("Größe " * 20).encode() + b"\xff" + ("Übung " * 20).encode()[:-2]
    text, charset = decode(body, "windows-1252")
    assert charset == "utf-8"
    assert text.count("\ufffd") == 1


def test_cleaning_is_idempotent() -> None:
    said = " a\x00\u00a0\t b \r\n \n\n\n c\ufeff\x85 "
    assert clean(clean(said)) == clean(said) == "a b\n\nc"


def test_units_divide_a_file_at_records_and_lose_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "UNIT_BYTES", 300)
    records = [
        small.record(f"http://x/{number}", small.page(f"This is page {number}.")) for number in range(12)
    ]
    (tmp_path / "a.warc.gz").write_bytes(b"".join(records))
    units = sources.units([tmp_path / "a.warc.gz"])
    assert len(units) > 2
    prints = set()
    for workers in (1, 3):
        report = corpus.extract((tmp_path / "a.warc.gz",), out=tmp_path / f"out-{workers}", workers=workers)
        assert report.summary["documents"] == 12
        prints.add(fingerprints.path(tmp_path / f"out-{workers}"))
    assert len(prints) == 1


def test_folders_of_html_plain_warc_and_wet(tmp_path: Path) -> None:
    (tmp_path / "in" / "de").mkdir(parents=True)
    (tmp_path / "in" / "de" / "a.html").write_bytes(small.page("Eine Seite."))
    (tmp_path / "in" / "b.warc").write_bytes(b"".join(map(gzip.decompress, GOOD)))
    wet = gzip.decompress(small.record("http://x/wet", b"")).replace(b"response\r\n", b"conversion\r\n", 1)
    head, _, _ = wet.partition(b"Content-Type")
    said = b"Nur Text."
    (tmp_path / "in" / "c.wet").write_bytes(
        head
        + f"Content-Type: text/plain\r\nContent-Length: {len(said)}\r\n\r\n".encode()
        + said
        + b"\r\n\r\n"
    )
    corpus.extract((tmp_path / "in",), out=tmp_path / "out", label="^([a-z]{2})/", workers=1)
    rows = reader.columns(tmp_path / "out", ["text", "label"]).to_pydict()
    assert rows["text"] == ["Eine Seite.", *(f"This is page {n}." for n in range(4)), "Nur Text."]
    assert rows["label"] == ["de", None, None, None, None, None]


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xyz").write_text("?")
    with pytest.raises(InputError, match="cannot be told"):
        corpus.extract((tmp_path / "a.xyz",), out=tmp_path / "out")
    with pytest.raises(MissingFile, match="nowhere"):
        corpus.extract((tmp_path / "nowhere",), out=tmp_path / "out")
    with pytest.raises(InputError, match="no group"):
        corpus.extract((tmp_path / "a.xyz",), out=tmp_path / "out", label="abc")


def test_a_full_disk_costs_one_line(tmp_path: Path) -> None:
    noise = os.urandom(3_000_000).hex()
    (tmp_path / "a.jsonl").write_text(json.dumps({"text": noise}) + "\n")
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20));"
        "from sulan import cli; sys.exit(cli.run(sys.argv[1:]))"
    )
    words = ["corpus", "extract", str(tmp_path / "a.jsonl"), "--out", str(tmp_path / "out"), "--workers", "1"]
    done = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert done.returncode in (2, 3)
    assert "cannot write" in done.stderr.splitlines()[-2]
    assert not (tmp_path / "out").exists()

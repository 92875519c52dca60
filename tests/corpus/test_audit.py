"""The audit: folders whose language is wrong are found and dropped; labels, kappa and verdicts; the page."""

import csv
import re
from pathlib import Path

import pyarrow as pa
import pytest

from corpus import small
from sulan import corpus
from sulan.corpus import audits
from sulan.corpus.audits import LabelRow
from sulan.corpus.samples import sentence
from sulan.documents import reader
from sulan.errors import InputError


def labelled(folder: Path) -> Path:
    """Ten pages a folder: fr holds eight English ones, de two, es none."""
    rows = []
    for label, english in (("de", 2), ("es", 0), ("fr", 8)):
        for number in range(10):
            lang = "en" if number < english else label
            said = " ".join(sentence(lang, 40 * number + step) for step in range(6))
            rows.append({"id": f"{label}-{number}", "text": said, "label": label, "lang": lang})
    schema = pa.schema(
        [("id", pa.string()), ("text", pa.large_string()), ("label", pa.string()), ("lang", pa.string())]
    )
    return small.written(folder, pa.Table.from_pylist(rows, schema), parts=2)


def test_wrong_folders_are_dropped_and_right_ones_keep_their_own(tmp_path: Path) -> None:
    source = labelled(tmp_path / "in")
    corpus.audit_sample(source, out=tmp_path / "sample", by="label", documents=8)
    names = []
    for judge in ("cld2", "fasttext"):
        corpus.audit_label(tmp_path / "sample", out=tmp_path / judge, judge=judge, by="label")
        names.append(tmp_path / judge)
    report = corpus.audit_report(tuple(names), corpus=source, out=tmp_path / "verdicts", by="label", fewest=5)
    found = {row[0]: row[1] for row in report.tables[0].rows}
    assert found == {"de": "keep", "es": "keep", "fr": "drop"}
    (agreement,) = report.tables[2].rows
    assert agreement[2:] == (24, 1.0)
    done = corpus.audit_apply(
        source, verdicts=tmp_path / "verdicts", out=tmp_path / "out", by="label", workers=1
    )
    assert (done.summary["documents"], done.summary["kept"]) == (30, 18)
    rows = reader.columns(tmp_path / "out", ["label", "lang"]).to_pydict()
    assert rows["label"] == rows["lang"]
    card = (tmp_path / "out" / "README.md").read_text()
    assert card.startswith("---\nlanguage:\n- de\n- es\n")
    assert "- fr: drop" in card


def test_verdicts_rename_merge_and_want_somebody_to_look(tmp_path: Path) -> None:
    def labels(language: str, label: str, to: str = "", count: int = 4) -> list[LabelRow]:
        return [LabelRow(id=f"{language}{n}", language=language, label=label, to=to) for n in range(count)]

    rows = (
        labels("aa", "remap", "bb")
        + labels("cc", "remap", "dd")
        + labels("ee", "porn")
        + labels("bb", "bible")
    )
    counts = {"aa": 30, "bb": 30, "cc": 30, "ee": 30, "ff": 30, "gg": 20}
    found = {
        row.language: (row.verdict, row.to) for row in audits.verdicts(rows, counts, noise=0.5, fewest=20)
    }
    assert found == {
        "aa": ("merge", "bb"),
        "bb": ("keep", ""),
        "cc": ("rename", "dd"),
        "ee": ("drop", ""),
        "ff": ("drop", ""),
        "gg": ("drop", ""),
    }
    source = labelled(tmp_path / "in")
    (tmp_path / "v.csv").write_text("language,verdict,to\nde,merge,es\nes,keep,\nfr,rename,en\n")
    corpus.audit_apply(source, verdicts=tmp_path / "v.csv", out=tmp_path / "out", by="label", workers=1)
    rows_ = reader.columns(tmp_path / "out", ["label", "lang"]).to_pydict()
    assert set(zip(rows_["label"], rows_["lang"], strict=True)) == {("es", "es"), ("en", "en")}


def test_people_fill_in_a_file(tmp_path: Path) -> None:
    corpus.audit_sample(labelled(tmp_path / "in"), out=tmp_path / "sample", by="label", documents=2, round=2)
    path = tmp_path / "sample" / "labels.csv"
    rows = list(csv.DictReader(path.open()))
    assert len(rows) == 6
    assert {row["round"] for row in rows} == {"2"}
    filled = path.read_text().replace("de,,", "de,Noisy,", 1)
    (tmp_path / "mine.csv").write_text(filled)
    report = corpus.audit_label(
        tmp_path / "sample", out=tmp_path / "out", labels=tmp_path / "mine.csv", auditor="me"
    )
    assert (report.summary["labelled"], report.summary["noisy"]) == (1, 1)
    (tmp_path / "bad.csv").write_text("id,language,label\nde-1,de,lovely\n")
    with pytest.raises(InputError, match=r"bad\.csv:2: no label 'lovely'"):
        corpus.audit_label(tmp_path / "sample", out=tmp_path / "no", labels=tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("id,language,label\nnobody,de,ok\n")
    with pytest.raises(InputError, match="labels nobody"):
        corpus.audit_label(tmp_path / "sample", out=tmp_path / "no", labels=tmp_path / "bad.csv")
    with pytest.raises(InputError, match="either labels or a judge"):
        corpus.audit_label(tmp_path / "sample", out=tmp_path / "no")
    (tmp_path / "v.csv").write_text("language,verdict\nde,rename\n")
    with pytest.raises(InputError, match="rename needs a language"):
        audits.read_verdicts(tmp_path / "v.csv")


def test_two_rounds_draw_other_documents(tmp_path: Path) -> None:
    source = labelled(tmp_path / "in")
    drawn = []
    for number in (1, 2):
        corpus.audit_sample(source, out=tmp_path / str(number), by="label", documents=3, round=number)
        drawn.append(set(reader.columns(tmp_path / str(number), ["id"])["id"].to_pylist()))
    assert drawn[0] != drawn[1]


def test_the_page_escapes_what_it_shows_and_runs_its_own_script_alone(tmp_path: Path) -> None:
    hostile = "</pre><script>alert(1)</script><img src=x onerror=alert(2)>"
    source = small.identified(tmp_path / "in", [hostile], ids=['"><script>'])
    corpus.audit_sample(source, out=tmp_path / "out")
    page = (tmp_path / "out" / "label.html").read_text()
    assert page.count("<script>") == 1
    assert "<img" not in page
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", page)
    assert "default-src 'none'" in page

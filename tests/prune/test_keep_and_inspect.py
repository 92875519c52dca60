"""`prune keep` and `prune inspect`: what is kept, what is said about it, and pages that are safe to open."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from prune import small
from sulan import prune
from sulan.documents import reader
from sulan.errors import MissingColumn
from sulan.prune import built_in, provenance
from sulan.prune.percentiles import examples, percentiles
from sulan.prune.selection import select


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    scores = generator.lognormal(size=200)
    texts = [f"<script>alert({i})</script>\n{'x' * 500}" for i in range(200)]
    return small.corpus(
        tmp_path / "in",
        texts,
        parts=3,
        columns={
            "source": (["web"] * 150) + (["books"] * 50),
            "n_tokens": pa.array(generator.integers(1, 50, size=200), pa.int64()),
            "perplexity": pa.array([*scores[:-1], None], pa.float64()),
            "early_el2n": pa.array(1 / (1 + scores), pa.float64()),
        },
    )


def test_what_is_kept_is_unchanged_in_order_and_counted(corpus: Path, tmp_path: Path) -> None:
    provenance.write({"": {"model": "somewhere"}}, corpus)
    report = prune.keep(corpus, out=tmp_path / "out", by="source")
    assert report.summary["documents"] == 200
    assert report.summary["without a score"] == 1
    assert report.summary["kept"] == 75 + 24  # floor of half of 150, and of the 49 that have a score
    before = reader.columns(corpus, reader.schema(corpus).names).to_pylist()
    after = reader.columns(tmp_path / "out", reader.schema(corpus).names).to_pylist()
    kept = {row["id"] for row in after}
    assert after == [row for row in before if row["id"] in kept]
    strata, overlap = report.tables
    assert [row[0] for row in strata.rows] == ["books", "web"]
    for row in strata.rows:
        scores = [each["perplexity"] for each in after if each["source"] == row[0]]
        assert (row[4], row[5]) == (min(scores), max(scores))
        assert row[6] == sum(each["n_tokens"] for each in after if each["source"] == row[0])
    # EL2N falls as perplexity rises here, so the middle by one is the middle by the other.
    (row,) = overlap.rows
    assert row[:2] == ("early_el2n", 75 + 25)
    common = sum(row["id"] in kept for row in before if row["id"] in _middle(before))
    assert row[2:] == (common, common / 99, common / (99 + 100 - common))
    assert common > 90
    assert provenance.read(tmp_path / "out") == {"": {"model": "somewhere"}}
    assert json.loads((tmp_path / "out" / "run.json").read_text())["status"] == "complete"


def _middle(rows: list[dict[str, Any]]) -> set[str]:
    """The ids of the middle half by early EL2N, of each source."""
    found: set[str] = set()
    for source in ("web", "books"):
        order = sorted((row for row in rows if row["source"] == source), key=lambda row: row["early_el2n"])
        start = (len(order) - len(order) // 2) // 2
        found |= {row["id"] for row in order[start : start + len(order) // 2]}
    return found


def test_a_column_that_is_missing_names_the_command(corpus: Path, tmp_path: Path) -> None:
    for verb in (prune.keep, prune.inspect):
        with pytest.raises(MissingColumn, match="has no column memorization") as error:
            verb(corpus, metric="memorization", out=tmp_path / "out")
        assert error.value.hint.startswith("sulan prune score")
    assert not (tmp_path / "out").exists()


def test_the_page_escapes_and_cuts_texts(corpus: Path, tmp_path: Path) -> None:
    report = prune.inspect(corpus, out=tmp_path / "out", by="source")
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert "x" * 301 not in page
    assert page.count("<svg") == 2
    titles = [table.title for table in report.tables]
    assert titles[0].startswith("What would be removed by perplexity")
    assert "Rank correlation (Spearman)" in titles
    correlations = report.tables[-1].rows
    assert correlations[0][2] == pytest.approx(-1)
    assert [(row[1], row[3]) for row in report.tables[0].rows] == [(50, 21), (150, 80)]
    assert report.summary["removed"] == 101


def test_percentiles_and_their_documents_are_exact(corpus: Path) -> None:
    rows = reader.columns(corpus, ["id", "perplexity", "source"]).to_pylist()
    at = (0.0, 10.0, 50.0, 100.0)
    found = percentiles(corpus, metric="perplexity", by="source", at=at)
    for source in ("web", "books"):
        scores = sorted(r["perplexity"] for r in rows if r["source"] == source and r["perplexity"])
        count, places = found[source]
        assert count == len(scores)
        from sulan.prune.order_statistics import score

        assert [score(p.score) for p in places] == [scores[int(a / 100 * (count - 1))] for a in at]
    whole = percentiles(corpus, metric="perplexity", by=None, at=at)[""][1]
    choice = select(corpus, metric="perplexity", fraction=0.5, side="top")
    seen = examples(corpus, choice, dict(zip(at, whole, strict=True)), characters=8)
    assert [each.percentile for each in seen] == list(at)
    assert [each.kept for each in seen] == [False, False, False, True]
    assert {each.text for each in seen} == {"<script>"}
    by_id = {row["id"]: row["perplexity"] for row in rows}
    assert all(by_id[each.id] == each.score for each in seen)


def test_the_built_in_corpus_has_texts_of_every_source(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SULAN_HOME", str(tmp_path / "home"))
    folder = built_in.located(Path("python"))
    assert built_in.located(Path("python")) == folder
    sources = reader.columns(folder, ["source"])["source"].to_pylist()
    assert set(sources) == {"reference", "docstrings", "code", "tables", "licences"}
    assert len(sources) > 2000
    assert not reader.duplicates(folder)
    assert built_in.located(tmp_path) == tmp_path

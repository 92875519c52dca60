"""`prune score`: the same scores whatever the shards and workers, resumed after a kill, bad input reported."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prune import small
from sulan import prune
from sulan.documents import reader
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.prune import kneser_ney, scoring, units
from sulan.prune.columns import Metric
from sulan.prune.scorers import NgramScorer, scorer
from sulan.prune.scoring import Scoring
from sulan.reports.report import Report
from sulan.runs import fingerprints

ADDED = ["sum_nll", "n_tokens", "n_bytes", "perplexity", "bits_per_byte"]


@pytest.fixture(scope="session")
def hand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small.hand_computed(tmp_path_factory.mktemp("hand") / "model")


@pytest.fixture(scope="session")
def ngram(tmp_path_factory: pytest.TempPathFactory, hand: Path) -> Path:
    """An n-gram model: its workers load no torch, so that runs of many workers are cheap."""
    from transformers import PreTrainedTokenizerFast

    from sulan.models import tokens

    pytest.importorskip("kenlm", reason="kenlm is not installed (extra `prune`)")
    folder = tmp_path_factory.mktemp("ngram") / "model"
    folder.mkdir()
    documents = list(tokens.encode(PreTrainedTokenizerFast.from_pretrained(hand), small.texts(40)))
    (folder / "model.arpa").write_text("".join(kneser_ney.estimate(documents, order=3, vocabulary=257)))
    shutil.copy(hand / "tokenizer.json", folder)
    return folder


def columns(corpus: Path, names: list[str]) -> dict[str, list[Any]]:
    return reader.columns(corpus, names).to_pydict()


def by_ngram(corpus: Path, ngram: Path, out: Path, **more: Any) -> Report:
    return prune.score(corpus, model=str(ngram), metric=("perplexity",), out=out, **more)


def test_the_same_scores_for_any_shards_and_workers(
    tmp_path: Path, ngram: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = small.texts(1500)
    found = []
    for parts, workers in ((1, 1), (3, 2), (17, 2)):
        corpus = small.corpus(tmp_path / f"in-{parts}", texts, parts=parts)
        report = by_ngram(corpus, ngram, tmp_path / f"out-{parts}", workers=workers)
        assert len(list((tmp_path / f"out-{parts}").glob("part-*.parquet"))) >= 1
        found.append((columns(tmp_path / f"out-{parts}", ["id", *ADDED]), report.to_json()))
        assert not list(tmp_path.glob(".out*.work"))
    assert found[0] == found[1] == found[2]
    assert len(units.divide(corpus, longest=100).ranges) > 1


def test_a_neural_model_s_scores_do_not_depend_on_parts_or_units(tmp_path: Path, hand: Path) -> None:
    texts = small.texts(60)
    how = _how(hand, metrics=("el2n", "memorization", "perplexity"))
    tables = []
    for parts, cuts in ((1, [(0, 60)]), (3, [(0, 60)]), (17, [(0, 7), (7, 41), (41, 60)])):
        corpus = small.corpus(tmp_path / f"in-{parts}", texts, parts=parts)
        pieces = []
        for number, cut in enumerate(cuts):
            folder = tmp_path / f"unit-{parts}-{number}"
            folder.mkdir()
            scoring.score_unit(cut, folder, corpus=corpus, scoring=how)
            pieces.append(pq.read_table(folder / scoring.FILE))
        tables.append(pa.concat_tables(pieces))
    assert tables[0] == tables[1] == tables[2]


def test_a_model_that_changed_is_not_mixed_in(tmp_path: Path, hand: Path) -> None:
    model = Path(shutil.copytree(hand, tmp_path / "model"))
    corpus = small.corpus(tmp_path / "in", ["abc"])
    how = _how(model, metrics=("perplexity",))
    small.hand_computed(model, context=64)
    with pytest.raises(InputError, match="changed while it was scoring"):
        scoring.score_unit((0, 1), tmp_path, corpus=corpus, scoring=how)
    now = _how(model, metrics=("perplexity",))
    assert scoring.score_unit((0, 1), tmp_path, corpus=corpus, scoring=now)["tokens"] == 3


def _how(model: Path, *, metrics: tuple[Metric, ...]) -> Scoring:
    made = scorer(str(model), dtype="float32", context=None).provenance
    return Scoring(
        model=str(model),
        dtype="float32",
        context=None,
        model_fingerprint=made.model_fingerprint,
        tokenizer_fingerprint=made.tokenizer_fingerprint,
        metrics=metrics,
        window=0,
        prefix="",
        max_bytes=1000,
    )


def test_scores_of_documents_and_windows_of_a_neural_model(tmp_path: Path, hand: Path) -> None:
    corpus = small.corpus(tmp_path / "in", ["abc", "ab" * 32, ""])
    report = prune.score(
        corpus,
        model=str(hand),
        metric=("perplexity", "el2n", "memorization"),
        dtype="float32",
        window=2,
        workers=1,
        out=tmp_path / "out",
    )
    found = columns(tmp_path / "out", [*ADDED, "el2n", "memorization", "tokens_by_window"])
    # Windows ab and c: 1/2 * 3/4, then 1/4 after a new begin.
    assert found["perplexity"][0] == pytest.approx((64 / 6) ** (1 / 3), rel=1e-5)
    assert found["n_tokens"] == [3, 64, 0]
    assert found["n_bytes"] == [3, 64, 0]
    assert found["tokens_by_window"] == [[2, 1], [2] * 32, []]
    assert found["memorization"] == [None, 1.0, None]
    assert found["perplexity"][2] is found["el2n"][2] is found["sum_nll"][2] is None
    assert report.summary[f"without: {scoring.EMPTY}"] == 1
    assert report.summary[f"without: {scoring.SHORT}"] == 2
    assert "windows of 2 tokens" in str(report.summary["unit"])


def test_a_document_too_long_is_counted_and_nothing_is_lost(tmp_path: Path, ngram: Path) -> None:
    texts = ["abc abc", "a b " * 26_000_000, "cab"]  # 104 MB
    corpus = small.corpus(tmp_path / "in", texts)
    report = by_ngram(corpus, ngram, tmp_path / "out", workers=1)
    found = columns(tmp_path / "out", ["id", "perplexity", "n_bytes"])
    assert found["id"] == ["document-0", "document-1", "document-2"]
    assert [value is None for value in found["perplexity"]] == [False, True, False]
    assert found["n_bytes"][1] == 104_000_000
    assert report.summary[f"without: {scoring.LONG}"] == 1


def test_no_document_at_all(tmp_path: Path, ngram: Path) -> None:
    by_ngram(small.corpus(tmp_path / "in", []), ngram, tmp_path / "out")
    assert reader.count(tmp_path / "out") == 0
    assert set(ADDED) < set(reader.schema(tmp_path / "out").names)


def test_columns_of_another_model_need_another_prefix(tmp_path: Path, ngram: Path, hand: Path) -> None:
    corpus = small.corpus(tmp_path / "in", small.texts(5))
    by_ngram(corpus, ngram, tmp_path / "once", workers=1)
    with pytest.raises(InputError, match="already has a column sum_nll") as again:
        by_ngram(tmp_path / "once", ngram, tmp_path / "twice")
    assert "--prefix" in again.value.hint
    with pytest.raises(InputError, match=r"of another kind: 'ngram', now 'neural'"):
        prune.score(tmp_path / "once", model=str(hand), metric=("memorization",), out=tmp_path / "twice")
    by_ngram(tmp_path / "once", ngram, tmp_path / "twice", prefix="second_", workers=1)
    found = columns(tmp_path / "twice", ["perplexity", "second_perplexity"])
    assert found["perplexity"] == found["second_perplexity"]


def test_what_cannot_be_scored_costs_one_line(tmp_path: Path, ngram: Path, hand: Path) -> None:
    out = tmp_path / "out"
    twice = small.corpus(tmp_path / "twice", ["a", "b", "c"], ids=["x", "y", "x"])
    with pytest.raises(InputError, match=r"1 ids stand for several documents; 'x' stands for 2"):
        by_ngram(twice, ngram, out)
    corpus = small.corpus(tmp_path / "in", ["a"])
    with pytest.raises(InputError, match="gives perplexity, not el2n"):
        prune.score(corpus, model=str(ngram), out=out)
    with pytest.raises(MissingFile, match="nowhere"):
        prune.score(corpus, model=str(tmp_path / "nowhere"), out=out)
    with pytest.raises(InputError, match="context must be from 2 to the model's 128"):
        prune.score(corpus, model=str(hand), context=129, out=out)
    table = pa.table({"id": ["a"], "text": pa.array([b"\xff\xfe"]).view(pa.string())})
    (tmp_path / "bytes").mkdir()
    pq.write_table(table, tmp_path / "bytes" / "part-00000.parquet")
    with pytest.raises(BrokenArtefact, match="UTF"):
        by_ngram(tmp_path / "bytes", ngram, out)
    (tmp_path / "other").mkdir()
    pq.write_table(pa.table({"id": ["a"], "body": ["b"]}), tmp_path / "other" / "part-00000.parquet")
    with pytest.raises(BrokenArtefact, match="has no column text"):
        by_ngram(tmp_path / "other", ngram, out)
    assert not out.exists()


def test_weights_that_are_not_numbers_and_another_vocabulary_cost_one_line(
    tmp_path: Path, hand: Path
) -> None:
    from safetensors.torch import load_file, save_file

    corpus = small.corpus(tmp_path / "in", ["a"])
    for name, damage in (("nan", "lm_head.weight"), ("vocabulary", "")):
        folder = shutil.copytree(hand, tmp_path / name)
        if damage:
            tensors = load_file(folder / "model.safetensors")
            tensors[damage][3, 3] = float("nan")
            save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        else:
            text = (folder / "tokenizer.json").read_text()
            (folder / "tokenizer.json").write_text(text.replace(": 256", ": 400"))
    with pytest.raises(BrokenArtefact, match=r"NaN or infinite weights in lm_head\.weight"):
        prune.score(corpus, model=str(tmp_path / "nan"), out=tmp_path / "out")
    with pytest.raises(InputError, match=r"the tokenizer of .* does not fit"):
        prune.score(corpus, model=str(tmp_path / "vocabulary"), out=tmp_path / "out")


def test_a_killed_run_goes_on_and_makes_the_same_bytes(tmp_path: Path, ngram: Path) -> None:
    corpus = small.corpus(tmp_path / "in", small.texts(6000), parts=2)
    out, work = tmp_path / "out", tmp_path / ".out.work"
    words = ["score", str(corpus), "--model", str(ngram), "--metric", "perplexity", "--workers", "1"]
    command = [sys.executable, "-m", "sulan", "prune", *words, "--out", str(out)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while not list(work.glob("shard-*/done.json")) and process.poll() is None:
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    first = work / "shard-00000" / scoring.FILE
    made = first.stat().st_mtime_ns
    again = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while again.poll() is None:
        with contextlib.suppress(FileNotFoundError):  # it is moved when the whole is done
            assert first.stat().st_mtime_ns == made  # not done twice
        time.sleep(0.01)
    assert again.returncode == 0
    assert not work.exists()
    by_ngram(corpus, ngram, tmp_path / "straight")
    assert fingerprints.path(out) == fingerprints.path(tmp_path / "straight")


def test_an_ngram_reference_and_a_neural_one_see_the_same_tokens(hand: Path, ngram: Path) -> None:
    texts = ["abc <|endoftext|>", "", "é\n\n"]
    models = [scorer(str(path), dtype="float32", context=None) for path in (hand, ngram)]
    assert isinstance(models[1], NgramScorer)
    for a, b in zip(*(model.tokens(texts) for model in models), strict=True):
        assert a.tolist() == b.tolist()

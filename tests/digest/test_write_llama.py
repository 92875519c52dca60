"""The same path against llama.cpp's own OpenAI-compatible server, with a model far too small to word a digest."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import sulan
from chat import llama
from sulan.chat import ChatSettings
from sulan.digest import checks
from sulan.digest.edition import SCORE_NAMES, Edition
from sulan.digest.facts import Facts
from sulan.digest.finding import errors

pytestmark = [pytest.mark.xdist_group("llama"), pytest.mark.timeout(300)]

PAPER = {
    "paper": {
        "id": "2309.00001",
        "title": "FastNet learns from text",
        "summary": "We propose FastNet, a model with 1.3 billion parameters. It beats SlowNet by 3%.",
    }
}


@pytest.fixture(scope="module")
def server() -> Iterator[Any]:
    yield llama.serve(context=4096)


def test_what_so_small_a_model_gets_wrong_falls_back(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", llama.KEY)
    (tmp_path / "papers.json").write_text(json.dumps([PAPER]))
    report = sulan.digest.write(
        "2023-09-12",
        out=tmp_path / "out",
        input=tmp_path / "papers.json",
        engine="openai:smollm2",
        lang=("en",),
        chat=ChatSettings(
            base_url=server.listening_address, concurrency=1, timeout=240, cache=tmp_path / "cache.sqlite3"
        ),
    )
    [entry] = Edition.model_validate_json((tmp_path / "out" / "edition.json").read_bytes()).entries
    summary = entry.summaries["en"]
    facts = Facts.read(entry.paper.title, entry.paper.abstract)
    passages = [summary.main_work, *summary.highlights, *(summary.scores[n].reason for n in SCORE_NAMES)]
    assert report.summary["calls"]
    assert report.exit_code == (3 if entry.fallbacks else 0)
    assert entry.fallbacks, "a model of 135M parameters got everything right: look at the checks"
    for passage in passages:
        if passage.origin == "model":
            assert not errors(checks.check(passage.text, facts, language="en")), passage
        elif passage.evidence and not passage.text.startswith("By rule"):
            assert passage.text in facts.sentences
            assert passage.note

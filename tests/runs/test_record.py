"""`run.json` says what was run, and `is_current` believes only what it can check."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

import sulan
from sulan.errors import BrokenArtefact, MissingFile
from sulan.runs import outputs, record


@dataclass(frozen=True, kw_only=True)
class Knobs:
    rate: float = 0.5


def run(out: Path, *, source: Path, rate: float = 0.5) -> dict[str, object]:
    config: dict[str, object] = {"out": out, "source": source, "knobs": Knobs(rate=rate), "only": ("a", "b")}
    with (
        outputs.folder(out) as folder,
        record.record(verb="test run", folder=folder, config=config, seed=3, inputs=[source]) as made,
    ):
        (folder / "result.txt").write_text(source.read_text() * 2)
        made.metric("length", 2, scale="one file", claim="doubling")
    return config


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.txt"
    path.write_text("text")
    return path


def test_record_has_everything_the_architecture_lists(tmp_path: Path, source: Path) -> None:
    run(tmp_path / "out", source=source)
    document = record.read(tmp_path / "out")
    assert document["status"] == "complete"
    assert document["verb"] == "test run"
    assert document["config"] == {
        "out": str(tmp_path / "out"),
        "source": str(source),
        "knobs": {"rate": 0.5},
        "only": ["a", "b"],
    }
    assert document["seed"] == 3
    assert document["start"] <= document["end"]
    assert document["version"] == sulan.__version__
    assert document["libraries"]["pydantic"]
    assert document["environment"]["cores"] >= 1
    assert document["environment"]["memory_gb"] > 0
    assert list(document["inputs"]) == [str(source)]
    assert list(document["outputs"]) == ["result.txt"]
    assert document["metrics"] == [{"name": "length", "value": 2, "scale": "one file", "claim": "doubling"}]
    assert document["peak_memory_mb"] > 1


def test_current_only_while_nothing_changed(tmp_path: Path, source: Path) -> None:
    out = tmp_path / "out"
    config = run(out, source=source)
    assert record.is_current(out, verb="test run", config=config)
    assert not record.is_current(out, verb="test other", config=config)
    assert not record.is_current(out, verb="test run", config={**config, "knobs": Knobs(rate=0.6)})
    assert not record.is_current(tmp_path / "nowhere", verb="test run", config=config)
    source.write_text("changed")
    assert not record.is_current(out, verb="test run", config=config)
    source.write_text("text")
    assert record.is_current(out, verb="test run", config=config)
    (out / "result.txt").write_text("changed")
    assert not record.is_current(out, verb="test run", config=config)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema_version": 99}'])
def test_broken_records_are_said_to_be_broken(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(BrokenArtefact):
        record.read(tmp_path)


def test_missing_record(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        record.read(tmp_path)


def test_failed_run_says_why(tmp_path: Path, source: Path) -> None:
    with (
        pytest.raises(KeyError),
        outputs.folder(tmp_path / "out") as folder,
        record.record(verb="test run", folder=folder, config={}),
    ):
        raise KeyError("gone")
    document = json.loads((tmp_path / "out.failed.json").read_text())
    assert document["status"] == "failed"
    assert document["reason"] == "KeyError: 'gone'"

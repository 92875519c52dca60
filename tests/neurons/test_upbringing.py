"""A small model of one's own: what it is trained on, what is kept, and what its neurons are."""

import json
from pathlib import Path

import pytest
import torch

import sulan
from house import small_recipes
from sulan import models
from sulan.errors import InputError
from sulan.neurons import texts


def test_checkpoints_and_a_model_without_positions(tmp_path):
    data = tmp_path / "text.jsonl"
    lines = [json.dumps({"id": str(n), "text": f"number {n} and some words " * 20}) for n in range(40)]
    data.write_text("\n".join(lines) + "\n")
    shape = {"steps": 4, "layers": 1, "width": 16, "neurons": 32, "context": 16, "vocabulary": 300}
    sulan.neurons.train(out=tmp_path / "made", data=data, positions="none", checkpoints=2, **shape)
    last = models.load(tmp_path / "made/model", dtype="float32")
    half = models.load(tmp_path / "made/step-000002", dtype="float32")
    assert last.fingerprint != half.fingerprint
    for found in (last, half):
        embedding = found.model.get_submodule("model.decoder.embed_positions")
        assert torch.count_nonzero(torch.as_tensor(embedding.weight)) == 0
    held = list(texts.texts(tmp_path / "made/held-out"))
    assert 0 < len(held) < 20
    assert not (tmp_path / ".made.work").exists()
    with pytest.raises(InputError, match="do not fit"):
        sulan.neurons.train(out=tmp_path / "odd", data=data, width=17)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_trained_recipe_shows_dead_and_positional_neurons(tmp_path: Path) -> None:
    recipe = small_recipes.ROOT / "recipes/neurons-trained.toml"
    done = small_recipes.sulan("run", str(recipe), folder=tmp_path, timeout=3600)
    assert done.returncode == 0, done.stderr[-2000:]
    made = tmp_path / "made/neurons-trained"
    metrics = {
        metric["name"]: metric["value"]
        for name in ("classes", "pruned", "ablation")
        for metric in json.loads((made / name / "run.json").read_text())["metrics"]
    }
    assert metrics["dead.count"] > 0
    assert metrics["positional.count"] > 0
    assert metrics["removed"] == metrics["dead.count"]
    assert metrics["logits.change.padded"] <= 1e-4
    assert metrics["logits.change.compact"] <= 1e-4
    assert metrics["change.never"] == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_built_in_model_has_gates_that_open_by_layer_and_nothing_dead(tmp_path: Path) -> None:
    data = tmp_path / "text.txt"
    data.write_text("\n".join(text[:4000] for text in list(texts.texts(texts.python(tmp_path / "c")))[:20]))
    words = [
        "neurons",
        "scan",
        "smollm2",
        "--data",
        str(data),
        "--out",
        "counters",
        "--reading.tokens",
        "3000",
    ]
    done = small_recipes.sulan(*words, "--reading.context", "256", folder=tmp_path, timeout=3600)
    assert done.returncode == 0, done.stderr[-2000:]
    done = small_recipes.sulan(
        "neurons", "classify", "counters", "--out", "classes", folder=tmp_path, timeout=3600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "dead" not in done.stdout
    assert "observed" in done.stdout

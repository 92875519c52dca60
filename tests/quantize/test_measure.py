"""`quantize measure`: zero for itself, more for fewer bits, baselines beside."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from quantize.checkpoints import llama
from sulan import quantize
from sulan.errors import InputError
from sulan.quantize import divergence
from sulan.runs import record


def metrics(folder: Path) -> dict[str, Any]:
    return {metric["name"]: metric["value"] for metric in record.read(folder)["metrics"]}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama(tmp_path_factory.mktemp("models") / "llama")


def measured(folder: Path, model: Path, against: Path, **settings: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"windows": 4, "sequence_length": 48, "decode_tokens": 0} | settings
    quantize.measure(model, against=against, out=folder, **given)
    return metrics(folder)


def test_a_model_does_not_differ_from_itself(model, tmp_path):
    found = measured(tmp_path / "out", model, model)
    assert found["kl.mean"] == pytest.approx(0, abs=1e-6)
    assert found["top1.agreement"] == 1
    assert found["perplexity"] == found["perplexity.teacher"]
    notes = json.loads((tmp_path / "out" / "report.json").read_text())["notes"]
    assert any("no baselines" in note for note in notes)


def test_fewer_bits_are_farther_and_baselines_stand_beside(model, tmp_path):
    far = []
    widths: tuple[Literal[8, 4, 2], ...] = (8, 4, 2)
    for bits in widths:
        quantize.run(model, out=tmp_path / f"w{bits}", bits=bits, group_size=32, recipe="rtn")
        found = measured(tmp_path / f"m{bits}", tmp_path / f"w{bits}", model)
        far.append(found["kl.mean"])
        # What was rounded to nearest is its own baseline, up to the order of sums in the reader.
        assert found["kl.mean"] == pytest.approx(found["kl.mean.rtn"], rel=1e-3, abs=1e-7)
        assert f"improvement.rtn.w{bits}.g32" in found
    assert far == sorted(far)
    assert far[0] < 1e-3


def test_decoding_is_timed_and_does_not_enter_the_report(model, tmp_path):
    quantize.run(model, out=tmp_path / "made", bits=4, group_size=32, recipe="rtn")
    quantize.export(tmp_path / "made", format="onnx", out=tmp_path / "onnx")
    found = measured(
        tmp_path / "out",
        tmp_path / "made",
        model,
        deployed=(tmp_path / "onnx" / "model.onnx", tmp_path / "made"),
        decode_tokens=4,
    )
    assert found["decode.tokens_per_second.model.onnx"] > 0
    assert "tokens a second" not in (tmp_path / "out" / "report.json").read_text().lower().replace(
        "tokens a second differ", ""
    )


def test_different_tokenizers_are_refused(model, tmp_path):
    with pytest.raises(InputError, match="different tokenizers"):
        measured(tmp_path / "out", model, Path("tiny"))


def test_divergence_of_known_distributions():
    # p = (1/2, 1/2), q = (1/4, 3/4): KL = 1/2 ln 2 + 1/2 ln 2/3.
    p, q = torch.tensor([[0.5, 0.5]] * 2).log(), torch.tensor([[0.25, 0.75]] * 2).log()
    found = divergence.compare(lambda _: p, {"q": lambda _: q}, torch.tensor([[0, 1]]))["q"]
    assert found.kl[0, 0] == pytest.approx(0.5 * 0.6931472 + 0.5 * -0.4054651, abs=1e-6)
    assert found.loss[0] == pytest.approx(0.2876821, abs=1e-6)
    assert found.perplexity() == pytest.approx(4 / 3, abs=1e-5)

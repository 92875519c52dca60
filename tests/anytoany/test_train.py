"""Every stage trains what it names and nothing else, lowers its loss, and goes on after a kill bit for bit."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import soundfile
import torch
from PIL import Image as Picture

from anytoany.small import folder
from sulan.anytoany import examples, system, train
from sulan.anytoany.descent import Plan
from sulan.anytoany.descent import train as descend
from sulan.anytoany.stages import Stage, Stages
from sulan.documents import schema, writer
from sulan.errors import InputError, MissingFile
from sulan.runs import record

COLOURS = {"red": (255, 0, 0), "blue": (0, 0, 255)}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two colours, each a picture, a tone and a clip."""
    place = tmp_path_factory.mktemp("data")
    rows = []
    for colour, values in COLOURS.items():
        pixels = np.full((16, 16, 3), values, np.uint8)
        Picture.fromarray(pixels).save(place / f"{colour}.png")
        tone = np.sin(np.arange(4096) * (0.3 if colour == "red" else 0.9))
        soundfile.write(place / f"{colour}.wav", tone * 0.5, 8000)
        np.savez(place / f"{colour}.npz", frames=np.stack([pixels] * 4), rate=8.0)
        endings = {"image": "png", "audio": "wav", "video": "npz"}
        media = [{"kind": kind, "path": f"{colour}.{ending}"} for kind, ending in endings.items()]
        parts = [{"type": "text", "text": "here"}, {"type": "image", "path": f"{colour}.png"}]
        messages = [
            {"role": "user", "content": json.dumps([{"type": "text", "text": f"draw {colour}"}])},
            {"role": "assistant", "content": json.dumps(parts)},
        ]
        rows.append({"id": colour, "text": f"a {colour} square", "media": media, "messages": messages})
    columns = pa.schema(
        [
            ("id", pa.string()),
            ("text", pa.large_string()),
            ("media", schema.MEDIA),
            ("messages", schema.MESSAGES),
        ]
    )
    writer.write([pa.RecordBatch.from_pylist(rows, schema=columns)], place)
    return place


def _weights(learner: system.System) -> dict[str, torch.nn.Parameter]:
    parts: dict[str, Any] = {"encoder": learner.encoders, "input": learner.inputs, "output": learner.outputs}
    parts["decoder"] = {kind: learner.decoder(kind) for kind in learner.config.decoders}
    found = {f"model.{name}": weight for name, weight in learner.model.named_parameters()}
    for part, modules in parts.items():
        for kind, module in modules.items():
            found |= {f"{part}.{kind}.{name}": weight for name, weight in module.named_parameters()}
    return found


@pytest.mark.parametrize(
    ("stage", "groups"),
    [
        ("parts", {"encoder", "decoder", "model"}),
        ("encode", {"input"}),
        ("decode", {"output", "tokens"}),
        ("instruct", {"input", "output", "tokens", "lora"}),
    ],
)
def test_a_stage_trains_what_it_names_and_nothing_else(
    tmp_path: Path, data: Path, stage: Stage, groups: Sequence[str]
) -> None:
    learner = system.load(folder(tmp_path))
    stages = Stages(learner, examples.read(data), stage=stage, batch=2, seed=0)
    before = {name: weight.clone() for name, weight in _weights(learner).items()}
    plan = Plan(steps=3, rate=1e-2, seed=0)
    descend(stages.weights(), stages.loss, plan=plan, about={}, work=tmp_path / "work", label=stage)
    changed = set()
    for name, weight in _weights(learner).items():
        if not torch.equal(weight, before[name]):
            special = "lora" if "lora_" in name else "tokens" if "trainable_tokens" in name else ""
            changed.add(special or name.partition(".")[0])
    assert changed == set(groups)
    assert not any(weight.requires_grad for weight in _weights(learner).values())


def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path, data: Path) -> None:
    class Killed(Exception):
        pass

    read = examples.read(data)
    plan = Plan(steps=6, rate=1e-2, seed=0, every=2)
    ends = []
    for name, fatal in (("whole", None), ("cut", 5)):
        place = tmp_path / name
        place.mkdir()
        made = folder(place)

        def go(kill: int | None, made: Path = made, place: Path = place) -> system.System:
            learner = system.load(made)
            stages = Stages(learner, read, stage="decode", batch=2, seed=0)

            def loss(step: int) -> torch.Tensor:
                if step == kill:
                    raise Killed
                return stages.loss(step)

            descend(stages.weights(), loss, plan=plan, about={}, work=place / "work", label="decode")
            return learner

        if fatal is not None:
            with pytest.raises(Killed):
                go(fatal)
        ends.append(_weights(go(None)))
    assert all(torch.equal(weight, ends[1][name]) for name, weight in ends[0].items())


def test_stages_follow_one_another_and_say_the_papers_numbers(tmp_path: Path, data: Path) -> None:
    train(data, out=tmp_path / "parts", stage="parts", steps=40, batch=2)
    before = tmp_path / "parts"
    for stage in ("encode", "decode", "instruct"):
        train(data, out=tmp_path / stage, stage=stage, system=before, steps=3, batch=2)
        before = tmp_path / stage
    first = {item["name"]: item["value"] for item in record.read(tmp_path / "parts")["metrics"]}
    assert first["loss.last"] < first["loss.first"]
    last = {item["name"]: item["value"] for item in record.read(before)["metrics"]}
    assert last["parameters.trainable.count"] == "4.20M, 33.55M, 31.96M, 31.79M, 32.09M"
    assert last["parameters.trainable.share"] == pytest.approx(0.011, abs=0.001)
    assert last["tokens.signal"] == "4 image, 8 audio, 24 video tokens"


def test_mistakes_are_told(tmp_path: Path, data: Path) -> None:
    with pytest.raises(InputError, match="stage decode goes on with a system"):
        train(data, out=tmp_path / "out", stage="decode")
    with pytest.raises(InputError, match="steps is 0"):
        train(data, out=tmp_path / "out", stage="parts", steps=0)
    with pytest.raises(MissingFile, match=r"none\.png is missing"):
        examples.medium(tmp_path / "none.png")

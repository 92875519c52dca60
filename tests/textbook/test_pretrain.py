"""Pretraining: phi's own arithmetic, checkpoints that others read, the same bits after a kill, and bad input."""

import json
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from transformers import AutoModelForCausalLM, PhiConfig, PhiForCausalLM, PreTrainedTokenizerFast

from sulan import models
from sulan.errors import InputError
from sulan.models import packed, tiny
from sulan.textbook import pretraining
from sulan.textbook.presets import SHAPES, Shape
from sulan.training import attention, pack
from sulan.training.loss import NextTokenLoss
from textbook import small

KILLED = Path(__file__).with_name("killed.py")


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def plain(shape: Shape, model: Any) -> PhiForCausalLM:
    """Return transformers' own model with the same weights, and attention written out."""
    peer = PhiForCausalLM._from_config(deepcopy(model.config), attn_implementation="eager")
    peer.load_state_dict(model.state_dict())
    return peer.eval()


def tokens(shape: Shape, rows: int, length: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(0)
    return torch.randint(shape.vocabulary, (rows, length), generator=draw)


def test_the_full_preset_has_the_papers_parameters() -> None:
    shape = SHAPES["phi-1.5"]
    with torch.device("meta"):
        made = pretraining.model(shape, seed=0)
        theirs = PhiForCausalLM(PhiConfig())  # the class's defaults are phi-1.5's
    count = sum(weight.numel() for weight in made.parameters())
    assert count == sum(weight.numel() for weight in theirs.parameters()) == shape.parameters == 1_418_270_720
    assert {n: w.shape for n, w in made.named_parameters()} == {
        n: w.shape for n, w in theirs.named_parameters()
    }
    assert made.config.rope_parameters["partial_rotary_factor"] == 0.5
    assert made.config.hidden_act == PhiConfig().hidden_act


def test_the_fast_path_of_training_gives_phis_loss_and_gradients() -> None:
    model = pretraining.model(small.SHAPE, seed=3)
    peer, rows = plain(small.SHAPE, model), tokens(small.SHAPE, 3, 64)
    fast = NextTokenLoss(model)
    fast.accelerate(rows[:1])
    assert fast.fused
    assert model.config._attn_implementation == attention.NAME
    loss, theirs = fast(rows), peer(rows, labels=rows)
    torch.testing.assert_close(model.eval()(rows).logits, theirs.logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(loss, theirs.loss, rtol=0, atol=1e-5)
    loss.backward()
    theirs.loss.backward()
    wanted = dict(peer.named_parameters())
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, wanted[name].grad, rtol=0, atol=1e-5, msg=name)


def test_packed_sequences_get_phis_logits_and_gradients() -> None:
    model = pretraining.model(small.SHAPE, seed=3)
    peer = plain(small.SHAPE, model)
    sequences = [tokens(small.SHAPE, 1, length)[0].numpy() for length in (5, 64, 1, 33)]
    ours = model.lm_head(packed.body(model, sequences)).split([len(each) for each in sequences])
    theirs = [peer(torch.from_numpy(each)[None]).logits[0] for each in sequences]
    for own, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(own, other, rtol=0, atol=1e-5)
    torch.cat(ours).logsumexp(-1).mean().backward()
    torch.cat(theirs).logsumexp(-1).mean().backward()
    wanted = dict(peer.named_parameters())
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, wanted[name].grad, rtol=0, atol=1e-5, msg=name)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_every_checkpoint_is_the_model_of_that_step_in_plain_transformers(tmp_path: Path, dtype: str) -> None:
    corpus = small.corpus(tmp_path / "corpus")
    small.pretrain(corpus, out=tmp_path / "long", models_every=small.MODELS_EVERY, dtype=dtype)
    found = sorted((tmp_path / "long" / "checkpoints").iterdir())
    assert [path.name for path in found] == ["step-0000004", "step-0000008"]
    prompt = torch.tensor(
        [PreTrainedTokenizerFast.from_pretrained(tmp_path / "long")("A cat has 3 friends.").input_ids]
    )
    for path, steps in zip([*found, tmp_path / "long"], (4, 8, small.STEPS), strict=True):
        # A constant rate and an order that does not know the last step: a shorter training is its beginning.
        short = tmp_path / f"short-{steps}"
        small.pretrain(corpus, out=short, steps=steps, dtype=dtype)
        model, info = AutoModelForCausalLM.from_pretrained(path, output_loading_info=True)
        assert isinstance(model, PhiForCausalLM)
        assert not info["missing_keys"]
        assert not info["unexpected_keys"]
        assert {weight.dtype for weight in model.parameters()} == {torch.float32}
        wanted = AutoModelForCausalLM.from_pretrained(short)
        with torch.no_grad():
            assert torch.equal(model(prompt).logits, wanted(prompt).logits)
        assert (path / "model.safetensors").read_bytes() == (short / "model.safetensors").read_bytes()
        assert (path / "tokenizer.json").read_bytes() == (short / "tokenizer.json").read_bytes()


@pytest.mark.timeout(300)
def test_killed_anywhere_ends_with_the_same_bits(tmp_path: Path) -> None:
    command = [sys.executable, str(KILLED), str(small.corpus(tmp_path / "corpus")), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout)
    assert found["hits"] == {"step": 4, "checkpoint": 1, "model": 1}
    whole = found["weights"]["whole"]
    assert len(whole) == 3  # two models on the way, and the last
    assert len(found["weights"]) >= 4
    for name, weights in found["weights"].items():
        assert weights == whole, name


def lines(error: pytest.ExceptionInfo[InputError]) -> int:
    return str(error.value).count("\n") + 1


@pytest.mark.parametrize(
    ("texts", "settings", "message"),
    [
        ([], {}, "has no document"),
        (["a"], {}, "not one sequence of 32"),
        (["A cat.\n"] * 50, {"models_every": 3}, "every 3 steps"),
        (["A cat.\n"] * 50, {"context": 128}, "do not fit"),
        (["A cat.\n"] * 50, {"mix": (0.5, 0.5)}, "for 1 corpora"),
        (["A cat.\n"] * 50, {"learning_rate": 1e30}, "step"),
    ],
)
def test_bad_input_is_one_clear_line_and_no_folder(
    tmp_path: Path, texts: list[str], settings: dict[str, Any], message: str
) -> None:
    corpus = small.corpus(tmp_path / "corpus", texts)
    with pytest.raises(InputError, match=message) as error:
        small.pretrain(corpus, out=tmp_path / "out", **settings)
    assert lines(error) == 1
    assert not (tmp_path / "out").exists()


def test_a_token_of_one_document_among_others_is_no_error(tmp_path: Path) -> None:
    corpus = small.corpus(tmp_path / "corpus", ["a", "", *(["A dog has friends.\n"] * 40)])
    assert small.pretrain(corpus, out=tmp_path / "out", steps=2).summary["tokens seen"] == 2 * 4 * 32


def test_ids_beyond_the_vocabulary_or_the_file_are_refused(tmp_path: Path) -> None:
    tokenizer = tiny.tokenizer(["a few words"] * 9, vocabulary=300)
    model = tiny.phi(vocabulary=300)
    (tmp_path / "model").mkdir()
    models.save(model, tokenizer, tmp_path / "model")
    corpus = small.corpus(tmp_path / "corpus")
    shape = Shape(vocabulary=200, layers=1, width=32, heads=4, context=64)
    with pytest.raises(InputError, match="tokens, the model 200") as error:
        small.pretrain(corpus, out=tmp_path / "out", shape=shape, tokenizer=str(tmp_path / "model"))
    assert lines(error) == 1
    with pytest.raises(InputError, match="70000"):
        pack([numpy.array([70_000])], tmp_path / "tokens", vocabulary=65_000, end=0)


def test_another_training_in_the_work_folder_is_refused_and_kept(tmp_path: Path) -> None:
    corpus = small.corpus(tmp_path / "corpus")
    with pytest.raises(InputError, match="step 2: loss nan"):
        small.pretrain(corpus, out=tmp_path / "out", learning_rate=1e30, checkpoint_every=1)
    work = tmp_path / ".out.work" / "training"
    before = {path.name: path.read_bytes() for path in work.iterdir()}
    assert "step-00000001.safetensors" in before
    with pytest.raises(InputError, match=r"learning_rate was 1e\+30, is 0\.003") as error:
        small.pretrain(corpus, out=tmp_path / "out")
    assert lines(error) == 1
    assert {path.name: path.read_bytes() for path in work.iterdir()} == before

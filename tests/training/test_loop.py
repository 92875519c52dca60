"""The loop: what it computes, what it refuses, what it leaves behind."""

import json
import math
from pathlib import Path

import numpy
import pytest
import torch
from torch import nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaForCausalLM, PhiForCausalLM

from sulan.errors import InputError
from sulan.training import TokenStream, checkpoint, journal, pack, train
from sulan.training.config import TrainingConfig
from training import examples
from training.examples import CONTEXT, VOCABULARY, config


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> TokenStream:
    return examples.stream(tmp_path_factory.mktemp("tokens"))


def plain(model: LlamaForCausalLM | PhiForCausalLM, stream: TokenStream, made: TrainingConfig) -> list[float]:
    """Train as one would by hand: the model's own loss, clip_grad_norm_, AdamW."""
    decayed = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": made.weight_decay}, {"params": others, "weight_decay": 0.0}],
        lr=made.learning_rate,
        betas=made.betas,
        eps=made.epsilon,
    )
    losses = []
    for step in range(made.steps):
        rows = stream.batch(step, size=made.batch, context=made.context, seed=made.seed)
        tokens = torch.from_numpy(rows)
        loss = model(input_ids=tokens, labels=tokens).loss
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), made.clip or math.inf)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


@pytest.mark.parametrize("make", [examples.llama, examples.phi])
def test_computes_what_a_plain_loop_does(make: type, stream: TokenStream, tmp_path: Path) -> None:
    expected = plain(make().train(), stream, config())
    trained = train(make(), stream, config=config(), folder=tmp_path)
    assert trained.losses == pytest.approx(expected, abs=2e-5)
    assert trained.losses[-1] < trained.losses[0] - 0.7
    assert (trained.steps, trained.tokens, trained.skipped) == (20, 20 * 4 * CONTEXT, 0)
    assert trained.seconds > 0 < trained.tokens_per_second


def test_bfloat16_learns_as_float32(stream: TokenStream, tmp_path: Path) -> None:
    losses = {
        kind: train(
            examples.llama(), stream, config=config(steps=60, dtype=kind), folder=tmp_path / kind
        ).losses
        for kind in ("float32", "bfloat16")
    }
    apart = numpy.abs(numpy.subtract(losses["float32"], losses["bfloat16"]))
    assert apart.max() < 0.03
    assert numpy.mean(losses["bfloat16"][-20:]) == pytest.approx(
        numpy.mean(losses["float32"][-20:]), rel=0.005
    )


def test_micro_batches_do_not_matter(stream: TokenStream, tmp_path: Path) -> None:
    losses = [
        train(
            examples.llama(), stream, config=config(batch=16, accumulate=n, steps=8), folder=tmp_path / str(n)
        ).losses
        for n in (1, 2, 8)
    ]
    assert losses[1] == pytest.approx(losses[0], abs=2e-5)
    assert losses[2] == pytest.approx(losses[0], abs=2e-5)


def test_learns_one_batch_by_heart(tmp_path: Path) -> None:
    one = pack([[5, 3, 9, 7, 2, 8, 1, 6] * 4], tmp_path / "tokens", vocabulary=VOCABULARY, end=0)
    trained = train(
        examples.llama(), one, config=config(batch=1, steps=60, learning_rate=1e-2), folder=tmp_path / "work"
    )
    assert trained.losses[-1] < 0.05


@pytest.mark.parametrize(("make", "kind"), [(examples.llama, "bfloat16"), (examples.phi, "float32")])
def test_reloads_in_plain_transformers(make: type, kind: str, stream: TokenStream, tmp_path: Path) -> None:
    model = make()
    train(model, stream, config=config(dtype=kind), folder=tmp_path / "work")
    model.eval().save_pretrained(tmp_path / "model")
    loaded = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokens = torch.from_numpy(stream.batch(0, size=2, context=CONTEXT, seed=9))
    assert torch.equal(loaded(tokens).logits, model(tokens).logits)
    assert loaded.dtype == torch.float32
    kept = checkpoint.weights(tmp_path / "work")
    assert all(torch.equal(kept[name], weight) for name, weight in loaded.named_parameters())
    written = json.loads((tmp_path / "model" / "config.json").read_text())
    assert "sulan" not in json.dumps(written)


def test_a_finished_training_is_not_done_again(stream: TokenStream, tmp_path: Path) -> None:
    first, again = examples.llama(), examples.llama()
    trained = train(first, stream, config=config(steps=4), folder=tmp_path)
    steps: list[int] = []
    repeated = train(
        again, stream, config=config(steps=4), folder=tmp_path, on_step=lambda step, _: steps.append(step)
    )
    assert steps == []
    assert repeated.losses == trained.losses
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), again.parameters(), strict=True))


def test_arms_on_parts_of_one_pool_share_everything_else(stream: TokenStream, tmp_path: Path) -> None:
    half = stream.documents(range(0, 60, 2))
    some = stream.select(range(0, stream.count(CONTEXT), 2), context=CONTEXT)
    losses = [
        train(examples.llama(), part, config=config(steps=3), folder=tmp_path / str(number)).losses
        for number, part in enumerate((stream, half, some))
    ]
    assert len(set(losses)) == 3


def test_callers_generator_stays_where_it_was(stream: TokenStream, tmp_path: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    model = examples.llama()
    torch.manual_seed(1)
    train(model, stream, config=config(steps=2), folder=tmp_path)
    assert torch.equal(torch.rand(1), expected)


class Spoilt(nn.Module):
    """Bigrams whose logits are not finite in some calls."""

    def __init__(self, *, bad: set[int]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.table = nn.Embedding(VOCABULARY, VOCABULARY)
        self.bad, self.calls = bad, 0

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        logits = functional.linear(self.table(tokens), torch.eye(VOCABULARY, dtype=self.table.weight.dtype))
        return logits * math.nan if self.calls in self.bad else logits


def test_steps_that_are_not_finite_are_left_out_up_to_a_limit(stream: TokenStream, tmp_path: Path) -> None:
    model = Spoilt(bad={3, 6})
    trained = train(model, stream, config=config(steps=10, skips=2), folder=tmp_path / "a")
    assert [math.isnan(loss) for loss in trained.losses] == [n in (3, 6) for n in range(1, 11)]
    assert trained.skipped == 2
    assert all(torch.isfinite(weight).all() for weight in model.parameters())
    with pytest.raises(InputError, match=r"step 6: loss nan, .*; 2 such steps in all, 1 allowed"):
        train(
            Spoilt(bad={3, 6}),
            stream,
            config=config(steps=10, skips=1, checkpoint_every=1),
            folder=tmp_path / "b",
        )
    assert checkpoint.newest(tmp_path / "b").step == 5  # pyrefly: ignore[missing-attribute]
    assert [entry["step"] for entry in journal.read(tmp_path / "b")] == [1, 2, 3, 4, 5]


def test_weights_that_are_not_finite(stream: TokenStream, tmp_path: Path) -> None:
    model = examples.llama()
    with torch.no_grad():
        model.model.norm.weight[3] = math.nan
    with pytest.raises(InputError, match="step 1: loss nan"):
        train(model, stream, config=config(checkpoint_every=1), folder=tmp_path)
    assert checkpoint.newest(tmp_path) is None


def test_going_on_with_other_settings_is_refused(stream: TokenStream, tmp_path: Path) -> None:
    train(examples.llama(), stream, config=config(steps=4), folder=tmp_path)
    with pytest.raises(
        InputError, match=r"another training: learning_rate was 0.003, is 0.001; seed was 0, is 1$"
    ):
        train(examples.llama(), stream, config=config(steps=4, learning_rate=1e-3, seed=1), folder=tmp_path)
    with pytest.raises(InputError, match=r"another training: stream was"):
        train(examples.llama(), stream.documents([1, 2, 3]), config=config(steps=4), folder=tmp_path)
    with pytest.raises(InputError, match=r"another training: model was"):
        train(examples.phi(), stream, config=config(steps=4), folder=tmp_path)
    free = config(steps=4, checkpoint_every=1, keep_checkpoints=5, skips=3, sharding="full")
    assert train(examples.llama(), stream, config=free, folder=tmp_path).steps == 4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"vocab_size": 100}, "the model has 100 token ids, the stream 128"),
        ({"max_position_embeddings": 16}, "the model's context is 16 tokens, shorter than 32"),
    ],
)
def test_a_model_that_does_not_fit(wrong: dict, says: str, stream: TokenStream, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        train(examples.llama(**wrong), stream, config=config(), folder=tmp_path)


def test_a_model_that_cannot_be_trained(stream: TokenStream, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"model.embed_tokens.weight is bfloat16, not float32"):
        train(examples.llama().bfloat16(), stream, config=config(), folder=tmp_path)
    frozen = examples.llama()
    frozen.model.norm.weight.requires_grad_(False)
    with pytest.raises(InputError, match=r"model.norm.weight is frozen"):
        train(frozen, stream, config=config(), folder=tmp_path)


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"clip": 0}, {"schedule": "steep"}, {"betas": (0.9, 1.0)}, {"warmup": 21}, {"batch": 0}],
)
def test_settings_out_of_range(wrong: dict) -> None:
    with pytest.raises(InputError, match=f"{next(iter(wrong))} cannot be"):
        config(**wrong)

"""The training of a small OPT on a text, from the tokenizer to checkpoints."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sulan import models
from sulan.documents import writer
from sulan.errors import InputError
from sulan.models import tiny
from sulan.neurons import texts
from sulan.runs import seeds
from sulan.training import TrainingConfig, pack_corpus, train

BATCH = 16
LEARNING_RATE = 6e-3
"""Peak, falling linearly to nothing: of 3e-3, 6e-3 and 1e-2 what half a million parameters learned most from."""

HELD_OUT = 10
"""One document in so many is not trained on."""


@dataclass(frozen=True, kw_only=True)
class BroughtUp:
    """What a training came to."""

    parameters: int
    tokens: int
    loss: float


def bring_up(
    corpus: Path,
    folder: Path,
    work: Path,
    *,
    steps: int,
    layers: int,
    width: int,
    neurons: int,
    context: int,
    vocabulary: int,
    positions: bool,
    checkpoints: int,
    seed: int,
) -> BroughtUp:
    """Train a model on a corpus; see `sulan neurons train`.

    Parameters
    ----------
    corpus
        What to train on, a tenth of it left out.
    folder
        Where `model`, `held-out` and the checkpoints go.
    work
        Survives a kill: tokens, and the training's own checkpoints.
    steps, layers, width, neurons, context, vocabulary, positions, checkpoints, seed
        As the verb has them.
    """
    (folder / "held-out").mkdir()
    held = writer.filtered(corpus, _held_out, folder / "held-out")
    if not held:
        raise InputError("the text has too few documents for one to be held out")
    training = work / "training"
    shutil.rmtree(training, ignore_errors=True)  # of a run that was killed while it was written
    training.mkdir(parents=True)
    writer.filtered(corpus, lambda batch: pc.invert(_held_out(batch)), training)
    tokenizer = tiny.tokenizer(texts.texts(training), vocabulary=vocabulary, context=context)
    stream = pack_corpus(training, tokenizer, work / "tokens")
    model = tiny.opt(
        vocabulary=len(tokenizer),
        layers=layers,
        width=width,
        heads=width // 16,
        hidden=neurons,
        context=context,
        seed=seed,
    )
    if not positions:
        embedding: Any = model.get_submodule("model.decoder.embed_positions")
        embedding.weight.data.zero_()
        embedding.register_forward_hook(lambda _m, _i, found: found * 0)  # no gradient: zero they stay
    kept = {steps * number // checkpoints for number in range(1, checkpoints)}

    def keep(step: int, _loss: float) -> None:
        if step in kept:
            _save(model, tokenizer, folder / f"step-{step:06d}")

    trained = train(
        model,
        stream,
        config=TrainingConfig(
            steps=steps,
            batch=BATCH,
            context=context,
            learning_rate=LEARNING_RATE,
            schedule="linear",
            warmup=steps // 20,
            dtype="float32",
            seed=seed,
        ),
        folder=work / "steps",
        on_step=keep,
    )
    _save(model, tokenizer, folder / "model")
    return BroughtUp(
        parameters=sum(each.numel() for each in model.parameters()),
        tokens=trained.tokens,
        loss=sum(trained.losses[-10:]) / len(trained.losses[-10:]),
    )


def _held_out(batch: pa.RecordBatch) -> pa.Array:
    names = batch.column(batch.schema.get_field_index("id")).to_pylist()
    return pa.array([seeds.key(0, f"held out {name}") % HELD_OUT == 0 for name in names])


def _save(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Save a copy, which the training's own changes to the model do not reach."""
    copy = type(model)(model.config).eval()
    copy.load_state_dict({name: each.detach().float() for name, each in model.state_dict().items()})
    folder.mkdir()
    models.save(copy, tokenizer, folder)

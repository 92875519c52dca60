"""What `sulan textbook pretrain` does: tokenizer, mix, model, training, checkpoints that others read."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sulan import models
from sulan.errors import InputError
from sulan.models import devices, tiny
from sulan.textbook import mixing
from sulan.textbook.mixing import Part
from sulan.textbook.presets import TRAININGS, Learning, Preset, Shape
from sulan.training import Trained, TrainingConfig, checkpoint, pack, train
from sulan.training.stream import TokenStream

CHECKPOINTS = "checkpoints"


@dataclass(frozen=True, kw_only=True)
class Made:
    """A trained model and what it was trained on."""

    trained: Trained
    parts: tuple[Part, ...]
    tokens: int
    parameters: int


def settings(preset: Preset, learning: Learning, shape: Shape, *, seed: int) -> TrainingConfig:
    """Return a preset's training with what was changed.

    Raises
    ------
    InputError
        A value is out of range, or sequences are longer than the model takes.
    """
    base = TRAININGS[preset]
    context = int(base["context"]) if learning.context is None else learning.context
    if context > shape.context:
        raise InputError(f"sequences of {context} tokens do not fit a model of {shape.context}")
    return TrainingConfig(
        steps=int(base["steps"]) if learning.steps is None else learning.steps,
        batch=int(base["batch"]) if learning.batch is None else learning.batch,
        context=context,
        learning_rate=base["learning_rate"] if learning.learning_rate is None else learning.learning_rate,
        warmup=learning.warmup,
        schedule=learning.schedule,
        dtype=learning.dtype,
        accumulate=learning.accumulate,
        sharding=learning.sharding,
        checkpoint_every=learning.checkpoint_every,
        seed=seed,
    )


def tokenizer(name: str, corpora: list[Path], *, shape: Shape) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a model, or a byte-level BPE learned from the corpora."""
    if not name:
        return tiny.tokenizer(mixing.texts(corpora), vocabulary=shape.vocabulary, context=shape.context)
    found = models.load(name).tokenizer
    if not isinstance(found, PreTrainedTokenizerFast):
        raise InputError(f"the tokenizer of {name} is no file of the tokenizers library")
    if len(found) > shape.vocabulary:
        raise InputError(f"the tokenizer of {name} has {len(found)} tokens, the model {shape.vocabulary}")
    return found


def model(shape: Shape, *, seed: int) -> PreTrainedModel:
    """Return a phi with random weights, which depend on the shape and the seed alone."""
    return tiny.phi(
        vocabulary=shape.vocabulary,
        layers=shape.layers,
        width=shape.width,
        heads=shape.heads,
        hidden=4 * shape.width,
        context=shape.context,
        seed=seed,
    )


def run(
    corpora: list[Path],
    folder: Path,
    *,
    shape: Shape,
    training: TrainingConfig,
    mix: tuple[float, ...],
    name: str,
    models_every: int,
    work: Path,
    seed: int,
    device: str,
) -> Made:
    """Train a model and write it, with those on the way.

    Parameters
    ----------
    corpora, mix
        What is read, and in which shares.
    folder
        Where the checkpoint goes.
    shape, training
        What and how to train.
    name
        Whose tokenizer; empty: one is learned.
    models_every
        Steps between models that are saved on the way; 0: none.
    work
        Folder that survives a kill.
    seed
        Of the weights and of the mix.
    device
        `auto`, `cpu` or `cuda`.
    """
    every = training.checkpoint_every
    if models_every < 0 or (models_every and (not every or models_every % every)):
        raise InputError(
            f"models every {models_every} steps cannot be made of checkpoints every {every}",
            hint="--models-every must be a multiple of --learning.checkpoint-every",
        )
    words = tokenizer(name, corpora, shape=shape)
    parts = mixing.divide(corpora, words, mix=mix, seed=seed)
    stream = packed(parts, words, work / "tokens", shape=shape)
    network: Any = model(shape, seed=seed)
    network = network.to(devices.device(device))
    between = work / CHECKPOINTS

    def save(step: int, _: float) -> None:
        before = step - 1  # its checkpoint is whole: a step's is written after this call
        if before and models_every and before % models_every == 0:
            _write(work / "training", words, between / f"step-{before:07d}", shape=shape, seed=seed)

    done = train(network, stream, config=training, folder=work / "training", on_step=save)
    models.save(network, words, folder)
    made = sorted(between.glob("step-*")) if models_every else []
    for place in made:
        if int(place.name.partition("-")[2]) % models_every == 0:
            shutil.copytree(place, folder / CHECKPOINTS / place.name)
    return Made(
        trained=done,
        parts=tuple(parts),
        tokens=stream.tokens,
        parameters=sum(weight.numel() for weight in network.parameters()),
    )


def _write(training: Path, words: PreTrainedTokenizerFast, place: Path, *, shape: Shape, seed: int) -> None:
    """Write the newest checkpoint as a model in float32, whole or not at all.

    The network that trains is no source: its weights may be bfloat16 copies, and its attention another.
    """
    if place.exists():
        return
    aside = place.with_name(f".{place.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    found = model(shape, seed=seed)
    found.load_state_dict(checkpoint.weights(training))
    models.save(found, words, aside)
    aside.rename(place)


def packed(parts: list[Part], words: PreTrainedTokenizerFast, folder: Path, *, shape: Shape) -> TokenStream:
    """Write the tokens of chosen documents into a folder, each with the token that ends it.

    Raises
    ------
    InputError
        The tokenizer has no such token.
    """
    end = words.convert_tokens_to_ids(str(words.eos_token))
    if not isinstance(end, int):
        raise InputError("the tokenizer has no token that ends a document")
    return pack(
        mixing.documents(parts, words), folder, vocabulary=shape.vocabulary, end=end, tokenizer=_named(words)
    )


def _named(words: PreTrainedTokenizerFast) -> str:
    import hashlib

    return hashlib.sha256(words.backend_tokenizer.to_str().encode()).hexdigest()

"""Train the small models of this room: references, and the models that a comparison compares.

The loop is `sulan.training`; here are the shape, the tokenizer, and the checkpoints on the way that score as
early references. Not covered: several cards (torchrun calls `sulan.training` itself).
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from transformers import PreTrainedModel, PreTrainedTokenizerFast

from sulan import models
from sulan.models import tiny
from sulan.prune.plans import FINAL, Pretraining, Shape
from sulan.training import TokenStream, Trained, train


def tokenizer(texts: Iterable[str], *, shape: Shape, context: int) -> PreTrainedTokenizerFast:
    """Train the byte-level BPE of a shape on texts."""
    return tiny.tokenizer(texts, vocabulary=shape.vocabulary, context=context)


def model(shape: Shape, *, context: int, seed: int) -> PreTrainedModel:
    """Return a model of a shape with random weights, which depend on the seed and the shape alone."""
    sizes = {
        "vocabulary": shape.vocabulary,
        "layers": shape.layers,
        "width": shape.width,
        "heads": shape.heads,
        "context": context,
        "seed": seed,
    }
    if shape.family == "llama":  # three matrices of 8/3 of the width are as large as two of 4 times
        return tiny.llama(key_value_heads=shape.heads, hidden=8 * shape.width // 3, **sizes)
    made = tiny.phi if shape.family == "phi" else tiny.opt
    return made(hidden=4 * shape.width, **sizes)


def checkpoints(
    stream: TokenStream,
    tokenizer: PreTrainedTokenizerFast,
    *,
    shape: Shape,
    training: Pretraining,
    percents: Iterable[int],
    work: Path,
    seed: int,
) -> tuple[Mapping[int, Path], Trained, int]:
    """Train a model and save it on the way and at the end.

    Parameters
    ----------
    stream
        What to train on.
    tokenizer
        Saved with every checkpoint.
    shape, training
        What and how to train.
    percents
        Percent of the steps after which the model is saved; 100 always is.
    work
        Folder that survives a kill; the saved models are in it.
    seed
        Of the weights; the order's is the training's own.

    Returns
    -------
    tuple
        Folder of the model by percent; what the training did; number of parameters.
    """
    trained = model(shape, context=training.context, seed=seed)
    wanted = {max(1, round(training.steps * percent / 100)): percent for percent in percents}
    folders = {percent: work / f"at-{percent}" for percent in [*wanted.values(), FINAL]}

    def save(step: int, _: float) -> None:
        # Before the loop's own checkpoint of this step: who is killed here comes by again, and writes it whole.
        if step in wanted:
            models.save(trained, tokenizer, folders[wanted[step]])

    for folder in folders.values():
        folder.mkdir(parents=True, exist_ok=True)
    done = train(trained, stream, config=training, folder=work / "training", on_step=save)
    models.save(trained, tokenizer, folders[FINAL])
    return folders, done, sum(p.numel() for p in trained.parameters())

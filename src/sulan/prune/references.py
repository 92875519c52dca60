"""How reference models are made: the work behind `sulan prune reference`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from transformers import PreTrainedTokenizerFast

from sulan import models
from sulan.documents import reader
from sulan.documents.schema import TEXT
from sulan.errors import InputError
from sulan.models import tokens
from sulan.prune import kneser_ney, pretraining
from sulan.prune import ngram as ngrams
from sulan.prune.plans import FINAL, Pretraining, Shape
from sulan.reports.report import Cell
from sulan.training import pack_corpus


def tokenizer(corpus: Path, name: str, *, shape: Shape, context: int) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a model, or one learned from the corpus."""
    if name:
        found = models.load(name).tokenizer
        if not isinstance(found, PreTrainedTokenizerFast):
            raise InputError(f"the tokenizer of {name} is no file of the tokenizers library")
        return found
    return pretraining.tokenizer(texts(corpus), shape=shape, context=context)


def texts(corpus: Path) -> Iterator[str]:
    """Give the texts of a corpus."""
    for batch in reader.batches(corpus, [TEXT]):
        yield from batch.column(0).to_pylist()


def ngram(corpus: Path, words: PreTrainedTokenizerFast, folder: Path, *, order: int) -> dict[str, Cell]:
    """Write an n-gram model, and return what there is to say about it."""
    documents = list(tokens.encode(words, texts(corpus)))
    if not documents:
        raise InputError(f"{corpus} has no document to count n-grams in")
    with (folder / ngrams.MODEL).open("w", encoding="ascii") as file:
        file.writelines(kneser_ney.estimate(documents, order=order, vocabulary=len(words)))
    words.backend_tokenizer.save(str(folder / ngrams.TOKENIZER))
    return {"order": order, "tokens": sum(map(len, documents)), "vocabulary": len(words)}


def neural(
    corpus: Path,
    words: PreTrainedTokenizerFast,
    folder: Path,
    *,
    shape: Shape,
    training: Pretraining,
    early: tuple[int, ...],
    work: Path,
    seed: int,
) -> dict[str, Cell]:
    """Train a neural model, write its checkpoints, and return what there is to say about it."""
    stream = pack_corpus(corpus, words, work / "tokens")
    found, done, parameters = pretraining.checkpoints(
        stream,
        words,
        shape=shape,
        training=training,
        percents=[percent for percent in early if percent < FINAL],
        work=work,
        seed=seed,
    )
    for percent, made in found.items():
        shutil.copytree(
            made, folder if percent == FINAL else folder / "checkpoints" / str(percent), dirs_exist_ok=True
        )
    return {
        "parameters": parameters,
        "tokens": stream.tokens,
        "tokens seen": done.tokens,
        "first loss": done.losses[0],
        "last loss": done.losses[-1],
    }

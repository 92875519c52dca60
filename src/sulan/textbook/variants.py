"""The stages of `sulan textbook ablate`: split, pack, train and judge. Each runs in a process of its own."""

import math
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy
import pyarrow as pa

from sulan.documents import reader, writer
from sulan.documents.schema import ID, TEXT
from sulan.errors import InputError
from sulan.evaluation import choices
from sulan.evaluation.perplexity import perplexity
from sulan.models import LanguageModel, devices
from sulan.runs import seeds
from sulan.textbook import measured, mixing, pretraining, tasks
from sulan.textbook.presets import Shape
from sulan.training import TrainingConfig, train
from sulan.training import stream as streams

TEXTBOOK, WEB, MIXED = "textbook", "web", "mixed"
VARIANTS = (TEXTBOOK, WEB, MIXED)
DOMAINS = (TEXTBOOK, WEB)
TOKENIZER = "tokenizer"


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One model: what it is trained on, and the seed of its weights and its order."""

    variant: str
    seed: int


def prepare(
    _: int,
    folder: Path,
    *,
    textbook: Path,
    web: Path,
    share: float,
    held_out: float,
    count: int,
    shape: Shape,
    seed: int,
) -> dict[str, Any]:
    """Split both corpora by document, learn one tokenizer, and pack what each variant is trained on.

    Every variant has as many different tokens as any other: those of the smaller corpus.

    Parameters
    ----------
    folder
        Where a corpus for each side of each split, the tokenizer and the tokens of each variant go.
    textbook, web
        Corpora.
    share
        Of the textbook's tokens in the mix.
    held_out
        Share of the documents that models are judged on.
    count
        Exercises of each kind.
    shape
        Of the models.
    seed
        Of the split, the mix and the exercises.

    Returns
    -------
    dict
        Documents and tokens by variant, and what was found of the held-out texts and the exercises in what the two pure
        variants could read.
    """
    for name, corpus in ((TEXTBOOK, textbook), (WEB, web)):
        for side, held in ((name, False), (_held_out(name), True)):
            kept = writer.filtered(
                corpus,
                lambda batch, held=held: pa.array(
                    [_held(one, held_out, seed) is held for one in batch.column(ID).to_pylist()]
                ),
                folder / side,
            )
            if kept < 2:
                raise InputError(f"{corpus} has too few documents to split", hint="give more documents")
    corpora = [folder / name for name in DOMAINS]
    words = pretraining.tokenizer("", corpora, shape=shape)
    words.save_pretrained(folder / TOKENIZER)
    most = min(part.tokens for part in mixing.divide(corpora, words, mix=(), seed=seed))
    mixes = {
        TEXTBOOK: (corpora[:1], (1.0,)),
        WEB: (corpora[1:], (1.0,)),
        MIXED: (corpora, (share, 1 - share)),
    }
    sizes = {}
    for variant, (read, mix) in mixes.items():
        parts = mixing.divide(read, words, mix=mix, seed=seed, most=most)
        pretraining.packed(parts, words, folder / f"{variant}-tokens", shape=shape)
        sizes[variant] = {
            "documents": sum(len(part.chosen) for part in parts),
            "tokens": sum(part.given for part in parts),
        }
    judged = {_held_out(name): list(_texts(folder / _held_out(name))) for name in DOMAINS}
    judged |= {
        task: [(item.id, item.context) for item in items]
        for task, items in exercises(count=count, seed=seed).items()
    }
    found = {name: measured.seen(judged, [folder / name]) for name in DOMAINS}
    return {
        "sizes": sizes,
        "texts": {task: len(texts) for task, texts in judged.items()},
        "seen": {
            name: {task: len(each.ids) for task, each in known.items()} for name, known in found.items()
        },
    }


def exercises(*, count: int, seed: int) -> dict[str, list[choices.Item]]:
    """Return what all models are asked, by task."""
    return {
        "exercises": tasks.problem_items(count=count, seed=seed),
        "cloze": tasks.cloze_items(count=count, seed=seed),
    }


def train_and_judge(
    trial: Trial,
    folder: Path,
    *,
    prepared: Path,
    shape: Shape,
    training: TrainingConfig,
    count: int,
    work: str,
    device: str,
    seed: int,
) -> dict[str, Any]:
    """Train one model, and judge it on both domains and the exercises.

    Parameters
    ----------
    trial
        Variant and seed.
    folder
        Where `TASK.npy` goes: 1 for each exercise that was answered right, float64 [exercises].
    prepared
        What `prepare` made.
    shape, training
        The settings.
    count, seed
        Exercises of each kind, and their seed: the same for all models.
    work
        Folder of the training, which survives a kill.
    device
        `auto`, `cpu` or `cuda`.
    """
    from transformers import PreTrainedTokenizerFast

    config = replace(training, seed=trial.seed)
    stream = streams.read(prepared / f"{trial.variant}-tokens")
    network: Any = pretraining.model(shape, seed=trial.seed)
    network = network.to(devices.device(device))
    place = Path(work) / f"{trial.variant}-{trial.seed}"
    done = train(network, stream, config=config, folder=place)
    language_model = LanguageModel(
        model=network.eval().requires_grad_(False),
        tokenizer=PreTrainedTokenizerFast.from_pretrained(prepared / TOKENIZER, local_files_only=True),
        name=f"{trial.variant} {trial.seed}",
        fingerprint="",
        tokenizer_fingerprint="",
        context=config.context,
    )
    numbers: dict[str, float] = {}
    for domain in DOMAINS:
        judged = perplexity(language_model, prepared / _held_out(domain), label=f"judge {trial.variant}")
        numbers[domain] = judged.bits_per_byte
    for task, items in exercises(count=count, seed=seed).items():
        right = choices.accuracy(choices.choose(language_model, items, label=task))
        numpy.save(folder / f"{task}.npy", right)
        numbers[task] = float(right.mean())
    shutil.rmtree(place)
    return {**asdict(trial), "loss": done.losses[-1], "tokens": done.tokens, **numbers}


def _held_out(name: str) -> str:
    return f"{name}-held-out"


def _held(document: str, fraction: float, seed: int) -> bool:
    return seeds.key(seed, f"held out {document}") < math.floor(fraction * 2**128)


def _texts(corpus: Path) -> Iterator[tuple[str, str]]:
    for batch in reader.batches(corpus, [ID, TEXT]):
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)

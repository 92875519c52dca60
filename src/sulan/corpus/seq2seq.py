"""A small T5-style translation model: tokenizer, weights, training that resumes bit by bit.

The encoder reads `<2xx>` and the source, the decoder writes the target, as the released MADLAD-400 models do
(2309.04662, section 4.1). A step's sentences are drawn from (seed, step). Little text does not teach a decoder where
to look before it has learned to write by itself, so one head is shown it (`guidance`). Not covered: the monolingual
half of the paper's training (MASS), several cards.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast, T5Config, T5ForConditionalGeneration

from sulan.corpus import guidance
from sulan.corpus.alignment import align
from sulan.corpus.pairs import Pair
from sulan.corpus.translation import Shape, Training
from sulan.corpus.unimax import budgets
from sulan.models import devices
from sulan.runs import outputs, seeds
from sulan.runs.progress import progress
from sulan.training import checkpoint, schedule
from sulan.training.checkpoint import Checkpoint
from sulan.training.config import TrainingConfig
from sulan.training.journal import Journal, read

POOL = 16
"""Steps whose pairs are drawn together and divided by length. Of a batch of 64 Bible verses drawn one by one nearly
half was padding."""

MULTIPLE = 8
"""Tokens: the length of a batch is a multiple."""

PAD, END, UNKNOWN = "<pad>", "</s>", "<unk>"


def tag(language: str) -> str:
    """Return the token that asks for a language."""
    return f"<2{language}>"


def tokenizer(texts: Sequence[str], languages: Sequence[str], *, vocabulary: int) -> PreTrainedTokenizerFast:
    """Train one byte-pair vocabulary for all languages; every byte is in it, so no text is unknown."""
    special = [PAD, END, UNKNOWN, *(tag(language) for language in languages)]
    words = Tokenizer(models.BPE(unk_token=UNKNOWN))
    words.normalizer = normalizers.NFC()
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    words.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=special,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    words.train_from_iterator(texts, trainer)
    words.post_processor = processors.TemplateProcessing(
        single=f"$A {END}", special_tokens=[(END, special.index(END))]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=words,
        pad_token=PAD,
        eos_token=END,
        unk_token=UNKNOWN,
        additional_special_tokens=special[3:],
        model_max_length=512,
    )


def model(words: PreTrainedTokenizerFast, shape: Shape, *, seed: int) -> T5ForConditionalGeneration:
    """Return a model with random weights of its own seed."""
    config = T5Config(
        vocab_size=len(words),
        d_model=shape.width,
        d_kv=shape.width // shape.heads,
        d_ff=2 * shape.width,
        num_layers=shape.layers,
        num_decoder_layers=shape.layers,
        num_heads=shape.heads,
        feed_forward_proj="gated-gelu",
        dropout_rate=0.0,
        pad_token_id=words.pad_token_id,
        eos_token_id=words.eos_token_id,
    )
    config.decoder_start_token_id = words.pad_token_id
    with torch.random.fork_rng([]):
        torch.manual_seed(seeds.key(seed, "translation model") % 2**63)
        return T5ForConditionalGeneration(config)


@dataclass(frozen=True, kw_only=True)
class Encoded:
    """Pairs as tokens, by direction, and how often each direction is drawn."""

    sources: dict[str, list[list[int]]]
    targets: dict[str, list[list[int]]]
    shares: dict[str, float]
    places: dict[str, list[NDArray[np.int32]]] = field(default_factory=dict)
    """Of the source token that each target token translates; empty: not asked for."""

    @property
    def tokens(self) -> int:
        """Tokens of all pairs, both sides."""
        return sum(
            len(line) for side in (self.sources, self.targets) for each in side.values() for line in each
        )


def encode(pairs: Sequence[Pair], words: PreTrainedTokenizerFast, training: Training) -> Encoded:
    """Return pairs as tokens; those longer than `training.longest` are cut there."""
    sources: dict[str, list[list[int]]] = {}
    targets: dict[str, list[list[int]]] = {}
    asks = words.get_vocab()
    both = [
        words(texts, truncation=True, max_length=training.longest)["input_ids"]
        for texts in ([pair.text for pair in pairs], [pair.translation for pair in pairs])
    ]
    for pair, source, target in zip(pairs, *both, strict=True):
        sources.setdefault(pair.direction, []).append([asks[tag(pair.target_lang)], *source])
        targets.setdefault(pair.direction, []).append(target)
    names = sorted(sources)
    given = budgets(
        [len(sources[name]) for name in names], budget=training.steps * training.batch, epochs=training.epochs
    )
    places: dict[str, list[NDArray[np.int32]]] = {}
    if training.guidance:
        lines = [[line for name in names for line in side[name]] for side in (sources, targets)]
        found = iter(align(*lines, vocabulary=len(words)))
        places = {name: [next(found) for _ in sources[name]] for name in names}
    return Encoded(
        sources=sources,
        targets=targets,
        shares={n: b / sum(given) for n, b in zip(names, given, strict=True)},
        places=places,
    )


def train(
    network: T5ForConditionalGeneration,
    data: Encoded,
    *,
    training: Training,
    seed: int,
    about: dict[str, Any],
    folder: Path,
) -> list[float]:
    """Train from the newest checkpoint in a work folder; return the loss of every step, nats a token."""
    folder.mkdir(parents=True, exist_ok=True)
    rates = TrainingConfig(
        steps=training.steps,
        batch=training.batch,
        context=training.longest,
        learning_rate=training.learning_rate,
        schedule="cosine",
        warmup=min(training.warmup, training.steps),
    )
    dtype = devices.dtype(training.dtype, torch.device("cpu"))
    names = dict(network.named_parameters())
    # Steps in proportion to the size of the weights: T5's embeddings are a hundred times as large as its queries, and
    # AdamW's equal ones took 300 steps to the held-out loss that these reach within 120.
    optimizer = torch.optim.Adafactor(names.values(), lr=0.0)
    about = {**about, "training": asdict(training), "dtype": str(dtype), "seed": seed}
    with ExitStack() as stack:
        stack.enter_context(outputs.locked(folder.absolute() / "training"))
        found = checkpoint.newest(folder)
        done = 0
        if found:
            checkpoint.check_same(found.about, about, folder=folder)
            _load(names, optimizer, found)
            done = found.step
        network.train()
        head = stack.enter_context(guidance.Head(network)) if training.guidance else None
        journal = stack.enter_context(Journal(folder, step=done))
        for step in progress(range(done, training.steps), label="corpus translate-train"):
            rate = schedule.learning_rate(step, rates)
            for group in optimizer.param_groups:
                group["lr"] = rate
            places = drawn(data, training.batch, seed=seed, step=step)
            with torch.autocast("cpu", torch.bfloat16, enabled=dtype == torch.bfloat16):
                batch = _batch(data, places)
                loss = network(**batch).loss
                total = loss
                if head:
                    shown = _padded([data.places[name][number] for name, number in places], 0)
                    total = loss + training.guidance * head.loss(shown, batch)
            total.backward()
            torch.nn.utils.clip_grad_norm_(names.values(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            journal.write({"step": step + 1, "loss": loss.item(), "learning_rate": rate})
            if (step + 1) % training.checkpoint_every == 0 or step + 1 == training.steps:
                checkpoint.save(_state(names, optimizer, step + 1, about), folder, keep=2)
    return [entry["loss"] for entry in read(folder)]


def _batch(data: Encoded, places: Sequence[tuple[str, int]]) -> dict[str, torch.Tensor]:
    sources = [data.sources[name][place] for name, place in places]
    targets = [data.targets[name][place] for name, place in places]
    inputs = _padded(sources, 0)
    return {
        "input_ids": inputs,
        "attention_mask": _padded([[1] * len(line) for line in sources], 0),
        "labels": _padded(targets, -100),
    }


def drawn(data: Encoded, size: int, *, seed: int, step: int) -> list[tuple[str, int]]:
    """Return the direction and number of each pair of a step, which are about as long as one another."""
    pool, turn = divmod(step, POOL)
    draw = seeds.generator(seed, f"translation steps {pool}")
    names = list(data.shares)
    chosen = draw.choice(len(names), POOL * size, p=list(data.shares.values()))
    counts = np.array([len(data.sources[name]) for name in names])
    numbers = (draw.random(POOL * size) * counts[chosen]).astype(int)
    places = [(names[name], int(number)) for name, number in zip(chosen, numbers, strict=True)]
    places.sort(key=lambda at: len(data.sources[at[0]][at[1]]) + len(data.targets[at[0]][at[1]]))
    first = size * int(draw.permutation(POOL)[turn])
    return places[first : first + size]


def _padded(lines: Sequence[Sequence[int] | NDArray[np.int32]], filler: int) -> torch.Tensor:
    # Few different lengths: with all of them memory grew to 6.9 GB in 4,000 steps, with these to 2.9 GB in 2,400.
    longest = -(-max(map(len, lines)) // MULTIPLE) * MULTIPLE
    table = np.full((len(lines), longest), filler, np.int64)
    for row, line in enumerate(lines):
        table[row, : len(line)] = line
    return torch.from_numpy(table)


def _state(
    names: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, step: int, about: dict[str, Any]
) -> Checkpoint:
    state = {f"weight/{name}": weight.detach().clone() for name, weight in names.items()}
    for name, weight in names.items():
        state |= {f"{kind}/{name}": value for kind, value in _moments(optimizer.state[weight])}
    return Checkpoint(step=step, skipped=0, about=about, state=state)


def _moments(state: Mapping[str, torch.Tensor]) -> Iterator[tuple[str, torch.Tensor]]:
    yield from ((kind, value) for kind, value in state.items() if kind != "step")


def _load(names: dict[str, torch.nn.Parameter], optimizer: torch.optim.Optimizer, found: Checkpoint) -> None:
    kinds: dict[str, dict[str, torch.Tensor]] = {name: {} for name in names}
    for key, value in found.state.items():
        kind, name = key.split("/", 1)
        if kind != "weight":
            kinds[name][kind] = value.clone()
    with torch.no_grad():
        for name, weight in names.items():
            weight.copy_(found.state[f"weight/{name}"])
            optimizer.state[weight] = {"step": torch.tensor(float(found.step)), **kinds[name]}

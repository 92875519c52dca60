"""Texts that a model writes: greedily or sampled, in batches with a key-value cache.

A prompt's text depends on the prompt, its id and the seed, not on the prompts beside it: every row has its own
positions and mask, and draws from `runs.seeds`. The one exception is rounding: a row's logits differ in their
last bits between batches, so where two tokens are within about 1e-6 of each other (float32; 1e-2 in bfloat16)
another batch size may take the other one.

Not covered: beam search, penalties, speculative decoding; servers (`sulan.chat`).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal

import numpy
import torch
from transformers import Cache, DynamicCache

from sulan.errors import BrokenArtefact, InputError
from sulan.evaluation import encoding
from sulan.evaluation.order import in_order
from sulan.models import LanguageModel
from sulan.runs import seeds
from sulan.runs.progress import progress

Finish = Literal["end", "stop", "length"]

_POOL = 16
"""Batches whose prompts are sorted by length together."""


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How tokens are chosen.

    Attributes
    ----------
    temperature
        0 is greedy. Default: greedy, as evaluations are (lm-eval's default).
    top_p
        Smallest set of likeliest tokens whose probabilities reach this; 1: all.
    top_k
        At most so many likeliest tokens; 0: all.
    seed
        With the prompt's id it decides what is drawn.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Generation:
    """What the model wrote.

    Attributes
    ----------
    id
        The prompt's.
    text
        Without the prompt, and without the stop string and what came after it.
    tokens
        All tokens that were generated, the one that ended the text included.
    finish
        `end`: the model ended its text; `stop`: a stop string came; `length`: there was no room for more.
    dropped
        Tokens at the beginning of the prompt that found no place in the context.
    """

    id: str
    text: str
    tokens: tuple[int, ...]
    finish: Finish
    dropped: int


@dataclass
class _Row:
    """A prompt on its way."""

    id: str
    prompt: tuple[int, ...]
    dropped: int
    generator: numpy.random.Generator
    made: list[int] = field(default_factory=list)


def generate(
    language_model: LanguageModel,
    prompts: Mapping[str, str | Sequence[int]],
    *,
    max_tokens: int = 256,
    stop: Sequence[str] = (),
    sampling: Sampling = Sampling(),
    batch: int = 16,
    prefix: Sequence[int] = (),
    label: str = "generate",
) -> Iterator[Generation]:
    """Yield the continuation of every prompt, in order.

    Parameters
    ----------
    language_model
        What writes.
    prompts
        By stable id: plain text, or tokens (a chat template's, which hold special tokens).
    max_tokens
        Most tokens of a continuation. Default: lm-eval's.
    stop
        Strings that end a continuation and are cut off.
    sampling
        How tokens are chosen.
    batch
        Prompts that are continued together.
    prefix
        Tokens that stand before every prompt, such as worked examples; they are read once. Prompts are best given
        as tokens then: a text gets the beginning-of-text token of its own.
    label
        What the progress says.

    Raises
    ------
    InputError
        An empty prompt or stop string, no room for a continuation, or a parameter out of its range.
    BrokenArtefact
        The model's logits are not finite.
    """
    _check(
        language_model,
        max_tokens=max_tokens,
        stop=stop,
        sampling=sampling,
        batch=batch,
        prefix=len(prefix),
    )
    made = _generated(
        language_model,
        prompts,
        max_tokens=max_tokens,
        stop=tuple(stop),
        sampling=sampling,
        batch=batch,
        prefix=tuple(prefix),
    )
    yield from in_order(progress(made, label=label, total=len(prompts)))


def _generated(
    language_model: LanguageModel,
    prompts: Mapping[str, str | Sequence[int]],
    *,
    max_tokens: int,
    stop: tuple[str, ...],
    sampling: Sampling,
    batch: int,
    prefix: tuple[int, ...],
) -> Iterator[tuple[int, Generation]]:
    """Yield prompts' places and their continuations as they end."""
    shown, begin = iter(prompts.items()), 0
    room = language_model.context - max_tokens - len(prefix)
    shared = _shared(language_model, prefix)
    while pool := list(islice(shown, batch * _POOL)):
        rows = _rows(language_model, pool, room=room, seed=sampling.seed)
        places = {row.id: place for place, row in enumerate(rows, begin)}
        order = sorted(rows, key=lambda row: (len(row.prompt), row.id))
        for start in range(0, len(order), batch):
            for found in _continue(
                language_model,
                order[start : start + batch],
                max_tokens=max_tokens,
                stop=stop,
                sampling=sampling,
                shared=shared,
            ):
                yield places[found.id], found
        begin += len(pool)


def _check(
    language_model: LanguageModel,
    *,
    max_tokens: int,
    stop: Sequence[str],
    sampling: Sampling,
    batch: int,
    prefix: int,
) -> None:
    room = language_model.context - prefix
    if not 0 < max_tokens < room:
        taken = f" after a prefix of {prefix}" if prefix else ""
        raise InputError(
            f"max_tokens is {max_tokens}; it must lie between 1 and {room - 1},"
            f" the context of {language_model.name}{taken} without one token of a prompt"
        )
    if isinstance(stop, str) or not all(stop):
        raise InputError(f"stop is {stop!r}; it must be a list of strings that are not empty")
    if sampling.temperature < 0 or not 0 < sampling.top_p <= 1 or sampling.top_k < 0:
        raise InputError(f"no token can be drawn with {sampling}")
    if batch < 1:
        raise InputError(f"batch is {batch}; it must be positive")


def _rows(
    language_model: LanguageModel, prompts: Sequence[tuple[str, str | Sequence[int]]], *, room: int, seed: int
) -> list[_Row]:
    encoded = encoding.prompts(
        language_model.tokenizer, [prompt for _, prompt in prompts if isinstance(prompt, str)]
    )
    rows = []
    for name, prompt in prompts:
        tokens = next(encoded) if isinstance(prompt, str) else tuple(prompt)
        if not tokens:
            raise InputError(f"the prompt {name!r} has no tokens")
        rows.append(
            _Row(
                id=name,
                prompt=tokens[-room:],
                dropped=max(0, len(tokens) - room),
                generator=seeds.generator(seed, f"generation {name}"),
            )
        )
    return rows


@torch.inference_mode()
def _continue(
    language_model: LanguageModel,
    rows: Sequence[_Row],
    *,
    max_tokens: int,
    stop: tuple[str, ...],
    sampling: Sampling,
    shared: Cache | None,
) -> Iterator[Generation]:
    """Continue rows together; a row that ends leaves the batch and its cache."""
    model, ends = language_model.model, _ends(language_model)
    longest = max(len(row.prompt) for row in rows)
    # Padding stands at the left, so that all rows go on at the same place of the cache.
    read = torch.zeros(len(rows), longest, dtype=torch.int64)
    mask = torch.zeros(len(rows), longest, dtype=torch.int64)
    for number, row in enumerate(rows):
        read[number, longest - len(row.prompt) :] = torch.tensor(row.prompt)
        mask[number, longest - len(row.prompt) :] = 1
    read, mask = read.to(model.device), mask.to(model.device)
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    if shared is None:
        cache: Cache = DynamicCache(config=model.config)
    else:
        before = shared.get_seq_length()
        cache = copy.deepcopy(shared)
        cache.batch_repeat_interleave(len(rows))
        mask = torch.cat([mask.new_ones(len(rows), before), mask], dim=1)
        positions = positions + before
    alive = list(rows)
    while True:
        logits = model(
            input_ids=read,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]
        for row, token in zip(alive, _chosen(language_model, logits, alive, sampling), strict=True):
            row.made.append(token)
        keep = []
        for number, row in enumerate(alive):
            finish = _finish(language_model, row, ends=ends, stop=stop, max_tokens=max_tokens)
            if finish is None:
                keep.append(number)
            else:
                yield _generation(language_model, row, finish=finish, stop=stop)
        if not keep:
            return
        if len(keep) < len(alive):
            left = torch.tensor(keep, device=mask.device)
            cache.batch_select_indices(left)
            mask, positions = mask[left], positions[left]
            alive = [alive[number] for number in keep]
        read = torch.tensor([[row.made[-1]] for row in alive], device=mask.device)
        mask = torch.cat([mask, torch.ones_like(mask[:, :1])], dim=1)
        positions = positions[:, -1:] + 1


@torch.inference_mode()
def _shared(language_model: LanguageModel, prefix: tuple[int, ...]) -> Cache | None:
    """Read what stands before every prompt, once."""
    if not prefix:
        return None
    model = language_model.model
    cache = DynamicCache(config=model.config)
    model(
        input_ids=torch.tensor([prefix], device=model.device),
        past_key_values=cache,
        use_cache=True,
        logits_to_keep=1,
    )
    return cache


def _ends(language_model: LanguageModel) -> frozenset[int]:
    """Return the tokens that end a text: the generation configuration's and the tokenizer's."""
    configuration = language_model.model.generation_config
    configured = configuration.eos_token_id if configuration is not None else None
    named = configured if isinstance(configured, list) else [configured]
    return frozenset(token for token in (*named, language_model.tokenizer.eos_token_id) if token is not None)


def _chosen(
    language_model: LanguageModel, logits: torch.Tensor, rows: Sequence[_Row], sampling: Sampling
) -> list[int]:
    table = logits.float()
    if not torch.isfinite(table.amax(dim=1)).all():
        raise BrokenArtefact(
            f"{language_model.name} gives logits that are not finite", hint="load the model in float32"
        )
    if sampling.temperature == 0:
        return table.argmax(dim=1).tolist()
    values = table.double().cpu().numpy() / sampling.temperature
    return [draw(each, row.generator.random(), sampling) for each, row in zip(values, rows, strict=True)]


def draw(logits: numpy.ndarray, number: float, sampling: Sampling) -> int:
    """Return the token that a uniform number means.

    The tokens that `top_k` and `top_p` leave stand side by side in the order of their probability, each as wide
    as that probability; the number says where among them to look.

    Parameters
    ----------
    logits
        `[vocabulary]`, already divided by the temperature.
    number
        In [0, 1).
    sampling
        `top_k` and `top_p`.

    Examples
    --------
    Probabilities 0.5, 0.3 and 0.2; the two likeliest reach 0.8, and the first of them has five eighths:

    >>> logits = numpy.log([0.2, 0.5, 0.3])
    >>> nucleus = Sampling(temperature=1.0, top_p=0.8)
    >>> [draw(logits, number, nucleus) for number in (0.0, 0.62, 0.63, 0.99)]
    [1, 1, 2, 2]
    """
    order = numpy.argsort(-logits, kind="stable")
    if sampling.top_k:
        order = order[: sampling.top_k]
    weights = numpy.exp(logits[order] - logits[order[0]])
    reached = weights.cumsum() / weights.sum()
    if sampling.top_p < 1:
        reached = reached[: int(numpy.searchsorted(reached, sampling.top_p - 1e-12)) + 1]
    place = int(numpy.searchsorted(reached, number * reached[-1], side="right"))
    return int(order[min(place, len(reached) - 1)])


def _finish(
    language_model: LanguageModel, row: _Row, *, ends: frozenset[int], stop: tuple[str, ...], max_tokens: int
) -> Finish | None:
    if row.made[-1] in ends:
        return "end"
    if stop:
        # A token is a byte or more, so the last tokens hold the whole of a stop string that ends now; four more
        # because cutting in the middle of a character spoils that one.
        reach = max(len(each.encode()) for each in stop) + 4
        tail = _text(language_model, row.made[-reach:])
        if any(each in tail for each in stop):
            return "stop"
    return "length" if len(row.made) == max_tokens else None


def _generation(
    language_model: LanguageModel, row: _Row, *, finish: Finish, stop: tuple[str, ...]
) -> Generation:
    text = _text(language_model, row.made)
    for each in stop:
        text = text.partition(each)[0]
    return Generation(id=row.id, text=text, tokens=tuple(row.made), finish=finish, dropped=row.dropped)


def _text(language_model: LanguageModel, tokens: Sequence[int]) -> str:
    (text,) = language_model.tokenizer.batch_decode(
        [list(tokens)], skip_special_tokens=True, clean_up_tokenization_spaces=False
    )
    return text

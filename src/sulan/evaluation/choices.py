"""Multiple choice by likelihood: the choice that the model finds the likeliest continuation is its answer.

Four rules are scored at once, as they disagree (`RULES`): the summed log-likelihood, that per token, that per
byte of the choice, and that minus its log-likelihood after an unconditional prompt. On the same items the
numbers are lm-eval's, to the model's precision.

Not covered: answers that are generated (`generation`), and choices after different contexts (`loglikelihoods`
scores any pairs).
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

import numpy
import torch
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError
from sulan.evaluation import encoding
from sulan.evaluation.encoding import Row
from sulan.evaluation.order import in_order
from sulan.models import LanguageModel, head
from sulan.runs.progress import progress

Rule = Literal["sum", "token", "byte", "unconditional"]
RULES: tuple[Rule, ...] = ("sum", "token", "byte", "unconditional")

_POOL = 4096
"""Pairs that are sorted by length together."""

_LOGITS = 1 << 26
"""Most logits of one pass: 256 MB in float32."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """One question.

    Attributes
    ----------
    id
        A stable name.
    context
        What stands before every choice, few-shot examples included.
    choices
        The texts to choose from.
    answer
        Which of them is right; None where it is not known.
    delimiter
        What stands between context and choice; it is scored with the choice but not counted in its length.
    """

    id: str
    context: str
    choices: tuple[str, ...]
    answer: int | None = None
    delimiter: str = " "


@dataclass(frozen=True, kw_only=True)
class Continuation:
    """A continuation's log-likelihood in nats, its tokens, and whether greedy decoding would have made it."""

    loglikelihood: float
    tokens: int
    greedy: bool


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """How the model scores one item's choices.

    Attributes
    ----------
    id, answer
        The item's.
    scores
        Score of every choice under every rule, float64 `[choices]`; `unconditional` where it was asked for.
    """

    id: str
    answer: int | None
    scores: Mapping[Rule, NDArray[numpy.float64]]

    def choice(self, rule: Rule = "sum") -> int:
        """Return the choice with the highest score; of equal ones the first."""
        return int(self.scores[rule].argmax())

    def right(self, rule: Rule = "sum") -> bool:
        """Return whether that is the answer."""
        return self.choice(rule) == self.answer


def choose(
    language_model: LanguageModel,
    items: Sequence[Item],
    *,
    unconditional: str | None = None,
    tokens_per_batch: int = 4096,
    label: str = "choose",
) -> tuple[Chosen, ...]:
    """Score the choices of items.

    Parameters
    ----------
    language_model
        What chooses.
    items
        The questions.
    unconditional
        Context of the fourth rule, log P(choice | context) - log P(choice | unconditional): `Answer:` in the
        GPT-3 paper (2005.14165, section 2.4), the empty text in lm-eval. None: the rule is left out, which
        saves half of the work.
    tokens_per_batch
        Tokens of one forward pass; changes speed and memory, not the result.
    label
        What the progress says.

    Raises
    ------
    InputError
        No item; an item without choices, with an empty one, or with an answer that is none of them; two items
        with one id (the message names the item); a choice that is longer than the model's context.
    BrokenArtefact
        The model gives a choice no finite probability.
    """
    _check(items)
    pairs = [(item.context, item.delimiter + choice) for item in items for choice in item.choices]
    asked = len(pairs)
    if unconditional is not None:
        pairs += [(unconditional, continuation) for _, continuation in pairs]
    found = list(loglikelihoods(language_model, pairs, tokens_per_batch=tokens_per_batch, label=label))
    results, start = [], 0
    for item in items:
        end = start + len(item.choices)
        results.append(_chosen(item, found[start:end], found[asked + start : asked + end]))
        start = end
    return tuple(results)


def accuracy(chosen: Iterable[Chosen], rule: Rule = "sum") -> NDArray[numpy.float64]:
    """Return 1 for every item that was answered right and 0 for the others, float64 `[items]`.

    Its mean is the accuracy; `significance.bootstrap` gives that an interval, `significance.paired_bootstrap`
    compares it with another model's. Items without a known answer are left out.
    """
    return numpy.array([float(each.right(rule)) for each in chosen if each.answer is not None])


def loglikelihoods(
    language_model: LanguageModel,
    pairs: Iterable[tuple[str, str]],
    *,
    tokens_per_batch: int = 4096,
    label: str = "loglikelihood",
) -> Iterator[Continuation]:
    """Yield the log-likelihood of the second text of each pair after the first, in order.

    Contexts that are too long lose their beginning. Pairs that differ in their last token alone, such as the
    letters of a multiple-choice test, are one row of a pass. Logits exist for the continuations only.

    Parameters
    ----------
    language_model
        What predicts.
    pairs
        (context, continuation).
    tokens_per_batch
        Tokens of one forward pass, padding included. The result does not depend on it beyond rounding:
        less than 1e-4 nats a token in float32.
    label
        What the progress says.

    Raises
    ------
    InputError
        A continuation is empty or longer than the model's context; the message names the pair's text.
    BrokenArtefact
        The model gives a continuation no finite probability.
    """
    total = len(pairs) if isinstance(pairs, Sequence) else None
    scored = _scored(language_model, pairs, tokens_per_batch=tokens_per_batch)
    yield from in_order(progress(scored, label=label, total=total))


def _check(items: Sequence[Item]) -> None:
    if not items:
        raise InputError("there are no items to choose for")
    seen = set()
    for item in items:
        if item.id in seen:
            raise InputError(f"two items have the id {item.id!r}")
        seen.add(item.id)
        if not item.choices or not all(item.choices):
            raise InputError(f"item {item.id!r} has no choices or an empty one")
        if item.answer is not None and not 0 <= item.answer < len(item.choices):
            raise InputError(
                f"item {item.id!r} has the answer {item.answer} and choices 0 to {len(item.choices) - 1}"
            )


def _chosen(item: Item, found: Sequence[Continuation], free: Sequence[Continuation]) -> Chosen:
    sums = numpy.array([each.loglikelihood for each in found])
    scores: dict[Rule, NDArray[numpy.float64]] = {
        "sum": sums,
        "token": sums / [each.tokens for each in found],
        "byte": sums / [len(choice.encode()) for choice in item.choices],
    }
    if free:
        scores["unconditional"] = sums - [each.loglikelihood for each in free]
    return Chosen(id=item.id, answer=item.answer, scores=scores)


def _scored(
    language_model: LanguageModel, pairs: Iterable[tuple[str, str]], *, tokens_per_batch: int
) -> Iterator[tuple[int, Continuation]]:
    """Yield pairs' places and scores, pass by pass."""
    iterator, begin = iter(pairs), 0
    while pool := list(islice(iterator, _POOL)):
        rows = [
            _fitting(language_model, row, continuation)
            for (_, continuation), row in zip(
                pool, encoding.pairs(language_model.tokenizer, pool), strict=True
            )
        ]
        for batch, first in _batches(language_model, rows, tokens_per_batch=tokens_per_batch):
            for place, found in _pass(language_model, rows, batch, first=first):
                yield begin + place, found
        begin += len(pool)


def _fitting(language_model: LanguageModel, row: Row, continuation: str) -> Row:
    room = language_model.context
    if len(row.tokens) - row.start > room:
        raise InputError(
            f"the continuation {continuation[:40]!r} has {len(row.tokens) - row.start} tokens;"
            f" the context of {language_model.name} holds {room}"
        )
    cut = max(0, len(row.tokens) - 1 - room)  # the last token is predicted and never read
    return Row(tokens=row.tokens[cut:], start=row.start - cut)


def _batches(
    language_model: LanguageModel, rows: Sequence[Row], *, tokens_per_batch: int
) -> Iterator[tuple[dict[tuple[int, ...], list[int]], int]]:
    """Yield what is read in one pass with the rows that read it, and the first position that needs logits."""
    sharing: dict[tuple[int, ...], list[int]] = {}
    for place, row in enumerate(rows):
        sharing.setdefault(row.tokens[:-1], []).append(place)
    vocabulary = head.vocabulary(language_model.model)
    # Sorted by what is read and by where the continuation begins, so that a batch has little of either to waste.
    order = sorted(sharing, key=lambda read: (len(read), rows[sharing[read][0]].start, read))
    batch: dict[tuple[int, ...], list[int]] = {}
    first = 0
    for read in order:
        start = min(rows[place].start for place in sharing[read]) - 1
        size, kept = len(batch) + 1, len(read) - min(first, start)
        if batch and (size * len(read) > tokens_per_batch or size * kept * vocabulary > _LOGITS):
            yield batch, first
            batch = {}
        first = min(first, start) if batch else start
        batch[read] = sharing[read]
    if batch:
        yield batch, first


@torch.inference_mode()
def _pass(
    language_model: LanguageModel,
    rows: Sequence[Row],
    batch: Mapping[tuple[int, ...], Sequence[int]],
    *,
    first: int,
) -> list[tuple[int, Continuation]]:
    """Score the continuations that follow what is read; logits are made from position `first` on.

    Padding stands at the right, where a causal model's earlier positions do not see it.
    """
    longest = max(map(len, batch))
    model = language_model.model
    read = torch.zeros(len(batch), longest, dtype=torch.int64)
    for number, tokens in enumerate(batch):
        read[number, : len(tokens)] = torch.tensor(tokens)
    kept = torch.arange(first, longest, device=model.device)
    logits = model(read.to(model.device), use_cache=False, logits_to_keep=kept).logits
    found = []
    for number, places in enumerate(batch.values()):
        for place in places:
            row = rows[place]
            targets = torch.tensor(row.tokens[row.start :], device=logits.device)
            mine = logits[number, row.start - 1 - first : len(row.tokens) - 1 - first].float()
            logs = mine.gather(1, targets[:, None])[:, 0] - mine.logsumexp(1)
            value = float(logs.double().sum())
            if not math.isfinite(value):
                raise BrokenArtefact(
                    f"{language_model.name} gives a continuation no finite probability",
                    hint="load the model in float32",
                )
            greedy = bool((mine.argmax(1) == targets).all())
            made = Continuation(loglikelihood=value, tokens=len(targets), greedy=greedy)
            found.append((place, made))
    return found

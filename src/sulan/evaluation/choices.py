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
from transformers import Cache, DynamicCache

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


_Read = tuple[tuple[int, ...], tuple[int, ...]]
"""Tokens that are read: of the context, and of what continues it."""


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

    Contexts that are too long lose their beginning. A context is read once for all that follows it, pairs that
    differ in their last token alone are one row, and logits exist for continuations only.

    Parameters
    ----------
    language_model
        What predicts.
    pairs
        (context, continuation).
    tokens_per_batch
        Tokens of one forward pass, contexts and padding included. The result does not depend on it beyond rounding:
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
        for batch in _batches(language_model, rows, tokens_per_batch=tokens_per_batch):
            for place, found in _pass(language_model, rows, batch):
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
) -> Iterator[dict[_Read, list[int]]]:
    """Yield what is read together, with the rows that read it."""
    sharing: dict[_Read, list[int]] = {}
    for place, row in enumerate(rows):
        # The last token of the context is read with the continuation, whose first token it predicts.
        read = row.tokens[: row.start - 1], row.tokens[row.start - 1 : -1]
        sharing.setdefault(read, []).append(place)
    vocabulary = head.vocabulary(language_model.model)
    batch: dict[_Read, list[int]] = {}
    longest = 0
    for read in sorted(sharing, key=lambda read: (len(read[0]), read[0], len(read[1]), read[1])):
        context, tail = read
        wider = max(longest, len(tail))
        size = len(batch) + 1
        if batch and (
            size * (len(context) + wider) > tokens_per_batch or size * wider * vocabulary > _LOGITS
        ):
            yield batch
            batch, wider = {}, len(tail)
        batch[read], longest = sharing[read], wider
    if batch:
        yield batch


@torch.inference_mode()
def _pass(
    language_model: LanguageModel, rows: Sequence[Row], batch: Mapping[_Read, Sequence[int]]
) -> Iterator[tuple[int, Continuation]]:
    """Score continuations: every context is read once, and its keys and values serve all that follow it."""
    model = language_model.model
    contexts = {context: number for number, context in enumerate(dict.fromkeys(read[0] for read in batch))}
    before, mask = _padded(list(contexts), left=True, device=model.device)
    after, _ = _padded([tail for _, tail in batch], left=False, device=model.device)
    used = torch.tensor([contexts[context] for context, _ in batch], device=model.device)
    cache: Cache | None = None
    if before.shape[1]:
        cache = DynamicCache(config=model.config)
        model(
            input_ids=before,
            attention_mask=mask,
            position_ids=(mask.cumsum(1) - 1).clamp_min(0),
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        cache.batch_select_indices(used)
    # Padding at the right needs no mask, for a causal model's earlier positions do not see it; its positions must
    # exist all the same.
    positions = mask.sum(1)[used, None] + torch.arange(after.shape[1], device=model.device)
    logits = model(
        input_ids=after,
        attention_mask=torch.cat([mask[used], torch.ones_like(after)], dim=1),
        position_ids=positions.clamp_max(language_model.context - 1),
        past_key_values=cache,
        use_cache=cache is not None,
    ).logits
    for number, places in enumerate(batch.values()):
        for place in places:
            yield place, _continuation(language_model, logits[number], rows[place])


def _padded(
    reads: Sequence[tuple[int, ...]], *, left: bool, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tokens `[reads, longest]` and the mask that tells them from padding."""
    longest = max(map(len, reads))
    tokens = torch.zeros(len(reads), longest, dtype=torch.int64)
    mask = torch.zeros_like(tokens)
    for number, read in enumerate(reads):
        there = slice(longest - len(read), None) if left else slice(len(read))
        tokens[number, there] = torch.tensor(read, dtype=torch.int64)
        mask[number, there] = 1
    return tokens.to(device), mask.to(device)


def _continuation(language_model: LanguageModel, logits: torch.Tensor, row: Row) -> Continuation:
    targets = torch.tensor(row.tokens[row.start :], device=logits.device)
    mine = logits[: len(targets)].float()
    value = float((mine.gather(1, targets[:, None])[:, 0] - mine.logsumexp(1)).double().sum())
    if not math.isfinite(value):
        raise BrokenArtefact(
            f"{language_model.name} gives a continuation no finite probability",
            hint="load the model in float32",
        )
    greedy = bool((mine.argmax(1) == targets).all())
    return Continuation(loglikelihood=value, tokens=len(targets), greedy=greedy)

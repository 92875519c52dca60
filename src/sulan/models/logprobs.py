"""What a causal language model says about each token of documents: log-probability, EL2N, greedy hits.

Documents longer than the context are cut as lm-eval's rolling log-likelihood cuts them: the token of
`tokens.first_context` stands before the first, every token is predicted once, windows predict `context` tokens
each, and the last one reaches back so that its inputs are `context` tokens too.

Windows follow one another in a row without padding (`sulan.models.packed`), and the head is fused with the loss
(`sulan.models.head`). Memory does not grow with the number of documents, and with the length of one only by its
tokens and scores. The first call with a model compares that path with the model's plain forward pass on a
probe; a model whose layers do not fit it goes plainly, one window at a time.

The scores of a document are the same whatever stands before and after it. On the CPU not a bit differed in
tests (AVX-512, float32 and bfloat16); promised are 1e-5 nats in float32.

Not covered: encoder-decoder models, several devices.
"""

import logging
import weakref
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from transformers import PreTrainedModel

from sulan.errors import InputError
from sulan.models import head, packed, tokens
from sulan.models.loading import LanguageModel

Way = Literal["packed", "single", "plain"]
"""How windows go through a model: many in a row; one at a time with the fused head; one at a time, whole logits."""

PROBE = (1, 40, 150)
"""Lengths of the sequences by which a model is tried: one token, one that is padded inside attention, one of more
than one block."""

TOLERANCE = {torch.float32: 1e-4, torch.bfloat16: 0.2}
"""Mean difference of NLL on the probe, in nats, that can be rounding. SmolLM2 has 0.08 in bfloat16, where
random tokens cost it 13.7 nats each; sequences that see one another make 0.99."""

SHARE = 0.25
"""Largest part of the difference that sequences seeing one another would make; this is what tells rounding from
a wrong mask in models of whose attention little depends."""

_log = logging.getLogger(__name__)
_ways: "weakref.WeakKeyDictionary[PreTrainedModel, Way]" = weakref.WeakKeyDictionary()


@dataclass(frozen=True, kw_only=True)
class TokenScores:
    """What a model says about each token of one document.

    NaN where the model's logits are NaN or infinite; `finite` tells.

    Attributes
    ----------
    nll
        Negative log-probability in nats, float32 [tokens].
    el2n
        Distance between the predicted distribution and the token, in [0, sqrt 2], float32 [tokens]; None unless
        asked for.
    hit
        Whether no token was likelier (of equals, the first), bool [tokens]; None unless asked for.
    """

    nll: np.ndarray
    el2n: np.ndarray | None = None
    hit: np.ndarray | None = None

    @property
    def finite(self) -> bool:
        """Whether every token has a finite NLL."""
        return bool(np.isfinite(self.nll).all())


@dataclass(kw_only=True)
class _Document:
    """A document whose windows are on their way."""

    scores: TokenScores
    missing: int


@dataclass(kw_only=True)
class _Batch:
    """Windows that go through the model together."""

    inputs: list[np.ndarray] = field(default_factory=list)
    targets: list[np.ndarray] = field(default_factory=list)
    places: list[tuple[_Document, int]] = field(default_factory=list)
    size: int = 0


def score(
    language_model: LanguageModel,
    documents: Iterable[np.ndarray],
    *,
    context: int | None = None,
    tokens_per_batch: int = 2048,
    el2n: bool = False,
    hits: bool = False,
) -> Iterator[TokenScores]:
    """Score the tokens of documents.

    Parameters
    ----------
    language_model
        As `load` gives it.
    documents
        Tokens of each document, integers [tokens] (see `tokens.encode`); empty ones have empty scores. They are
        asked for as needed, a batch ahead.
    context
        Longest sequence in tokens; the model's own when None.
    tokens_per_batch
        Tokens that go through the model at once; a longer window goes alone.
    el2n, hits
        Whether these are wanted; each costs a pass over the logits, a few per cent of the time.

    Yields
    ------
    TokenScores
        Of each document, in the order given.

    Raises
    ------
    InputError
        A token outside the vocabulary, a context above the model's, or a tokenizer with neither a beginning-
        nor an end-of-text token.
    """
    first = tokens.first_context(language_model.tokenizer)
    if first is None:
        raise InputError(f"the tokenizer of {language_model.name} has no token to begin a document with")
    length = context if context is not None else language_model.context
    if not 1 <= length <= language_model.context:
        raise InputError(f"context {length} is not within 1 to {language_model.context}, the model's")
    model = language_model.model
    way = way_through(model, language_model.context)
    budget = tokens_per_batch if way == "packed" else 1
    waiting: deque[_Document] = deque()
    batch = _Batch()
    for tokens_of in documents:
        _check(tokens_of, model, language_model.name)
        document = _Document(scores=_empty(len(tokens_of), el2n=el2n, hits=hits), missing=len(tokens_of))
        waiting.append(document)
        done = 0
        for inputs, targets in windows(tokens_of, first=first, context=length):
            if batch.size and batch.size + len(inputs) > budget:
                _run(model, way, batch)
                batch = _Batch()
            batch.inputs.append(inputs)
            batch.targets.append(targets)
            batch.places.append((document, done))
            batch.size += len(inputs)
            done += len(targets)
        while waiting and not waiting[0].missing:
            yield waiting.popleft().scores
    if batch.size:
        _run(model, way, batch)
    for document in waiting:
        yield document.scores


def windows(document: np.ndarray, *, first: int, context: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cut a document into windows as lm-eval does.

    Yields
    ------
    tuple
        Inputs, at most `context` tokens, and targets, at most as many: what follows each of the last inputs.

    Examples
    --------
    >>> for inputs, targets in windows(np.array([5, 6, 7, 8, 9]), first=0, context=3):
    ...     print(inputs, targets)
    [0 5 6] [5 6 7]
    [6 7 8] [8 9]
    """
    for begin in range(0, len(document), context):
        end = min(begin + context, len(document))
        if begin == 0:
            inputs = np.concatenate([np.asarray([first], dtype=document.dtype), document[: end - 1]])
        else:
            inputs = document[end - 1 - context : end - 1]
        yield inputs, document[begin:end]


def _check(document: np.ndarray, model: PreTrainedModel, name: str) -> None:
    if document.ndim != 1 or not np.issubdtype(document.dtype, np.integer):
        raise InputError(
            f"a document's tokens are integers in one row, not {document.dtype} {document.shape}"
        )
    size = head.vocabulary(model)
    if len(document) and not 0 <= document.min() <= document.max() < size:
        raise InputError(f"a token is outside the vocabulary of {name}, 0 to {size - 1}")


def _empty(count: int, *, el2n: bool, hits: bool) -> TokenScores:
    return TokenScores(
        nll=np.empty(count, dtype=np.float32),
        el2n=np.empty(count, dtype=np.float32) if el2n else None,
        hit=np.empty(count, dtype=bool) if hits else None,
    )


def _run(model: PreTrainedModel, way: Way, batch: _Batch) -> None:
    """Score a batch and write what it says where it belongs."""
    like = batch.places[0][0].scores
    found = _forward(
        model, way, batch.inputs, batch.targets, el2n=like.el2n is not None, hits=like.hit is not None
    )
    nll = found.nll.cpu().numpy()
    lengths = found.el2n.cpu().numpy() if found.el2n is not None else None
    hit = found.hit.cpu().numpy() if found.hit is not None else None
    begin = 0
    for (document, at), targets in zip(batch.places, batch.targets, strict=True):
        here, there = slice(begin, begin + len(targets)), slice(at, at + len(targets))
        scores = document.scores
        scores.nll[there] = nll[here]
        if scores.el2n is not None and lengths is not None:
            scores.el2n[there] = lengths[here]
        if scores.hit is not None and hit is not None:
            scores.hit[there] = hit[here]
        document.missing -= len(targets)
        begin += len(targets)


@torch.inference_mode()
def _forward(
    model: PreTrainedModel,
    way: Way,
    inputs: list[np.ndarray],
    targets: list[np.ndarray],
    *,
    el2n: bool,
    hits: bool,
) -> head.Losses:
    device = model.device
    row = torch.from_numpy(np.concatenate(inputs).astype(np.int64)).to(device)
    wanted = torch.from_numpy(np.concatenate(targets).astype(np.int64)).to(device)
    if way == "plain":
        logits = model(input_ids=row[None], use_cache=False).logits[0, -len(wanted) :]
        return head.compare(logits, wanted, el2n=el2n, hits=hits)
    if way == "single":
        hidden = model.base_model(input_ids=row[None], use_cache=False).last_hidden_state[0]
        return head.losses(model, hidden[-len(wanted) :], wanted, el2n=el2n, hits=hits)
    hidden = packed.body(model, inputs)
    ends = np.cumsum([len(part) for part in inputs])
    kept = np.concatenate([np.arange(end - len(part), end) for end, part in zip(ends, targets, strict=True)])
    count, spare = len(kept), -len(kept) % packed.ROWS
    kept, wanted = np.pad(kept, (0, spare)), torch.nn.functional.pad(wanted, (0, spare))
    found = head.losses(model, hidden[torch.from_numpy(kept).to(device)], wanted, el2n=el2n, hits=hits)
    return found.first(count)


def way_through(model: PreTrainedModel, context: int) -> Way:
    """Return the fastest way through a model that says what the plain one says.

    It is found out once a model, on random tokens, the longest sequence as long as the context at most.
    """
    if model not in _ways:
        _ways[model] = _try_ways(model, context)
    return _ways[model]


def _try_ways(model: PreTrainedModel, context: int) -> Way:
    size = head.vocabulary(model)
    draw = np.random.default_rng(0)
    first, second, third = PROBE
    second = min(second, context // 3)  # learned positions end with the context, even for all in one
    lengths = [first, second, min(third, context - first - second)]
    inputs = [draw.integers(0, size, length) for length in lengths]
    targets = [draw.integers(0, size, length) for length in lengths]
    plain = [
        _forward(model, "plain", [one], [other], el2n=False, hits=False).nll
        for one, other in zip(inputs, targets, strict=True)
    ]
    if not head.divisible(model):
        return "plain"
    if packed.fits(model):
        try:
            found = _forward(model, "packed", inputs, targets, el2n=False, hits=False).nll
        except packed.Unsupported as reason:
            _log.warning("%s is scored one window at a time: %s", model.config.model_type, reason)
        else:
            one = [np.concatenate(inputs)], [np.concatenate(targets)]
            wrong = _forward(model, "packed", *one, el2n=False, hits=False).nll
            if _close(found, torch.cat(plain), model.dtype, wrong):
                return "packed"
            _log.warning("%s is scored one window at a time: packed, it differs", model.config.model_type)
    single = _forward(model, "single", inputs[-1:], targets[-1:], el2n=False, hits=False).nll
    return "single" if _close(single, plain[-1], model.dtype) else "plain"


def _close(
    found: torch.Tensor, plain: torch.Tensor, dtype: torch.dtype, wrong: torch.Tensor | None = None
) -> bool:
    """Tell whether two paths say the same: as far apart as rounding, and far less than a wrong one is."""
    if not torch.equal(found.isnan(), plain.isnan()):
        return False
    apart = (found - plain).abs().nanmean()
    allowed = TOLERANCE.get(dtype, TOLERANCE[torch.bfloat16])
    return not bool(
        apart > allowed or (wrong is not None and apart > SHARE * (wrong - plain).abs().nanmean())
    )

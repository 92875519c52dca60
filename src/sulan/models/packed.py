"""Attention over sequences that lie one after another in a single row: no padding, no mask of [tokens, tokens].

The model's own layers run unchanged; only the function that each layer calls for attention is replaced while a
batch runs. A sequence's result depends on that sequence alone, so what it is packed with changes nothing: on
the CPU not even the last bit.

Covered: causal attention with grouped queries, sliding windows and soft-capped scores, that is what
transformers asks of its flash attention backends. Not covered: attention sinks, position biases (`Unsupported`).
"""

import inspect
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from transformers import AttentionInterface, PreTrainedModel

NAME = "sulan_packed"
"""The name under which transformers finds `attend`."""

BLOCK = 128
"""Queries that are multiplied with their keys at a time. Larger blocks compute more scores that the causal mask
then hides, smaller ones multiply smaller matrices."""

STEP = 32
"""Sequences of at most `BLOCK` tokens are padded to a multiple of this, inside attention only, and multiplied
together with the others of that length."""

ROWS = 32
"""A row is filled up to a multiple of so many tokens. A handful of rows is multiplied by other routines than many,
and what is left over behind the last whole vector of an array goes through other code in some functions (SiLU, GELU):
in both the last bits differ."""


class Unsupported(Exception):
    """A layer asks for attention of a kind that is not covered here."""


@dataclass(frozen=True, kw_only=True)
class Packing:
    """Where the sequences of one batch lie in its row.

    Attributes
    ----------
    groups
        Short sequences by padded length: the rows of their tokens, int64 [sequences, padded length], the same
        flattened without the padding, int64 [tokens], and where these stand in the first, flattened.
    long
        Beginning and end of each longer sequence.
    """

    groups: tuple[tuple[torch.Tensor, torch.Tensor, torch.Tensor], ...]
    long: tuple[tuple[int, int], ...]


_current: ContextVar[Packing] = ContextVar("packing")


def fits(model: PreTrainedModel) -> bool:
    """Tell whether a model says that its attention can be replaced and its positions given."""
    takes = inspect.signature(model.base_model.forward).parameters
    return bool(model._supports_flash_attn) and "position_ids" in takes


def pack(lengths: Sequence[int], device: torch.device) -> Packing:
    """Plan the attention of sequences of these lengths that follow one another without a gap."""
    short: dict[int, list[tuple[int, int]]] = defaultdict(list)
    long: list[tuple[int, int]] = []
    begin = 0
    for length in lengths:
        if length > BLOCK:
            long.append((begin, begin + length))
        elif length:
            short[-(-length // STEP) * STEP].append((begin, length))
        begin += length
    groups = []
    for padded, found in sorted(short.items()):
        begins, counts = torch.tensor(found, device=device).T[:, :, None]
        offsets = torch.arange(padded, device=device)
        # What pads a sequence lies behind it, where causal attention never looks; any row will do.
        rows = begins + torch.minimum(offsets, counts - 1)
        real = (offsets < counts).flatten().nonzero()[:, 0]
        groups.append((rows, rows.flatten()[real], real))
    return Packing(groups=tuple(groups), long=tuple(long))


def body(
    model: PreTrainedModel, sequences: Sequence[np.ndarray], *, embedded: torch.Tensor | None = None
) -> torch.Tensor:
    """Run a model without its head over sequences that do not see one another.

    Parameters
    ----------
    model
        One that `fits`.
    sequences
        Tokens of each, integers [tokens].
    embedded
        What stands for the tokens' embeddings, [tokens of all, width]; None: the model's own.

    Returns
    -------
    torch.Tensor
        What the body gives for each token of one sequence after another, [tokens, width].

    Raises
    ------
    Unsupported
        A layer asks for attention of a kind that is not covered here.
    """
    lengths = [len(each) for each in sequences]
    count = sum(lengths)
    spare = -count % ROWS
    places = [np.arange(length) for length in lengths]
    # What fills a row up stands at position 0: further ones a model with learned positions may not have.
    positions = np.pad(np.concatenate(places), (0, spare))
    if embedded is None:
        row = np.pad(np.concatenate(sequences).astype(np.int64), (0, spare))
        inputs = {"input_ids": torch.from_numpy(row).to(model.device)[None]}
    else:
        inputs = {"inputs_embeds": torch.nn.functional.pad(embedded, (0, 0, 0, spare))[None]}
    with packed(model, pack([*lengths, spare], model.device)):
        hidden = model.base_model(
            **inputs,
            position_ids=torch.from_numpy(positions).to(model.device)[None],
            use_cache=False,
        ).last_hidden_state[0]
    return hidden[:count]


@contextmanager
def packed(model: PreTrainedModel, packing: Packing) -> Iterator[None]:
    """Let the model's layers attend within the sequences of `packing` for the block."""
    config = model.config
    before = config._attn_implementation
    token = _current.set(packing)
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = before
        _current.reset(token)


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    sliding_window: int | None = None,
    softcap: float | None = None,
    is_causal: bool | None = None,
    s_aux: torch.Tensor | None = None,
    position_bias: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as transformers' attention functions do, within the sequences of the current packing.

    Parameters
    ----------
    query
        [1, heads, tokens, width of a head].
    key, value
        [1, key-value heads, tokens, width of a head].
    scaling
        What the scores are multiplied with; 1 / sqrt(width) when None.
    sliding_window
        A token sees itself and so many tokens before it, less one; all of its sequence when None.
    softcap
        Scores s become c * tanh(s / c).

    Returns
    -------
    tuple
        [1, tokens, heads, width of a head], and None for the attention weights.

    Raises
    ------
    Unsupported
        Attention sinks, position biases, dropout, a mask, or attention that is not causal.
    """
    causal = is_causal if is_causal is not None else getattr(module, "is_causal", True)
    if attention_mask is not None or s_aux is not None or position_bias is not None or dropout or not causal:
        raise Unsupported("attention of another kind")
    packing = _current.get()
    heads, tokens, width = query.shape[1:]
    shared = key.shape[1]
    scaled = query[0].transpose(0, 1) * (scaling if scaling is not None else width**-0.5)
    queries = scaled.reshape(tokens, shared, heads // shared, width)
    keys, values = key[0].transpose(0, 1), value[0].transpose(0, 1)  # [tokens, key-value heads, width]
    result = values.new_empty(tokens, shared, heads // shared, value.shape[-1])
    for rows, compact, real in packing.groups:
        found = _multiply(queries[rows], keys[rows], values[rows], sliding_window, softcap)
        result[compact] = found.flatten(0, 1)[real]
    for begin, end in packing.long:
        for first in range(begin, end, BLOCK):
            last = min(first + BLOCK, end)
            seen = slice(begin if sliding_window is None else max(begin, first - sliding_window + 1), last)
            found = _multiply(
                queries[None, first:last], keys[None, seen], values[None, seen], sliding_window, softcap
            )
            result[first:last] = found[0]
    return result.reshape(1, tokens, heads, -1), None


def _multiply(
    queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor, window: int | None, softcap: float | None
) -> torch.Tensor:
    """Attention of sequences of one length, whose last tokens are the queries.

    Queries are [sequences, asking, key-value heads, queries a head, width], keys and values [sequences, seen,
    key-value heads, width]; the result has the shape of the queries.
    """
    many, asking, shared, group, width = queries.shape
    seen = keys.shape[1]
    rows = queries.permute(0, 2, 3, 1, 4).reshape(many * shared, group * asking, width)
    columns = keys.permute(0, 2, 3, 1).reshape(many * shared, width, seen)
    scores = torch.bmm(rows, columns)
    if softcap is not None:
        scores.div_(softcap).tanh_().mul_(softcap)
    reach = seen if window is not None else asking  # without a window, the mask hides none of the older keys
    hidden = _mask(asking, reach, window, scores.dtype, scores.device)
    scores.view(-1, asking, seen)[..., seen - reach :].add_(hidden)
    mixed = torch.bmm(scores.softmax(dim=-1), values.transpose(1, 2).reshape(many * shared, seen, -1))
    return mixed.view(many, shared, group, asking, -1).permute(0, 3, 1, 2, 4)


@lru_cache(maxsize=256)
def _mask(
    asking: int, seen: int, window: int | None, dtype: torch.dtype, device: torch.device
) -> torch.Tensor:
    """Return what is added to the scores, [asking, seen]: 0 where the last `asking` tokens may look, else -inf."""
    distance = torch.arange(seen - asking, seen, device=device)[:, None] - torch.arange(seen, device=device)
    hidden = distance < 0
    if window is not None:
        hidden |= distance >= window
    return torch.zeros(asking, seen, dtype=dtype, device=device).masked_fill_(hidden, float("-inf"))


AttentionInterface.register(NAME, attend)

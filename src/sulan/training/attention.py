"""Causal attention for training on the CPU, in blocks of queries.

torch's fused kernel for the CPU computes the whole square in both directions. Here each block of queries
meets only the keys before its end, through batched matrix products that run at the machine's full speed, and
the probabilities are kept for the backward pass: half the memory of plain attention, more than a fused kernel.
Measured on one Zen 4 core at 24 heads of 64, context 256, forward and backward together: bfloat16 12 ms against
23 ms, float32 15 ms against 19 ms; `benchmarks/training.py` has the whole model. Not covered: masks other than
the causal one, dropout, sliding windows, soft caps; `usable` finds those out and torch's kernel stays.
"""

from typing import Any

import torch

NAME = "sulan_causal"
"""Under which transformers knows it."""

BLOCK = 64
"""Queries a block. Of 64, 128 and 256, the best or within a tenth of it in both precisions at contexts of 256 to
1,024."""

LONGEST = 1024
"""Beyond this context the kept probabilities cost more memory than they save time: torch's kernel stays."""


class _Causal(torch.autograd.Function):
    """softmax(s Q K^T + mask) V over [rows, tokens, width], a row being one head of one sequence."""

    @staticmethod
    def forward(
        ctx: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        scaled = query * scale
        out = torch.empty_like(value)
        kept = []
        length = query.shape[1]
        for start in range(0, length, BLOCK):
            stop = min(start + BLOCK, length)
            scores = torch.bmm(scaled[:, start:stop], key[:, :stop].transpose(1, 2))
            scores[:, :, start:] += torch.full(
                (stop - start, stop - start), -torch.inf, dtype=scores.dtype
            ).triu_(1)
            probabilities = torch.softmax(scores, dim=-1)
            torch.bmm(probabilities, value[:, :stop], out=out[:, start:stop])
            kept.append(probabilities)
        ctx.save_for_backward(scaled, key, value, *kept)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        scaled, key, value, *kept = ctx.saved_tensors
        gradient = gradients[0].contiguous()
        to_query = torch.empty_like(scaled)
        # Sums over blocks in float32: in bfloat16 each addition would round.
        to_key = torch.zeros_like(key, dtype=torch.float32)
        to_value = torch.zeros_like(value, dtype=torch.float32)
        start = 0
        for probabilities in kept:
            stop = probabilities.shape[2]
            above = gradient[:, start:stop]
            to_value[:, :stop] += torch.bmm(probabilities.transpose(1, 2), above)
            to_probabilities = torch.bmm(above, value[:, :stop].transpose(1, 2))
            to_scores = torch.ops.aten._softmax_backward_data(
                to_probabilities, probabilities, -1, probabilities.dtype
            )
            torch.bmm(to_scores, key[:, :stop], out=to_query[:, start:stop])
            to_key[:, :stop] += torch.bmm(to_scores.transpose(1, 2), scaled[:, start:stop])
            start = stop
        return to_query.mul_(ctx.scale), to_key.to(key.dtype), to_value.to(value.dtype), None


def causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *, scale: float) -> torch.Tensor:
    """Return causal attention, differentiable.

    Parameters
    ----------
    query, key, value
        Float[sequences, heads, tokens, width]; heads of keys and values may be fewer by a whole factor.
    scale
        Factor of the scores, `1 / sqrt(width)` in most models.

    Returns
    -------
    torch.Tensor
        Float[sequences, heads, tokens, width of the values].

    Examples
    --------
    The first token sees itself alone; the second, with equal scores, the mean of both.

    >>> value = torch.tensor([[[[2.0], [4.0]]]])
    >>> causal(torch.zeros(1, 1, 2, 1), torch.zeros(1, 1, 2, 1), value, scale=1.0).flatten().tolist()
    [2.0, 3.0]
    """
    sequences, heads, length, width = query.shape
    repeats = heads // key.shape[1]
    if repeats > 1:
        key, value = key.repeat_interleave(repeats, dim=1), value.repeat_interleave(repeats, dim=1)
    rows = sequences * heads
    out = _Causal.apply(
        query.reshape(rows, length, width),
        key.reshape(rows, length, width),
        value.reshape(rows, length, -1),
        scale,
    )
    return out.view(sequences, heads, length, -1)


def forward(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **settings: Any,
) -> tuple[torch.Tensor, None]:
    """Be an attention function of transformers.

    Raises
    ------
    NotImplementedError
        The model asks for what this one cannot do; see `usable`.
    """
    asked = [name for name in ("sliding_window", "softcap", "s_aux", "position_bias") if settings.get(name)]
    if attention_mask is not None or dropout or asked or key.shape[2] != query.shape[2]:
        raise NotImplementedError(f"{NAME}: {asked or 'a mask, dropout or a cache'}")
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    return causal(query, key, value, scale=scale).transpose(1, 2).contiguous(), None

"""The language model's head and the loss in one: what the logits say, without the logits.

Logits are made for some tokens and some of the vocabulary at a time and reduced at once, so that [tokens,
vocabulary] never exists whole. With z the logits of one position, y its target, p = softmax(z), and m, S1 and S2
the maximum, sum exp(z_v - m) and sum exp(2 (z_v - m)) over all v but y::

    x    = log S1 + m - z_y,  the log-odds against y
    NLL  = -log p_y = log(1 + exp(x))
    EL2N = || p - onehot(y) || = (1 - p_y) sqrt(1 + S2 / S1^2),  1 - p_y = 1 / (1 + exp(-x))

One pass that keeps a running m, S1 and S2 gives both. EL2N is 2107.07075's score as 2309.04564, section 3.1.2
uses it, with no vector of probabilities. Its square is sum p^2 - 2 p_y + 1 too, but that form loses all digits
where the model is sure: 4e-4 of 8e-3 was measured, in float32.
"""

from dataclasses import dataclass
from typing import cast

import torch
from transformers import PreTrainedConfig, PreTrainedModel

TOKENS, VOCABULARY = 512, 4096
"""Tokens and entries of the vocabulary whose logits exist at a time: 8 MB in float32, which a core's share of
the third-level cache holds."""


@dataclass(frozen=True, kw_only=True)
class Losses:
    """What the logits say about each target, float32 and bool [tokens]; `el2n` and `hit` only if asked for."""

    nll: torch.Tensor
    el2n: torch.Tensor | None
    hit: torch.Tensor | None

    def first(self, count: int) -> "Losses":
        """Return those of the first `count` targets."""
        return Losses(
            nll=self.nll[:count],
            el2n=None if self.el2n is None else self.el2n[:count],
            hit=None if self.hit is None else self.hit[:count],
        )


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a model does with the head's output: z -> cap * tanh(scale * z / cap)."""

    scale: float = 1.0
    cap: float | None = None

    @classmethod
    def read(cls, config: PreTrainedConfig) -> "Shape":
        """Return what a configuration says; `losses.verify` finds out whether there is more to it."""
        text = config.get_text_config()
        scale = getattr(text, "logit_scale", None) or 1.0  # Cohere
        scale /= getattr(text, "logits_scaling", None) or 1.0  # Granite
        return cls(scale=float(scale), cap=getattr(text, "final_logit_softcapping", None))

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the model's logits, in place."""
        if self.scale != 1.0:
            logits.mul_(self.scale)
        if self.cap is not None:
            logits.div_(self.cap).tanh_().mul_(self.cap)
        return logits


def losses(
    model: PreTrainedModel, hidden: torch.Tensor, targets: torch.Tensor, *, el2n: bool, hits: bool
) -> Losses:
    """Compare the head's logits with targets.

    Parameters
    ----------
    model
        Whose head it is.
    hidden
        The body's output [tokens, width].
    targets
        int64 [tokens].
    el2n, hits
        Whether these are wanted too; both cost a pass over the logits.
    """
    head = cast(torch.nn.Linear, model.get_output_embeddings())
    shape = Shape.read(model.config)
    many = -(
        -len(targets) // TOKENS
    )  # parts of about one size: a few rows alone would be multiplied otherwise
    parts = [
        _reduce(head, shape, rows, wanted, el2n=el2n, hits=hits)
        for rows, wanted in zip(hidden.tensor_split(many), targets.tensor_split(many), strict=True)
    ]
    return Losses(
        nll=torch.cat([part.nll for part in parts]),
        el2n=torch.cat([part.el2n for part in parts if part.el2n is not None]) if el2n else None,
        hit=torch.cat([part.hit for part in parts if part.hit is not None]) if hits else None,
    )


def compare(logits: torch.Tensor, targets: torch.Tensor, *, el2n: bool, hits: bool) -> Losses:
    """Compare whole logits [tokens, vocabulary] with targets, int64 [tokens]; the plain form of `losses`."""
    logits = logits.float()
    target = logits.gather(1, targets[:, None])
    others = logits.scatter(1, targets[:, None], float("-inf"))
    highest, where = others.max(dim=1)
    powers = others.sub_(highest[:, None]).exp_()
    rest, squares = powers.sum(dim=1), powers.square_().sum(dim=1)
    return _finish(target[:, 0], targets, highest, where, rest, squares, el2n=el2n, hits=hits)


def vocabulary(model: PreTrainedModel) -> int:
    """Return the number of tokens that a model has logits for."""
    return int(model.config.get_text_config().vocab_size)


def divisible(model: PreTrainedModel) -> bool:
    """Tell whether the head is a plain linear layer, which can be multiplied in parts."""
    return type(model.get_output_embeddings()) is torch.nn.Linear


def _reduce(
    head: torch.nn.Linear,
    shape: Shape,
    hidden: torch.Tensor,
    targets: torch.Tensor,
    *,
    el2n: bool,
    hits: bool,
) -> Losses:
    weight, bias = head.weight, head.bias
    size = len(weight)
    highest = hidden.new_full((len(targets),), float("-inf"), dtype=torch.float32)
    rest, squares, target = (torch.zeros_like(highest) for _ in range(3))
    likeliest = torch.zeros_like(targets)
    for first in range(0, size, VOCABULARY):
        last = min(first + VOCABULARY, size)
        part = torch.nn.functional.linear(
            hidden, weight[first:last], None if bias is None else bias[first:last]
        )
        logits = shape.apply(part.float())
        inside = ((targets >= first) & (targets < last)).nonzero()[:, 0]
        columns = targets[inside] - first
        target[inside] = logits[inside, columns]
        logits[inside, columns] = float("-inf")
        if hits:
            peak, where = logits.max(dim=1)
            likeliest = torch.where(peak > highest, where + first, likeliest)
        else:
            peak = logits.amax(dim=1)
        peak = torch.maximum(peak, highest)
        shrink = torch.exp(highest - peak)
        powers = logits.sub_(peak[:, None]).exp_()
        rest = rest * shrink + powers.sum(dim=1)
        if el2n:
            squares = squares * shrink.square() + powers.square_().sum(dim=1)
        highest = peak
    return _finish(target, targets, highest, likeliest, rest, squares, el2n=el2n, hits=hits)


def _finish(
    target: torch.Tensor,
    targets: torch.Tensor,
    highest: torch.Tensor,
    likeliest: torch.Tensor,
    rest: torch.Tensor,
    squares: torch.Tensor,
    *,
    el2n: bool,
    hits: bool,
) -> Losses:
    """Put the sums over all tokens but the target together with the target's logit."""
    against = rest.log() + highest - target
    first = (target == highest) & (targets < likeliest)  # of equals the first in the vocabulary is taken
    return Losses(
        nll=torch.nn.functional.softplus(against),
        el2n=torch.sigmoid(against) * (1 + squares / rest.square()).sqrt() if el2n else None,
        hit=(target > highest) | first if hits else None,
    )

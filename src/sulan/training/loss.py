"""The loss of a language model whose logits never exist whole.

The head and the cross-entropy go together, some rows at a time, and give their gradients in the forward pass
already: what is kept for the backward pass is as large as the hidden states, whatever the vocabulary. A model
whose logits are more than its head's output (a soft cap, a scale), or that does not show its hidden states,
is found out on a first sequence and then computes its own logits. Not covered: label smoothing, z-loss.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from sulan.errors import SulanError
from sulan.training import attention

LOGITS_BYTES = 32 << 20
"""Bytes of float32 logits at once: about what the second-level and third-level caches of a CPU hold. With a
vocabulary of 8,192 on one Zen 4 core, chunks of 8 to 32 MiB cost the same, and less than whole logits."""

_log = logging.getLogger(__name__)


class _Fused(torch.autograd.Function):
    """Sum over rows of the cross-entropy of `hidden @ weight.T + bias`, times a scale."""

    @staticmethod
    def forward(
        ctx: Any,
        hidden: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        targets: torch.Tensor,
        scale: float,
    ) -> torch.Tensor:
        rows = max(1, LOGITS_BYTES // (4 * weight.shape[0]))
        to_hidden = torch.empty_like(hidden)
        to_weight: torch.Tensor | None = None
        to_bias = None if bias is None else torch.zeros_like(bias, dtype=torch.float32)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        for part, there, wanted in zip(
            hidden.split(rows), to_hidden.split(rows), targets.split(rows), strict=True
        ):
            logits = functional.linear(part, weight, bias)
            logs = torch.log_softmax(logits, dim=-1, dtype=torch.float32)
            column = wanted[:, None]
            total -= logs.gather(1, column).sum()
            gradient = logs.exp_()
            gradient.scatter_add_(1, column, torch.full_like(column, -1, dtype=torch.float32))
            if to_bias is not None:
                to_bias += gradient.sum(0)
            gradient = gradient.to(hidden.dtype)
            torch.mm(gradient, weight, out=there)
            product = gradient.T @ part
            to_weight = product if to_weight is None else _sum(to_weight, product)
        ctx.scale = scale
        ctx.save_for_backward(to_hidden, to_weight, to_bias)
        ctx.dtype = weight.dtype
        return total * scale

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        to_hidden, to_weight, to_bias = ctx.saved_tensors
        factor = gradients[0] * ctx.scale
        return (
            to_hidden * factor,  # a scalar does not widen the product, and is not rounded itself
            (to_weight * factor).to(ctx.dtype),
            None if to_bias is None else (to_bias * factor).to(ctx.dtype),
            None,
            None,
        )


def _sum(total: torch.Tensor, more: torch.Tensor) -> torch.Tensor:
    """Add in float32: in bfloat16 each addition would round."""
    return (total if total.dtype == torch.float32 else total.float()).add_(more)


def fused_cross_entropy(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None, targets: torch.Tensor
) -> torch.Tensor:
    """Return the mean cross-entropy of a linear head, differentiable.

    `mean over i of (log sum_v exp z_iv) - z_i,target(i)` with `z = hidden weight^T + bias`.

    Parameters
    ----------
    hidden
        Float[rows, width].
    weight, bias
        The head: float[vocabulary, width] and float[vocabulary] or None.
    targets
        int64[rows].

    Returns
    -------
    torch.Tensor
        float32, a scalar.

    Examples
    --------
    Two equal logits: the loss is log 2.

    >>> hidden, weight = torch.ones(1, 1), torch.ones(2, 1)
    >>> round(float(fused_cross_entropy(hidden, weight, None, torch.tensor([0]))), 4)
    0.6931
    """
    return _Fused.apply(hidden, weight, bias, targets, 1 / len(targets))


class NextTokenLoss(nn.Module):
    """A model with its loss: sequences in, one number out; every token but the first is predicted.

    Parameters
    ----------
    model
        A causal language model of transformers, or a module that returns logits (float[sequences, tokens,
        vocabulary], alone or as `.logits`).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model: Any = model
        self.fused = False
        self._compute: Callable[[torch.Tensor], torch.Tensor] = self._hidden_or_logits

    def restore(self) -> None:
        """Give the model back the attention that it came with."""
        if getattr(getattr(self.model, "config", None), "_attn_implementation", "") == attention.NAME:
            self.model.set_attn_implementation("sdpa")

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return the mean loss of int64[sequences, tokens]."""
        targets = tokens[:, 1:].reshape(-1)
        found = self._compute(tokens)[:, :-1].flatten(0, 1)
        if self.fused:
            head = self.model.get_output_embeddings()
            return fused_cross_entropy(found, head.weight, head.bias, targets)
        return functional.cross_entropy(found.float(), targets)

    def _hidden_or_logits(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return float[sequences, tokens, width], or with the vocabulary where the model makes its logits."""
        if self.fused:
            return self.model.base_model(input_ids=tokens, use_cache=False)[0]
        found = self.model(tokens)
        return found if isinstance(found, torch.Tensor) else found.logits

    def compile_model(self) -> None:
        """Compile what runs before the loss."""
        self._compute = torch.compile(self._hidden_or_logits)

    @torch.no_grad()
    def accelerate(self, tokens: torch.Tensor, *, compiled: bool = False) -> None:
        """Choose the fast ways that give this model's own results on one sequence.

        Parameters
        ----------
        tokens
            int64[1, tokens], of the training's context. The model is in float32.
        compiled
            Whether the model will be compiled: then attention stays torch's, which the compiler knows.
        """
        self.model.eval()
        self.fused = _head_is_last(self.model, tokens)
        self.model.train()
        if (
            self.fused
            and not compiled
            and tokens.device.type == "cpu"
            and tokens.shape[1] <= attention.LONGEST
        ):
            _use_blocks(self.model, tokens)


@contextmanager
def compiler_errors() -> Iterator[None]:
    """Turn a failure of torch.compile in the block into one line.

    Raises
    ------
    SulanError
        There is no C++ compiler, or torch's compiler cannot do this model.
    """
    try:
        yield
    except torch._dynamo.exc.BackendCompilerFailed as error:
        raise SulanError(
            f"torch.compile failed: {str(error).strip().partition(chr(10))[0]}",
            hint="train without compile; on the CPU it needs a C++ compiler such as g++",
        ) from error


def _head_is_last(model: nn.Module, tokens: torch.Tensor) -> bool:
    """Whether the logits are exactly what the output embedding makes of the last hidden states.

    The head's output is replaced by numbers from -100 to 100, which a soft cap or a scale would change.
    """
    from transformers import PreTrainedModel

    if not isinstance(model, PreTrainedModel) or model.base_model is model:
        return False
    head = model.get_output_embeddings()
    if type(head) is not nn.Linear:
        return False
    seen: list[torch.Tensor] = []

    def replace(_: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        seen.append(inputs[0])
        return torch.linspace(-100, 100, output.numel()).view_as(output).to(output)

    hook = head.register_forward_hook(replace)
    try:
        logits = model(input_ids=tokens, use_cache=False).logits
    finally:
        hook.remove()
    if len(seen) != 1 or seen[0].shape[:2] != tokens.shape:
        return False
    hidden = model.base_model(input_ids=tokens, use_cache=False)[0]
    expected = torch.linspace(-100, 100, logits.numel()).view_as(logits).to(logits)
    return torch.equal(hidden, seen[0]) and torch.equal(logits, expected)


def _use_blocks(model: Any, tokens: torch.Tensor) -> None:
    """Have the model attend with `attention.forward` where that gives the same hidden states."""
    from transformers import AttentionInterface

    if model.config._attn_implementation != "sdpa":
        return
    AttentionInterface.register(attention.NAME, attention.forward)

    def hidden(implementation: str) -> torch.Tensor:
        model.set_attn_implementation(implementation)
        torch.manual_seed(0)  # the same dropout, if any
        return model.base_model(input_ids=tokens, use_cache=False)[0]

    expected = hidden("sdpa")
    try:
        found = hidden(attention.NAME)
        same = torch.allclose(found, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
    except NotImplementedError as reason:
        _log.info("attention stays torch's: %s", reason)
        same = False
    if not same:
        model.set_attn_implementation("sdpa")

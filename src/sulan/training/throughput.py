"""How fast a training is beside what the machine could do: model FLOPs, the machine's peak, their ratio.

Not covered: memory bandwidth, communication; a ratio near one on a CPU means that only a smaller model or a
lower precision is faster.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from transformers import PreTrainedModel

_SIDE = {"cpu": 1024, "cuda": 8192}
_TRIES = 20


def flops_per_token(model: "PreTrainedModel", *, context: int) -> float:
    """Return the floating-point operations of one token, forward and backward.

    `6 N + 12 L D T` (PaLM, 2204.02311, appendix B), with `N` the weights that take part in matrix products
    (all but an untied input embedding, norms and biases negligible), `L` layers, `D` heads times their width, and
    `T` the context. Attention counts as if it were not causal, as in that paper.

    Parameters
    ----------
    model
        A causal language model of transformers.
    context
        Tokens a sequence.
    """
    config = model.config
    weights = sum(weight.numel() for weight in model.parameters())
    table = model.get_input_embeddings().get_parameter("weight")
    head = model.get_output_embeddings()
    if head is not None and head.weight is not table:
        weights -= table.numel()
    return 6.0 * weights + 12.0 * config.num_hidden_layers * config.hidden_size * context


def peak(
    device: torch.device, dtype: torch.dtype, *, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return the floating-point operations a second of this device's best matrix product, measured now.

    Parameters
    ----------
    device
        Where; on the CPU with the threads that torch uses.
    dtype
        Precision of the product.
    clock
        Seconds; `time.process_time` where one thread is measured on a machine that is busy with other work.
    """
    side = _SIDE[device.type]
    left = torch.randn(side, side, device=device).to(dtype)
    right = torch.randn(side, side, device=device).to(dtype)
    best = float("inf")
    for _ in range(_TRIES):
        _finish(device)
        start = clock()
        left @ right
        _finish(device)
        best = min(best, clock() - start)
    return 2.0 * side**3 / best


def utilisation(*, tokens_per_second: float, flops_per_token: float, peak: float) -> float:
    """Return the share of the peak that the model's own operations are (MFU, 2204.02311, appendix B).

    Examples
    --------
    >>> utilisation(tokens_per_second=2000.0, flops_per_token=1e8, peak=4e11)
    0.5
    """
    return tokens_per_second * flops_per_token / peak


def _finish(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)

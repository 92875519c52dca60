"""Tuning on every n-th token of a window, with the whole window still attended to.

A block's output at a token depends on the other tokens only through what attention reads of them: keys and
values. All else - queries, the output projection, the feed-forward part - acts on each token alone, so where
only some tokens' errors count, it need only be computed for those. The gradient of their error is exact; with
every third token a step of SmolLM2's blocks has 1.0 instead of 2.8 multiplications a weight and token.

Which parts act on each token alone is not told from names but tried: the error of the last token sends no
gradient to the other tokens' outputs of such a part. Not covered: parts that are called with more than the
hidden states, or with all tokens flattened (experts of mixtures); those are computed for every token.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn


class Thinned:
    """A block whose token-wise parts can be computed for some tokens only.

    Parameters
    ----------
    block
        The block; its matrices require gradients.
    run
        Runs it on one window and returns its output [1, tokens, width].

    Attributes
    ----------
    parts
        The largest submodules that act on each token alone.
    """

    def __init__(self, block: nn.Module, run: Callable[[], Tensor]) -> None:
        self.parts = list(_largest(block, _tokenwise(block, run)))

    @contextmanager
    def to(self, tokens: Tensor) -> Iterator[None]:
        """Compute the parts for these tokens, int64 [count]; for all others their outputs and gradients are zero."""

        def before(_: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor]:
            lengths.append(given[0].shape[1])
            return (given[0][:, tokens],)

        def after(_: nn.Module, given: tuple[Tensor, ...], out: Tensor) -> Tensor:
            whole = out.new_zeros(out.shape[0], lengths.pop(), out.shape[2])
            whole[:, tokens] = out
            return whole

        lengths: list[int] = []
        handles = [part.register_forward_pre_hook(before) for part in self.parts]
        handles += [part.register_forward_hook(after) for part in self.parts]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()


def _tokenwise(block: nn.Module, run: Callable[[], Tensor]) -> set[nn.Module]:
    """Return the modules that take and give [1, tokens, width] and whose outputs reach the last token's from nowhere
    else."""
    found: dict[nn.Module, bool] = {}

    def listen(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any) -> None:
        alone = len(given) == 1 and not named and _is_hidden(given[0]) and _is_hidden(out)
        found[module] = alone and module not in found and out.requires_grad

        def arrived(slope: Tensor) -> None:
            found[module] = found[module] and not slope[:, :-1].any()

        if found[module]:
            out.register_hook(arrived)

    handles = [
        module.register_forward_hook(listen, with_kwargs=True)
        for module in block.modules()
        if module is not block and any(isinstance(part, nn.Linear) for part in module.modules())
    ]
    try:
        run()[:, -1].float().square().sum().backward()
    finally:
        for handle in handles:
            handle.remove()
        for parameter in block.parameters():
            parameter.grad = None
    return {module for module, alone in found.items() if alone}


def _is_hidden(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 3


def _largest(module: nn.Module, tokenwise: set[nn.Module]) -> Iterator[nn.Module]:
    for child in module.children():
        if child in tokenwise:
            yield child
        else:
            yield from _largest(child, tokenwise)

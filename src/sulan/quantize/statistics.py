"""What a block's matrices are fed, listened to while the block runs: squares of every column, or all products of two.

Not covered: gradients; see `sensitivity` for those.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

TOKENS = 4096
"""Tokens whose inputs count, spread over all windows: enough for rows of some thousand weights, and cheap."""


@dataclass(kw_only=True)
class Moments:
    """Sums over the inputs X of one matrix, or of several that share them.

    Attributes
    ----------
    squares
        Sum of every column's squares, float32 [columns].
    products
        X'X, float32 [columns, columns]; None unless asked for.
    count
        Inputs that they are the sums of.
    """

    squares: Tensor
    products: Tensor | None = None
    count: int = 0

    @property
    def importance(self) -> Tensor:
        """Mean squared input of every column, float32 [columns]."""
        return self.squares / max(1, self.count)


@contextmanager
def gathering(
    matrices: Mapping[str, nn.Linear], *, tokens: int, products: bool = False
) -> Iterator[dict[str, Moments]]:
    """Give moments of the matrices' inputs by name, summed over what the block is run on inside.

    Matrices that are fed one tensor share one object.

    Parameters
    ----------
    matrices
        The block's matrices by name.
    tokens
        How many tokens will come; beyond `TOKENS`, every n-th counts.
    products
        Whether X'X is wanted.
    """
    found: dict[str, Moments] = {}
    owners: dict[str, str] = {}
    stride = max(1, tokens // TOKENS)
    first_fed: list[tuple[Tensor, str]] = []  # inputs of the first run, held so that no address comes twice

    def listen(name: str) -> Any:
        def before(_: nn.Module, given: tuple[Tensor, ...]) -> None:
            inputs = given[0].detach()
            if name not in owners:
                owners[name] = next(
                    (own for held, own in first_fed if held.data_ptr() == inputs.data_ptr()), name
                )
                first_fed.append((inputs, owners[name]))
            elif first_fed:
                first_fed.clear()
            if owners[name] != name:
                found[name] = found[owners[name]]
                return
            chosen = inputs.flatten(0, -2)[::stride].float()
            sums = found.get(name)
            if sums is None:
                width = chosen.shape[1]
                sums = found[name] = Moments(
                    squares=chosen.new_zeros(width),
                    products=chosen.new_zeros(width, width) if products else None,
                )
            sums.squares += chosen.square().sum(0)
            if sums.products is not None:
                sums.products.addmm_(chosen.t(), chosen)
            sums.count += len(chosen)

        return before

    handles = [module.register_forward_pre_hook(listen(name)) for name, module in matrices.items()]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()

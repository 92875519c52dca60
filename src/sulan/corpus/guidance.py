"""Shows one head of a decoder where to look (guided alignment, Chen et al. 2016).

The loss of a target token whose source token is known is minus the logarithm of what the head gives to that token. The
head stays a part of the model as it is: nothing is added to the checkpoint.
"""

from types import TracebackType
from typing import Any

import torch
from transformers import T5ForConditionalGeneration


class Head:
    """The first head of the attention to the source, in the layer before the last.

    Parameters
    ----------
    network
        A T5; its inputs to that attention are looked at while the `with` block lasts.
    """

    def __init__(self, network: T5ForConditionalGeneration) -> None:
        blocks: Any = network.decoder.block
        self._attention: Any = blocks[max(len(blocks) - 2, 0)].layer[1].EncDecAttention
        self._seen: tuple[torch.Tensor, torch.Tensor] | None = None
        self._hook: Any = None

    def __enter__(self) -> "Head":
        self._hook = self._attention.register_forward_pre_hook(self._look, with_kwargs=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._hook.remove()

    def _look(self, _: torch.nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        self._seen = (inputs[0] if inputs else named["hidden_states"], named["key_value_states"])

    def loss(self, places: torch.Tensor, batch: dict[str, torch.Tensor]) -> torch.Tensor:
        """Return the mean over the target tokens of the last forward pass, nats.

        Parameters
        ----------
        places
            Of the source token of each target token, int64 [batch, target length].
        batch
            What the network was given: `attention_mask` [batch, source length], `labels` [batch, target length].
        """
        assert self._seen is not None
        states, source = self._seen
        width = self._attention.key_value_proj_dim
        queries = states @ self._attention.q.weight[:width].T
        keys = source @ self._attention.k.weight[:width].T
        # T5 divides by no root of the width.
        scores = (queries @ keys.transpose(1, 2)).float()
        scores = scores.masked_fill(batch["attention_mask"][:, None] == 0, -torch.inf)
        given = scores.log_softmax(-1).gather(2, places[..., None])[..., 0]
        told = batch["labels"] >= 0
        return -given[told].mean()

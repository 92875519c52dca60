"""The projections that are trained: an encoder's vectors into the language model, its states into a decoder.

Not covered: the grouping input projection of the paper's third version.
"""

import torch
from torch import nn


class LinearInput(nn.Linear):
    """Every vector of an encoder becomes one soft token: [batch, tokens, width] to [batch, tokens, hidden]."""


class TransformerOutput(nn.Module):
    """Learned queries read the signal tokens' states and become a decoder's condition.

    Parameters
    ----------
    hidden
        Width of the language model.
    tokens, width
        Of the decoder's condition.
    inner, layers, heads, feedforward
        The official code's shape (commit 60d618b): 512, 4 and 4, 4, 2048, normalised first.

    Notes
    -----
    Queries start standard normal, as in the official legacy code: the newer code starts them all at zero, and
    then every output token stays the same.
    """

    def __init__(
        self,
        *,
        hidden: int,
        tokens: int,
        width: int,
        inner: int = 512,
        layers: int = 4,
        heads: int = 4,
        feedforward: int = 2048,
    ) -> None:
        super().__init__()
        self.inward = nn.Linear(hidden, inner)
        self.transformer = nn.Transformer(
            d_model=inner,
            nhead=heads,
            num_encoder_layers=layers,
            num_decoder_layers=layers,
            dim_feedforward=feedforward,
            dropout=0.0,
            norm_first=True,
            batch_first=True,
        )
        self.queries = nn.Parameter(torch.randn(1, tokens, inner))
        self.outward = nn.Linear(inner, width)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return [batch, tokens, width] from states plus input embeddings [batch, signals, hidden]."""
        queries = self.queries.expand(len(states), -1, -1)
        return self.outward(self.transformer(self.inward(states), queries))

"""The projections that are trained: an encoder's vectors into the language model, its states into a decoder.

Not covered: the official newer code's Q-Former.
"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import gumbel_softmax, normalize, one_hot


class LinearInput(nn.Linear):
    """Every vector of an encoder becomes one soft token: [batch, tokens, width] to [batch, tokens, hidden]."""


def assigned(
    concepts: torch.Tensor, patches: torch.Tensor, *, temperature: float, noisy: bool
) -> torch.Tensor:
    """Return the concept of every patch as one-hot rows [batch, patches, concepts].

    A = softmax((norm(C) norm(X)^T + Gumbel) / temperature) over the concepts; what is returned is
    onehot(argmax A) in value and A in gradient.

    Parameters
    ----------
    concepts, patches
        C [batch, concepts, width] and X [batch, patches, width]; norm divides by the length.
    temperature
        Above 0.
    noisy
        Whether Gumbel noise is drawn, as in training.

    Examples
    --------
    >>> concepts = torch.tensor([[[1.0, 0.0], [0.0, 1.0]]])
    >>> assigned(concepts, torch.tensor([[[0.2, 3.0]]]), temperature=1.0, noisy=False).tolist()
    [[[0.0, 1.0]]]
    """
    likeness = normalize(patches, dim=-1) @ normalize(concepts, dim=-1).transpose(1, 2)
    if noisy:
        return gumbel_softmax(likeness, tau=temperature, hard=True)
    soft = (likeness / temperature).softmax(-1)
    hard = one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return hard + (soft - soft.detach())


class GroupingInput(nn.Module):
    """Patches gather round learned concepts, stage by stage; the last stage's concepts are the soft tokens.

    In every stage a transformer reads concepts C and patches X together; every patch then goes to one concept
    (`assigned`), and the next stage's patches are C + MLP(A^T X) (NExT-GPT v3, appendix C.1).

    Parameters
    ----------
    width, hidden
        Of the encoder's vectors and of the language model.
    groups
        Concepts of each stage.
    layers, heads
        Of each stage's transformer.
    temperature
        Of the assignment: 1, as nothing published says another.
    """

    def __init__(
        self,
        *,
        width: int,
        hidden: int,
        groups: Sequence[int],
        layers: int,
        heads: int,
        temperature: float = 1.0,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.concepts = nn.ParameterList(nn.Parameter(torch.randn(count, width)) for count in groups)
        layer = nn.TransformerEncoderLayer(
            width, heads, dim_feedforward=4 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.readers = nn.ModuleList(
            nn.TransformerEncoder(layer, layers, enable_nested_tensor=False) for _ in groups
        )
        self.mixers = nn.ModuleList(
            nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)) for _ in groups
        )
        self.outward = nn.Linear(width, hidden)

    def forward(self, patches: torch.Tensor) -> torch.Tensor:
        """Return [batch, groups of the last stage, hidden] from [batch, tokens, width]."""
        for learned, reader, mixer in zip(self.concepts, self.readers, self.mixers, strict=True):
            together = reader(torch.cat([learned.expand(len(patches), -1, -1), patches], 1))
            concepts, patches = together[:, : len(learned)], together[:, len(learned) :]
            rows = assigned(concepts, patches, temperature=self.temperature, noisy=self.training)
            patches = concepts + mixer(rows.transpose(1, 2) @ patches)
        return self.outward(patches)


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
        layer = nn.TransformerEncoderLayer(
            inner, heads, dim_feedforward=feedforward, dropout=0.0, batch_first=True, norm_first=True
        )
        self.transformer = nn.Transformer(
            d_model=inner,
            nhead=heads,
            # Its own would be the same, and would warn that nested tensors do not go with norm_first.
            custom_encoder=nn.TransformerEncoder(
                layer, layers, nn.LayerNorm(inner), enable_nested_tensor=False
            ),
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

"""Own small encoders, one for each kind of media: patches of a square, through a transformer.

Not covered: CLIP, CLAP, Whisper and ImageBind; anything that satisfies `protocols.Encoder` can take an encoder's place.
"""

from collections.abc import Sequence

import torch
from torch import nn

from sulan.anytoany import grids
from sulan.anytoany.config import EncoderConfig, Grid
from sulan.anytoany.media import Kind, Media


class PatchEncoder(nn.Module):
    """A small vision transformer over any kind of media that `grids` knows.

    Parameters
    ----------
    kind
        What it reads.
    config
        Its shape.
    grid
        Of its input.
    """

    def __init__(self, *, kind: Kind, config: EncoderConfig, grid: Grid) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.features = config.features(grid)
        self.grid = grid
        self.patches = nn.Conv2d(grid.channels(kind), config.width, config.patch, stride=config.patch)
        self.places = nn.Parameter(torch.randn(self.features.tokens - 1, config.width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            config.width,
            config.heads,
            dim_feedforward=4 * config.width,
            dropout=0.0,
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(layer, config.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(config.width)

    def forward(self, squares: torch.Tensor) -> torch.Tensor:
        """Return [batch, tokens, width] from [batch, channels, size, size]: the patches' mean, then the patches."""
        patches = self.patches(squares).flatten(2).transpose(1, 2) + self.places
        made = self.norm(self.transformer(patches))
        return torch.cat([made.mean(1, keepdim=True), made], 1)

    @torch.no_grad()
    def encode(self, media: Sequence[Media]) -> torch.Tensor:
        """Return float32 [batch, tokens, width]."""
        return self(grids.squares(media, self.grid).to(self.places.device))

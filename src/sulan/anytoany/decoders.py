"""Own small decoders, one for each kind of media: a conditional U-Net of diffusers and a text encoder of bytes.

Not covered: published pipelines; anything that satisfies `protocols.Decoder` can take a decoder's place.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers import DDIMScheduler, UNet2DConditionModel
from torch import nn

from sulan.anytoany import grids
from sulan.anytoany.config import DecoderConfig, Grid
from sulan.anytoany.media import Kind, Media
from sulan.anytoany.projections import TransformerOutput
from sulan.anytoany.protocols import Cancelled
from sulan.runs import seeds as randomness

STEPS = 1000
"""Of the noise schedule (Ho et al. 2020, section 4)."""

NOTHING = ""
"""The caption of a decoder that is not steered; classifier-free guidance leads away from it."""


class CaptionEncoder(nn.Module):
    """Reads a caption's UTF-8 bytes, cut or filled up to a fixed number, so that no row depends on another.

    Parameters
    ----------
    config
        Of the decoder that it steers.
    """

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        width = config.condition.width
        self.letters = config.letters
        self.embedding = nn.Embedding(257, width)
        self.places = nn.Parameter(torch.randn(config.letters, width) * 0.02)
        self.reader = TransformerOutput(
            hidden=width,
            tokens=config.condition.tokens,
            width=width,
            inner=width,
            layers=1,
            feedforward=4 * width,
        )

    def forward(self, captions: Sequence[str]) -> torch.Tensor:
        """Return [batch, tokens, width]."""
        rows = [list(caption.encode()[: self.letters]) for caption in captions]
        filled = [row + [256] * (self.letters - len(row)) for row in rows]
        letters = torch.tensor(filled, device=self.places.device)
        return self.reader(self.embedding(letters) + self.places)


class DiffusionDecoder(nn.Module):
    """Makes the squares of `grids` by denoising.

    Parameters
    ----------
    kind
        What it makes.
    config
        Its shape.
    grid
        Of its output.
    """

    def __init__(self, *, kind: Kind, config: DecoderConfig, grid: Grid) -> None:
        super().__init__()
        self.kind: Kind = kind
        self.condition = config.condition
        self.grid = grid
        levels = len(config.channels)
        self.unet: Any = UNet2DConditionModel(
            sample_size=grid.size,
            in_channels=grid.channels(kind),
            out_channels=grid.channels(kind),
            layers_per_block=1,
            block_out_channels=config.channels,
            down_block_types=("CrossAttnDownBlock2D",) * levels,
            up_block_types=("CrossAttnUpBlock2D",) * levels,
            cross_attention_dim=config.condition.width,
            attention_head_dim=8,
            norm_num_groups=8,
        )
        self.captions = CaptionEncoder(config)
        # The square's values are in [-1, 1] already, and a prediction of noise may be clipped to that.
        self.scheduler: Any = DDIMScheduler(num_train_timesteps=STEPS, clip_sample=True)

    def text_condition(self, captions: Sequence[str]) -> torch.Tensor:
        """Return float32 [batch, tokens, width]."""
        made = self.captions(captions)
        return nn.functional.normalize(made, dim=-1) if self.condition.form == "pooled" else made

    def latents(self, media: Sequence[Media]) -> torch.Tensor:
        """Return the squares [batch, channels, size, size] of media of the decoder's kind."""
        return grids.squares(media, self.grid).to(self.captions.places.device)

    def denoising_loss(
        self, latents: torch.Tensor, condition: torch.Tensor, *, noise: torch.Tensor, steps: torch.Tensor
    ) -> torch.Tensor:
        """Return the mean of (noise - predicted)^2 for each item [batch], as the protocol says."""
        noisy = self.scheduler.add_noise(latents, noise, steps)
        return (noise - self._predicted(noisy, steps, condition)).square().flatten(1).mean(1)

    @torch.no_grad()
    def generate(
        self,
        condition: torch.Tensor,
        *,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        on_step: Callable[[int, int], bool] | None = None,
    ) -> list[Media]:
        """Return one medium for each row of the condition [batch, tokens, width], as the protocol says."""
        device = condition.device
        shape = (self.grid.channels(self.kind), self.grid.size, self.grid.size)
        values = torch.stack([_noise(seed, shape) for seed in seeds]).to(device)
        unsteered = self.text_condition([NOTHING]).expand_as(condition)
        scheduler: Any = DDIMScheduler.from_config(self.scheduler.config)  # the steps are its state
        scheduler.set_timesteps(steps, device=device)
        for done, step in enumerate(scheduler.timesteps, start=1):
            times = step.expand(len(values))
            predicted = self._predicted(values, times, condition)
            if guidance != 1:
                plain = self._predicted(values, times, unsteered)
                predicted = plain + guidance * (predicted - plain)
            values = scheduler.step(predicted, step, values).prev_sample
            if on_step is not None and not on_step(done, steps):
                raise Cancelled
        return grids.media(self.kind, values, self.grid)

    def _predicted(self, noisy: torch.Tensor, steps: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        return self.unet(noisy, steps, encoder_hidden_states=condition).sample


def _noise(seed: int, shape: tuple[int, ...]) -> torch.Tensor:
    generator = randomness.generator(seed, "sulan.anytoany.decoders noise")
    return torch.from_numpy(generator.standard_normal(shape)).float()

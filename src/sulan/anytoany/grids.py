"""Media as squares of numbers and back: what the own small encoders read and the own small decoders make.

Pictures are colours, clips the colours of every frame side by side, sounds a log-mel spectrogram, which Griffin and
Lim's iteration (1984) makes audible again. Not covered: phases, which a spectrogram has lost.
"""

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from scipy.signal import resample_poly
from torch.nn.functional import interpolate, pad
from transformers.audio_utils import mel_filter_bank

from sulan.anytoany.config import Grid
from sulan.anytoany.media import Audio, Image, Kind, Media, Video

QUIET, LOUD = -8.0, 0.5
"""Powers of ten of a mel band's power that become -1 and 1: 80 dB below a full sine, and above the 1.5 that the bins
of a full sine add up to. Powers and not amplitudes, so that a sound that comes back is as loud as it was."""

_WINDOW = 4
"""Windows are this many hops long, so Griffin and Lim have three quarters of overlap, as they advise."""
_ITERATIONS = 60
"""Beyond these the spectrogram of a tone comes no nearer to the one asked for."""


def squares(media: Sequence[Media], grid: Grid) -> torch.Tensor:
    """Return media of one kind as float32 [batch, channels, size, size] in [-1, 1]."""
    return torch.stack([_square(item, grid) for item in media])


def media(kind: Kind, values: torch.Tensor, grid: Grid) -> list[Media]:
    """Return what squares [batch, channels, size, size] mean; values outside [-1, 1] are clipped."""
    values = values.detach().float().cpu().clamp(-1, 1)
    if kind == "audio":
        return [Audio(samples=_audible(item[0], grid), rate=grid.rate) for item in values]
    pixels = ((values + 1) * 127.5).round().to(torch.uint8)
    if kind == "image":
        return [Image(pixels=item.permute(1, 2, 0).contiguous().numpy()) for item in pixels]
    clips = pixels.unflatten(1, (grid.frames, 3)).permute(0, 1, 3, 4, 2).contiguous()
    return [Video(frames=clip.numpy(), rate=grid.frames / grid.seconds) for clip in clips]


def _square(item: Media, grid: Grid) -> torch.Tensor:
    if isinstance(item, Audio):
        return _spectrogram(_fitted(item, grid), grid)[None]
    if isinstance(item, Image):
        return _resized(item.pixels[None], grid)[0]
    chosen = np.linspace(0, len(item.frames) - 1, grid.frames).round().astype(int)
    return _resized(item.frames[chosen], grid).flatten(0, 1)


def _resized(pixels: np.ndarray, grid: Grid) -> torch.Tensor:
    values = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return interpolate(values, size=(grid.size, grid.size), mode="area")


def _hop(grid: Grid) -> int:
    return round(grid.seconds * grid.rate / grid.size)


def _full(grid: Grid) -> float:
    """Return the amplitude of a full sine in its bin: half the sum of a Hann window of n, n / 4."""
    return _hop(grid) * _WINDOW / 4


def _fitted(sound: Audio, grid: Grid) -> torch.Tensor:
    samples = sound.samples
    if sound.rate != grid.rate:
        common = math.gcd(sound.rate, grid.rate)
        samples = resample_poly(samples, grid.rate // common, sound.rate // common)
    length = _hop(grid) * grid.size
    values = torch.from_numpy(np.ascontiguousarray(samples, np.float32))[:length]
    return pad(values, (0, length - len(values)))


@lru_cache
def _filters(size: int, rate: int, window: int) -> torch.Tensor:
    return torch.from_numpy(
        mel_filter_bank(
            num_frequency_bins=window // 2 + 1,
            num_mel_filters=size,
            min_frequency=0.0,
            max_frequency=rate / 2,
            sampling_rate=rate,
            triangularize_in_mel_space=True,
        )
    ).float()


def _spectrogram(samples: torch.Tensor, grid: Grid) -> torch.Tensor:
    """Return the log-mel spectrogram [bands, moments] of samples [length] in [-1, 1]."""
    powers = (_transform(samples, grid).abs() / _full(grid)).square()
    mels = _filters(grid.size, grid.rate, _hop(grid) * _WINDOW).T @ powers
    logs = mels.clamp(min=10**QUIET).log10()
    return (2 * (logs - QUIET) / (LOUD - QUIET) - 1).clamp(-1, 1)


def _transform(samples: torch.Tensor, grid: Grid) -> torch.Tensor:
    hop = _hop(grid)
    window = torch.hann_window(hop * _WINDOW)
    found = torch.stft(samples, hop * _WINDOW, hop, window=window, pad_mode="constant", return_complex=True)
    return found[:, : grid.size]


def _audible(square: torch.Tensor, grid: Grid) -> np.ndarray:
    hop = _hop(grid)
    window = torch.hann_window(hop * _WINDOW)
    mels = 10 ** ((square + 1) / 2 * (LOUD - QUIET) + QUIET)
    mels = torch.where(square <= -1, torch.zeros_like(mels), mels)
    powers = _spread(mels, _filters(grid.size, grid.rate, hop * _WINDOW))
    amplitudes = powers.sqrt() * _full(grid)
    phases = torch.rand(amplitudes.shape, generator=torch.Generator().manual_seed(0)) * (2 * math.pi)
    found = torch.polar(amplitudes, phases)
    for _ in range(_ITERATIONS):
        samples = torch.istft(pad(found, (0, 1)), hop * _WINDOW, hop, window=window, length=hop * grid.size)
        found = torch.polar(amplitudes, _transform(samples, grid).angle())
    samples = torch.istft(pad(found, (0, 1)), hop * _WINDOW, hop, window=window, length=hop * grid.size)
    return samples.clamp(-1, 1).numpy()


def _spread(mels: torch.Tensor, filters: torch.Tensor) -> torch.Tensor:
    """Return non-negative powers [bins, moments] whose mel bands [bands, moments] come near those given.

    Lee and Seung's (2001) update for the squared error, p <- p * (F m) / (F F^T p), keeps them positive.
    """
    wanted = filters @ mels
    powers = wanted
    for _ in range(_ITERATIONS):
        powers = powers * wanted / (filters @ (filters.T @ powers)).clamp(min=1e-20)
    return powers

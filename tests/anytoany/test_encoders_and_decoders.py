"""Squares of numbers and back; the denoising loss is the bare U-Net's; rows do not depend on one another."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from anytoany.small import CONFIG
from sulan.anytoany import grids
from sulan.anytoany.config import Grid
from sulan.anytoany.decoders import DiffusionDecoder
from sulan.anytoany.encoders import PatchEncoder
from sulan.anytoany.media import KINDS, Audio, Image, Kind, Media, Video
from sulan.anytoany.protocols import Cancelled

GRID = Grid()
RANDOM = np.random.default_rng(0)
MEDIA: dict[Kind, list[Media]] = {
    "image": [Image(pixels=RANDOM.integers(0, 256, (16, 16, 3), np.uint8)) for _ in range(2)],
    "audio": [
        Audio(samples=np.sin(np.arange(4096) * turn).astype(np.float32), rate=8000) for turn in (0.3, 0.9)
    ],
    "video": [
        Video(frames=RANDOM.integers(0, 256, (4, 16, 16, 3), np.uint8), rate=4 / 0.512) for _ in range(2)
    ],
}


def decoder(kind: Kind) -> DiffusionDecoder:
    torch.manual_seed(0)
    return DiffusionDecoder(kind=kind, config=CONFIG.decoders[kind], grid=GRID).eval()


@pytest.mark.parametrize("kind", ["image", "video"])
def test_pictures_and_clips_of_the_grids_size_come_back_exactly(kind: Kind) -> None:
    squares = grids.squares(MEDIA[kind], GRID)
    assert squares.shape == (2, GRID.channels(kind), 16, 16)
    for item, made in zip(MEDIA[kind], grids.media(kind, squares, GRID), strict=True):
        for name in ("pixels", "frames"):
            if hasattr(item, name):
                assert np.array_equal(getattr(item, name), getattr(made, name))


def test_a_picture_of_another_size_is_averaged() -> None:
    pixels = np.zeros((64, 48, 3), np.uint8)
    pixels[:32] = 200
    (made,) = grids.media("image", grids.squares([Image(pixels=pixels)], GRID), GRID)
    assert isinstance(made, Image)
    assert made.pixels[:8].min() == 200
    assert made.pixels[8:].max() == 0


@pytest.mark.parametrize("hertz", [400, 1000, 2500])
@pytest.mark.parametrize("rate", [8000, 44100])
def test_a_tone_comes_back_in_its_mel_band(hertz: int, rate: int) -> None:
    grid = Grid(size=32, seconds=1.024)
    times = np.arange(rate) / rate
    tone = Audio(samples=(0.5 * np.sin(2 * np.pi * hertz * times)).astype(np.float32), rate=rate)
    (made,) = grids.media("audio", grids.squares([tone], grid), grid)
    assert isinstance(made, Audio)
    assert made.rate == 8000
    assert len(made.samples) == 8192
    loudest = np.abs(np.fft.rfft(made.samples[1000:7000])).argmax() * 8000 / 6000
    # 32 bands lie 66 mel apart, so near 2500 Hz about 200 Hz
    assert abs(loudest - hertz) < 0.1 * hertz
    loudness = np.sqrt(np.mean(made.samples[1000:7000] ** 2))
    assert loudness == pytest.approx(0.5 / np.sqrt(2), rel=0.05)


def test_silence_stays_silent() -> None:
    silence = Audio(samples=np.zeros(100, np.float32), rate=8000)
    (made,) = grids.media("audio", grids.squares([silence], GRID), GRID)
    assert isinstance(made, Audio)
    assert np.abs(made.samples).max() < 1e-3


@pytest.mark.parametrize("kind", KINDS)
def test_an_encoders_rows_do_not_depend_on_one_another(kind: Kind) -> None:
    torch.manual_seed(0)
    encoder = PatchEncoder(kind=kind, config=CONFIG.encoders[kind], grid=GRID).eval()
    both = encoder.encode(MEDIA[kind])
    assert both.shape == (2, encoder.features.tokens, encoder.features.width)
    assert not torch.allclose(both[0], both[1])
    assert torch.allclose(both[1], encoder.encode(MEDIA[kind][1:])[0], atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_the_denoising_loss_is_the_bare_unets_and_reaches_the_condition(kind: Kind) -> None:
    made = decoder(kind)
    latents = made.latents(MEDIA[kind])
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1))
    steps = torch.tensor([10, 900])
    condition = made.text_condition(["red", "blue"]).detach().requires_grad_()
    loss = made.denoising_loss(latents, condition, noise=noise, steps=steps)
    schedule: Any = DDIMScheduler()
    signal = schedule.alphas_cumprod[steps].reshape(2, 1, 1, 1)  # sqrt(a) x + sqrt(1 - a) noise
    noisy = signal.sqrt() * latents + (1 - signal).sqrt() * noise
    predicted = made.unet(noisy, steps, encoder_hidden_states=condition).sample
    assert torch.allclose(loss, ((noise - predicted) ** 2).mean((1, 2, 3)), atol=1e-6)
    loss.sum().backward()
    assert condition.grad is not None
    assert condition.grad.abs().sum() > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_depends_on_its_own_seed_and_condition_alone(kind: Kind) -> None:
    made = decoder(kind)
    condition = made.text_condition(["red", "blue"]).detach()
    both = made.generate(condition, seeds=[1, 2], steps=3, guidance=2.0)
    (alone,) = made.generate(condition[1:], seeds=[2], steps=3, guidance=2.0)
    for name in ("pixels", "frames", "samples"):
        if hasattr(alone, name):
            # another batch size sums in another order: a unit of 255 at most, and a sound's phases follow
            near = np.abs(getattr(both[1], name).astype(float) - getattr(alone, name).astype(float))
            assert near.max() <= (1e-2 if name == "samples" else 1)
            assert not np.array_equal(getattr(both[0], name), getattr(both[1], name))


def test_generation_stops_where_nobody_waits() -> None:
    made, steps = decoder("image"), []
    with pytest.raises(Cancelled):
        made.generate(
            made.text_condition([""]).detach(),
            seeds=[0],
            steps=9,
            guidance=1.0,
            on_step=lambda done, _: bool(steps.append(done)) or done < 2,
        )
    assert steps == [1, 2]

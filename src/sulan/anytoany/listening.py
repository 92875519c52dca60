"""Read a scene back from a sound in closed form.

Runs of the envelope are beeps; the strongest partial is the pitch; the phase of that partial gives the glide, and
the strengths of its multiples the shape; the envelope inside a beep gives the other motions.
"""

import numpy as np
from numpy.typing import NDArray

from sulan.anytoany.media import Audio
from sulan.anytoany.reading import Reading
from sulan.anytoany.scenes import COUNTS, SHAPES, SIZES, Motion
from sulan.anytoany.sounding import FADE, GLIDE, LOWEST, OVERTONES, TREMOLO

_QUIET = 0.15
"""Of the envelope's highest value: below, there is silence. A beep that fades goes down to 0.4."""

_HARMONIC = 0.6
"""Least share of a beep's energy in its harmonics; white noise has less than a tenth there."""

_LONGEST = 0.35
"""Most of the whole length that a beep lasts; a slot is a quarter, and what a decoder makes is blurred."""

_Wave = NDArray[np.float64]


def read(sound: Audio) -> Reading | None:
    """Return what a sound tells, or None where it is no scene."""
    samples = np.asarray(sound.samples, np.float64)
    if len(samples) < sound.rate // 8 or not np.isfinite(samples).all():
        return None
    samples -= samples.mean()
    if np.abs(samples).max() < 0.02:
        return None
    envelope = _smooth(np.abs(samples), round(0.006 * sound.rate))
    beeps = _runs(envelope > _QUIET * envelope.max(), gap=round(0.01 * sound.rate), least=len(samples) // 32)
    if len(beeps) not in COUNTS or any(stop - start > _LONGEST * len(samples) for start, stop in beeps):
        return None
    heard = [_beep(samples[start:stop], sound.rate) for start, stop in beeps]
    if any(one is None for one in heard):
        return None
    pitch, glide, strengths, loudness = (
        np.mean(values, axis=0) for values in zip(*filter(None, heard), strict=True)
    )
    low = min(LOWEST.values())
    octaves = float(pitch) - np.log2(low)
    size = min(SIZES, key=lambda name: abs(octaves - np.log2(LOWEST[name] / low) - 0.5))
    shape = min(SHAPES, key=lambda name: float(np.square(strengths - OVERTONES[name]).sum()))
    return Reading(
        hue=float(360 * octaves) % 360,
        shape=shape,
        count=len(beeps),
        size=size,
        motion=_motion(float(glide), loudness),
    )


def _beep(wave: _Wave, rate: int) -> tuple[float, float, _Wave, _Wave] | None:
    """Return log2 of the pitch in Hz, the glide in octaves from end to end, four strengths, and 24 loudnesses."""
    length = len(wave)
    window = np.hanning(length)
    padded = 1 << int(np.ceil(np.log2(4 * length)))
    spectrum = np.abs(np.fft.rfft(wave * window, padded))
    frequencies = np.asarray(np.fft.rfftfreq(padded, 1 / rate), np.float64)
    # Power in a band of a third of an octave: a glide spreads a partial over as much.
    power = np.concatenate([[0.0], np.cumsum(spectrum**2)])
    edges = [np.searchsorted(frequencies, frequencies * 2**half) for half in (-GLIDE, GLIDE)]
    band = power[np.minimum(edges[1], len(power) - 1)] - power[edges[0]]
    band[(frequencies < 0.85 * min(LOWEST.values())) | (frequencies > 2.3 * max(LOWEST.values()))] = 0
    centre = _centroid(spectrum**2, frequencies, frequencies[int(band.argmax())])
    if not centre:
        return None
    phase = _phase(wave, rate, centre)
    inside = slice(length // 8, length - length // 8)
    times = np.arange(length)[inside] / rate
    slope = np.polynomial.Polynomial.fit(times, phase[inside], 2).deriv()
    middle, ends = slope(length / 2 / rate) / (2 * np.pi), slope(np.array([0.0, length / rate])) / (2 * np.pi)
    if middle <= 0 or (ends <= 0).any():
        return None
    strengths = np.array([_strength(wave, harmonic * phase) for harmonic in range(1, 5)])
    explained = np.square(strengths).sum() / 2
    loudness = np.abs(_smooth(wave * np.exp(-1j * phase), round(rate / centre)))
    loudness = loudness[: length // 24 * 24].reshape(24, -1).mean(axis=1)
    steady = np.square(wave / np.maximum(_stretched(loudness, length), 1e-9) * loudness.mean()).mean()
    if explained < _HARMONIC * min(np.square(wave).mean(), steady):
        return None
    glide = float(np.log2(ends[1] / ends[0]))
    return float(np.log2(middle)), glide, strengths / strengths[0], loudness / loudness.max()


def _centroid(power: _Wave, frequencies: _Wave, start: float) -> float:
    """Return the mean frequency about `start`, within a sixth of an octave and once again about the result."""
    for _ in range(3):
        near = (frequencies > start * 2**-0.25) & (frequencies < start * 2**0.25)
        total = power[near].sum()
        if not total:
            return 0.0
        start = float((power[near] * frequencies[near]).sum() / total)
    return start


def _phase(wave: _Wave, rate: int, centre: float) -> _Wave:
    """Return the unwrapped phase [length] of the partial near `centre` Hz."""
    carrier = 2 * np.pi * centre * np.arange(len(wave)) / rate
    # A mean over one period takes out all other harmonics.
    slow = _smooth(wave * np.exp(-1j * carrier), max(2, round(rate / centre)))
    slow = _smooth(slow, max(2, round(rate / centre)))
    return carrier + np.unwrap(np.angle(slow))


def _strength(wave: _Wave, phase: _Wave) -> float:
    """Return the amplitude of what runs along with a phase, apart from a constant lag."""
    return float(2 * np.abs((wave * np.exp(-1j * phase)).mean()))


def _motion(glide: float, loudness: _Wave) -> Motion:
    if abs(glide) > GLIDE:
        return "up" if glide > 0 else "down"
    inside = loudness[2:-2]
    across = np.linspace(-1, 1, len(loudness))[2:-2]
    waves = np.stack([np.ones_like(across), across, np.cos(np.pi * TREMOLO * (across + 1))], axis=1)
    _, slope, swell = (float(part) for part in np.linalg.lstsq(waves, inside)[0])
    if max(swell, abs(slope)) < FADE / 5:
        return "still"
    if swell > abs(slope):
        return "rotate"
    return "right" if slope > 0 else "left"


def _stretched(values: _Wave, length: int) -> _Wave:
    return np.interp(np.linspace(0, 1, length), np.linspace(0, 1, len(values)), values)


def _smooth(values: NDArray, width: int) -> NDArray:
    """Return the moving mean over `width` samples."""
    return np.convolve(values, np.full(width, 1 / width), "same")


def _runs(loud: NDArray[np.bool_], *, gap: int, least: int) -> list[tuple[int, int]]:
    """Return (start, stop) of runs of True; gaps below `gap` are closed, runs below `least` left out."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], loud, [False]])))
    runs: list[tuple[int, int]] = []
    for start, stop in edges.reshape(-1, 2).tolist():
        if runs and start - runs[-1][1] < gap:
            runs[-1] = (runs[-1][0], stop)
        else:
            runs.append((start, stop))
    return [(start, stop) for start, stop in runs if stop - start >= least]

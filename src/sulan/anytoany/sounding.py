"""Sound a scene: as many beeps as there are shapes.

Pitch within its octave is hue, the octave is size, overtones are the shape, and what happens inside every beep is
motion: a glide up or down, louder for right, softer for left, tremolo for rotation. One channel, so there is no
panning. Not covered: where in the picture the shapes are.
"""

import numpy as np

from sulan.anytoany.media import Audio
from sulan.anytoany.scenes import COUNTS, Scene, Shape, Size

LOWEST: dict[Size, float] = {"big": 220.0, "small": 880.0}
"""Pitch of hue 0 in Hz. An octave lies between the two sizes, so that no hue is near both."""

OVERTONES: dict[Shape, tuple[float, ...]] = {
    "circle": (1.0, 0.0, 0.0, 0.0),
    "triangle": (1.0, 0.6, 0.0, 0.0),
    "square": (1.0, 0.0, 0.6, 0.0),
    "cross": (1.0, 0.0, 0.0, 0.6),
    "ring": (1.0, 0.6, 0.0, 0.6),
    "star": (1.0, 0.6, 0.6, 0.6),
}
"""Amplitudes of the harmonics 1 to 4; the fundamental is the strongest."""

FILLED = 0.72
"""Share of a beep's slot that sounds; a slot is a quarter of the length, whatever the count."""

GLIDE = 2 / 12
"""Octaves that a glide goes below and above the pitch."""

FADE = 0.6
"""Loss of loudness across a beep that fades, and depth of the tremolo."""

TREMOLO = 3
"""Swells in a beep."""

_EDGE = 0.005


def pitch(scene: Scene) -> float:
    """Return the scene's pitch in Hz: LOWEST 2^(hue / 360).

    Examples
    --------
    >>> from sulan.anytoany.scenes import Scene
    >>> pitch(Scene(hue=180.0, shape="ring", count=1, size="big", x=0.5, y=0.5, motion="still")) / 220 == 2**0.5
    True
    """
    return LOWEST[scene.size] * 2 ** (scene.hue / 360)


def audio(scene: Scene, rate: int, seconds: float) -> Audio:
    """Return the scene's sound.

    Parameters
    ----------
    scene
        What is sounded.
    rate
        Samples a second; harmonics from half of it on are left out (the highest possible one is at 7,040 Hz).
    seconds
        Length.
    """
    length = round(rate * seconds)
    slot = length // max(COUNTS)
    beep = _beep(scene, rate, int(slot * FILLED))
    samples = np.zeros(length, np.float32)
    for number in range(scene.count):
        samples[number * slot : number * slot + len(beep)] = beep
    return Audio(samples=samples, rate=rate)


def _beep(scene: Scene, rate: int, length: int) -> np.ndarray:
    across = np.linspace(-1, 1, length)
    octaves = {"up": GLIDE, "down": -GLIDE}.get(scene.motion, 0.0) * across
    frequency = pitch(scene) * 2**octaves
    phase = 2 * np.pi * np.cumsum(frequency) / rate
    wave = np.zeros(length)
    for harmonic, strength in enumerate(OVERTONES[scene.shape], start=1):
        wave += np.where(harmonic * frequency < rate / 2, strength * np.sin(harmonic * phase), 0.0)
    swell = np.ones(length)
    if scene.motion in ("left", "right"):
        towards = across if scene.motion == "right" else -across
        swell = 1 - FADE * (1 - towards) / 2
    elif scene.motion == "rotate":
        swell = 1 - FADE * (1 - np.cos(np.pi * TREMOLO * (across + 1))) / 2
    edge = np.minimum(1.0, np.minimum(np.arange(length), np.arange(length)[::-1]) / (_EDGE * rate))
    return (0.3 * wave * swell * edge).astype(np.float32)

"""Media as arrays: what encoders read, decoders make and files hold.

Not covered: reading and writing files; every file that a stranger gave is decoded elsewhere, in a process of its own.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Kind = Literal["image", "audio", "video"]
KINDS: tuple[Kind, ...] = ("image", "audio", "video")


@dataclass(frozen=True, kw_only=True, eq=False)
class Image:
    """A picture.

    Attributes
    ----------
    pixels
        uint8 [height, width, 3], sRGB.
    """

    pixels: NDArray[np.uint8]
    kind: Literal["image"] = "image"


@dataclass(frozen=True, kw_only=True, eq=False)
class Audio:
    """A sound.

    Attributes
    ----------
    samples
        float32 [length], one channel, in [-1, 1].
    rate
        Samples a second.
    """

    samples: NDArray[np.float32]
    rate: int
    kind: Literal["audio"] = "audio"


@dataclass(frozen=True, kw_only=True, eq=False)
class Video:
    """A clip without sound.

    Attributes
    ----------
    frames
        uint8 [frames, height, width, 3], sRGB.
    rate
        Frames a second.
    """

    frames: NDArray[np.uint8]
    rate: float
    kind: Literal["video"] = "video"


Media = Image | Audio | Video

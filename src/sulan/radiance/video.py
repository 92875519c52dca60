"""Frames as an MP4 that browsers play: H.264, one encoding thread, so the same frames give the same bytes."""

from fractions import Fraction
from pathlib import Path

import numpy

from sulan.errors import BackendError, MissingExtra

QUALITY = "18"
"""x264's constant rate factor: visually lossless."""


def write(pictures: list[Path], path: Path, *, rate: float) -> None:
    """Encode PNG files of one size as a video.

    Parameters
    ----------
    pictures
        At least one; an odd row or column at the edge is doubled, which the format needs.
    path
        Destination, `.mp4`.
    rate
        Frames a second.

    Raises
    ------
    BackendError
        The encoder failed, e.g. because the disk is full.
    """
    try:
        import av
        import PIL.Image
    except ImportError as error:
        raise MissingExtra("av", extra="radiance") from error
    try:
        with av.open(str(path), "w", options={"fflags": "+bitexact"}) as container:
            stream = container.add_stream("libx264", rate=Fraction(rate).limit_denominator(1001))
            stream.pix_fmt = "yuv420p"
            stream.codec_context.thread_count = 1
            stream.options = {"crf": QUALITY, "preset": "medium"}
            for number, picture in enumerate(pictures):
                with PIL.Image.open(picture) as opened:
                    pixels = numpy.asarray(opened.convert("RGB"))
                pixels = numpy.pad(
                    pixels, [(0, pixels.shape[0] % 2), (0, pixels.shape[1] % 2), (0, 0)], mode="edge"
                )
                if not number:
                    stream.width, stream.height = pixels.shape[1], pixels.shape[0]
                container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
            container.mux(stream.encode())
    except (av.FFmpegError, OSError) as error:
        raise BackendError(f"the video {path.name} could not be written: {error}") from error

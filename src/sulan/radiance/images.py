"""Images in and out: linear RGB in float32, whatever the file; EXR with layers, PNG for people.

A PNG or JPEG is decoded from sRGB; an EXR or HDR file is linear as it is, and values above 1 are kept. Alpha is kept
as a fourth channel. What cannot be light (NaN, infinities, negative values) is refused with the file's name.
"""

import io
from collections.abc import Mapping
from pathlib import Path

import numpy
from numpy.typing import ArrayLike, NDArray

from sulan.errors import BrokenArtefact, InputError, MissingExtra, MissingFile

Image = NDArray[numpy.float32]

LARGEST_PIXELS = 100_000_000
"""A photograph has at most some 100 million pixels; a header that states more is not read."""

DEPTH_SUFFIXES = {"depth": "Z"}


def to_srgb(linear: ArrayLike) -> NDArray[numpy.float64]:
    """Return linear values in [0, 1] encoded as sRGB (IEC 61966-2-1); others are clipped.

    Examples
    --------
    >>> [round(float(value), 4) for value in to_srgb([0.0, 0.2140411, 1.0, 7.0])]
    [0.0, 0.5, 1.0, 1.0]
    """
    x = numpy.clip(numpy.asarray(linear, dtype=numpy.float64), 0.0, 1.0)
    return numpy.where(x <= 0.0031308, 12.92 * x, 1.055 * numpy.power(x, 1 / 2.4) - 0.055)


def from_srgb(encoded: ArrayLike) -> NDArray[numpy.float64]:
    """Return the linear values of sRGB-encoded ones in [0, 1]; see `to_srgb`."""
    x = numpy.clip(numpy.asarray(encoded, dtype=numpy.float64), 0.0, 1.0)
    return numpy.where(x <= 0.04045, x / 12.92, numpy.power((x + 0.055) / 1.055, 2.4))


def psnr(image: ArrayLike, truth: ArrayLike, *, mask: NDArray[numpy.bool_] | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB of two linear images, compared as sRGB.

        10 log10(1 / mean((srgb(image) - srgb(truth))^2))

    Parameters
    ----------
    image, truth
        `[height, width, 3]`, linear.
    mask
        Pixels that count, `[height, width]`; None: all.

    Examples
    --------
    >>> round(psnr(numpy.zeros((2, 2, 3)), numpy.full((2, 2, 3), 0.2140411)), 2)  # off by 0.5 in sRGB
    6.02
    """
    squared = (to_srgb(image) - to_srgb(truth)) ** 2
    error = float((squared if mask is None else squared[mask]).mean())
    return float("inf") if error == 0 else -10 * float(numpy.log10(error))


def relative_error(image: ArrayLike, truth: ArrayLike, *, mask: NDArray[numpy.bool_] | None = None) -> float:
    """Return the relative mean squared error, mean((image - truth)^2 / (truth^2 + 0.01)), of linear images."""
    a, b = numpy.asarray(image, dtype=numpy.float64), numpy.asarray(truth, dtype=numpy.float64)
    error = (a - b) ** 2 / (b**2 + 0.01)
    return float((error if mask is None else error[mask]).mean())


def read(path: Path) -> Image:
    """Read an image as linear float32, `[height, width, 3]` or `[height, width, 4]` with alpha.

    Raises
    ------
    MissingFile
        There is no such file.
    BrokenArtefact
        It cannot be decoded.
    InputError
        It holds values that cannot be light.
    """
    if not path.is_file():
        raise MissingFile(f"no image at {path}")
    if path.suffix.lower() == ".exr":
        image = _read_exr(path)
    else:
        image = _read_other(path)
    if not numpy.isfinite(image).all():
        raise InputError(f"{path} holds pixels that are not finite (NaN or infinite)")
    if image[..., :3].min() < 0:
        raise InputError(f"{path} holds pixels with negative light, {image[..., :3].min():.3g}")
    return image


def _read_exr(path: Path) -> Image:
    layers = read_layers(path)
    if not {"R", "G", "B"} <= set(layers):
        if "Y" in layers:
            return numpy.repeat(layers["Y"][..., None], 3, axis=2)
        raise BrokenArtefact(f"{path} has no channels R, G and B: {', '.join(sorted(layers)[:8])}")
    names = ["R", "G", "B", *(["A"] if "A" in layers else [])]
    return numpy.stack([layers[name] for name in names], axis=-1)


def _read_other(path: Path) -> Image:
    try:
        import imageio.v3
        import PIL.Image
    except ImportError as error:
        raise MissingExtra("imageio", extra="radiance") from error
    if path.suffix.lower() == ".hdr":
        try:
            return numpy.asarray(imageio.v3.imread(path), dtype=numpy.float32)[..., :3]
        except (OSError, ValueError) as error:
            raise BrokenArtefact(f"{path} cannot be decoded: {error}") from error
    try:
        with PIL.Image.open(path) as opened:
            if opened.width * opened.height > LARGEST_PIXELS:
                raise InputError(f"{path} states {opened.width} x {opened.height} pixels")
            has_alpha = "A" in opened.getbands() or "transparency" in opened.info
            pixels = numpy.asarray(opened.convert("RGBA" if has_alpha else "RGB"), dtype=numpy.float64) / 255
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise BrokenArtefact(f"{path} cannot be decoded: {error}") from error
    pixels[..., :3] = from_srgb(pixels[..., :3])
    return pixels.astype(numpy.float32)


def read_layers(path: Path) -> dict[str, Image]:
    """Return every channel of an EXR file by name, `[height, width]` each."""
    try:
        import OpenEXR
    except ImportError as error:
        raise MissingExtra("OpenEXR", extra="radiance") from error
    try:
        with OpenEXR.File(str(path), separate_channels=True) as file:
            channels = file.channels()
            layers = {
                name: numpy.asarray(channel.pixels, dtype=numpy.float32) for name, channel in channels.items()
            }
    except (RuntimeError, ValueError, OSError) as error:
        raise BrokenArtefact(f"{path} is not an EXR file: {error}") from error
    return layers


def write_exr(path: Path, layers: Mapping[str, NDArray[numpy.floating]]) -> None:
    """Write an EXR file with layers; the same arrays give the same bytes.

    Parameters
    ----------
    path
        Destination.
    layers
        By name: `[height, width, 3]` becomes `NAME.R` and so on (the layer named "" is the plain R, G, B that
        every viewer shows), `[height, width]` becomes `NAME.Z` where it is a depth and `NAME.A` elsewhere.
    """
    import OpenEXR

    channels = {}
    for name, array in layers.items():
        prefix = f"{name}." if name else ""
        if array.ndim == 3:
            for index, letter in enumerate("RGB"):
                channels[prefix + letter] = numpy.ascontiguousarray(array[..., index], dtype=numpy.float32)
        else:
            letter = DEPTH_SUFFIXES.get(name, "A")
            channels[prefix + letter] = numpy.ascontiguousarray(array, dtype=numpy.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    with OpenEXR.File(header, channels) as file:
        file.write(str(path))


def png(image: ArrayLike) -> bytes:
    """Return a linear image `[height, width, 3]` as PNG bytes, sRGB-encoded."""
    import PIL.Image

    stream = io.BytesIO()
    pixels = numpy.round(to_srgb(image) * 255).astype(numpy.uint8)
    PIL.Image.fromarray(pixels).save(stream, format="PNG", optimize=False)
    return stream.getvalue()

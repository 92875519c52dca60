"""A capture read for training: cameras with their images, checked together."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError, MissingFile
from sulan.radiance import cameras, coordinates, images
from sulan.radiance.cameras import Camera

Box = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True, kw_only=True)
class View:
    """A camera with its linear image `[height, width, 3]` and, where it has one, alpha `[height, width]`."""

    camera: Camera
    image: NDArray[numpy.float32]
    alpha: NDArray[numpy.float32] | None = None


def read(path: Path) -> list[View]:
    """Read a capture's cameras and images.

    Raises
    ------
    MissingFile
        The capture, or an image that it names, is not there.
    InputError
        An image is not of the size that its camera states, or holds what cannot be light.
    """
    views = []
    for camera in cameras.read(path):
        if camera.image is None or not camera.image.is_file():
            raise MissingFile(f"no image at {camera.image or path / camera.name}")
        image = images.read(camera.image)
        if image.shape[:2] != (camera.height, camera.width):
            raise InputError(
                f"{camera.image} has {image.shape[1]} x {image.shape[0]} pixels, "
                f"its camera {camera.width} x {camera.height}",
                hint="state w and h in each frame where resolutions are mixed",
            )
        alpha = image[..., 3] if image.shape[2] == 4 else None
        views.append(View(camera=camera, image=image[..., :3], alpha=alpha))
    return views


def corners(path: Path, box: tuple[float, ...]) -> Box:
    """Return the corners of the field's box.

    Parameters
    ----------
    path
        The capture.
    box
        Six numbers that were given, or none: then `box` of transforms.json, else the cube of its `aabb_scale`
        (instant-ngp's: the unit cube times that scale), else that of scale 1.

    Raises
    ------
    InputError
        Not six numbers, or an empty box.
    """
    if box:
        if len(box) != 6:
            raise InputError(f"a box has six numbers, not {len(box)}", hint="--box x0,y0,z0,x1,y1,z1")
        low, high = box[:3], box[3:]
    else:
        low, high = _stated(path)
    if not all(numpy.isfinite((*low, *high))) or any(
        last <= first for first, last in zip(low, high, strict=True)
    ):
        raise InputError(f"the field's box from {tuple(low)} to {tuple(high)} is empty")
    return (float(low[0]), float(low[1]), float(low[2])), (float(high[0]), float(high[1]), float(high[2]))


def shell(path: Path, box: Box) -> float:
    """Return the thickness of the box's solid walls, which a capture of a closed room states; 0: an open scene.

    Raises
    ------
    InputError
        It is negative, or leaves no room inside the box.
    """
    stated = _document(path).get("shell", 0.0)
    thinnest = min(high - low for low, high in zip(*box, strict=True))
    if not isinstance(stated, int | float) or not 0 <= stated < thinnest / 2:
        raise InputError(f"the shell {stated!r} is not a thickness that leaves room in the field's box")
    return float(stated)


def _document(path: Path) -> dict[str, Any]:
    file = path / cameras.TRANSFORMS if path.is_dir() else path
    return json.loads(file.read_text()) if file.is_file() else {}


def _stated(path: Path) -> tuple[list[float], list[float]]:
    file, document = path / cameras.TRANSFORMS, _document(path)
    stated = document.get("box")
    try:
        if stated is not None:
            low, high = ([float(value) for value in corner] for corner in stated)
            if len(low) == len(high) == 3:
                return low, high
            raise InputError(f"{file}: box is not two corners")
        half = 0.5 * float(document.get("aabb_scale", 1))
    except (TypeError, ValueError) as error:
        raise InputError(f"{file}: box or aabb_scale is not a number: {error}") from error
    unit = [coordinates.from_ngp([0.5 + side * half] * 3).tolist() for side in (-1, 1)]
    return unit[0], unit[1]


def rays(views: list[View]) -> tuple[NDArray[numpy.float32], NDArray[numpy.float32], NDArray[numpy.float32]]:
    """Return origins, directions and colours `[n, 3]` of all pixels; transparent pixels are over black."""
    parts = [view.camera.rays() for view in views]
    colours = [
        (view.image if view.alpha is None else view.image * view.alpha[..., None]).reshape(-1, 3)
        for view in views
    ]
    origins, directions = (numpy.concatenate(part).astype(numpy.float32) for part in zip(*parts, strict=True))
    return origins, directions, numpy.concatenate(colours).astype(numpy.float32)

"""COLMAP's sparse models, text and binary: cameras.{txt,bin} and images.{txt,bin}."""

import struct
from pathlib import Path
from typing import Any, BinaryIO

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.radiance import coordinates
from sulan.radiance.cameras import Camera

_MODELS = {
    0: ("SIMPLE_PINHOLE", 3),
    1: ("PINHOLE", 4),
    2: ("SIMPLE_RADIAL", 4),
    3: ("RADIAL", 5),
    4: ("OPENCV", 8),
}
"""Id, name and number of parameters, as COLMAP's documentation lists them; the rest are not pinholes."""


def read(folder: Path, *, images: Path) -> list[Camera]:
    """Read a sparse model.

    Parameters
    ----------
    folder
        Where `cameras.*` and `images.*` are.
    images
        Folder of the images that the model names.

    Raises
    ------
    BrokenArtefact
        A file is cut off or not of this format.
    InputError
        A camera model that is not a pinhole.
    """
    try:
        if (folder / "images.bin").is_file():
            lenses, frames = _binary(folder)
        else:
            lenses, frames = _text(folder)
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {error.filename}") from error
    except (ValueError, IndexError, struct.error, KeyError) as error:
        if isinstance(error, InputError):
            raise
        raise BrokenArtefact(f"{folder} is not a COLMAP model: {error!r}") from error
    if not frames:
        raise InputError(f"{folder} has no images")
    cameras = []
    for name, lens, rotation, translation in sorted(frames, key=lambda frame: frame[0]):
        model, width, height, parameters = lenses[lens]
        focal, centre, distortion = _intrinsics(model, parameters)
        pose = coordinates.checked(coordinates.from_colmap(rotation, translation), name=f"{folder}: {name}")
        cameras.append(
            Camera(
                name=f"images/{Path(name).with_suffix('')}",
                pose=pose,
                width=width,
                height=height,
                focal=focal,
                centre=centre,
                distortion=distortion,
                image=images / name,
            )
        )
    return cameras


def _intrinsics(model: str, p: list[float]) -> tuple[Any, Any, Any]:
    if model == "SIMPLE_PINHOLE":
        return (p[0], p[0]), (p[1], p[2]), (0.0, 0.0, 0.0, 0.0)
    if model == "PINHOLE":
        return (p[0], p[1]), (p[2], p[3]), (0.0, 0.0, 0.0, 0.0)
    if model == "SIMPLE_RADIAL":
        return (p[0], p[0]), (p[1], p[2]), (p[3], 0.0, 0.0, 0.0)
    if model == "RADIAL":
        return (p[0], p[0]), (p[1], p[2]), (p[3], p[4], 0.0, 0.0)
    if model == "OPENCV":
        return (p[0], p[1]), (p[2], p[3]), (p[4], p[5], p[6], p[7])
    raise InputError(f"COLMAP's camera model {model} is not a pinhole", hint="colmap image_undistorter first")


def _text(folder: Path) -> tuple[dict[int, Any], list[Any]]:
    lenses = {}
    for line in _lines(folder / "cameras.txt"):
        number, model, width, height, *parameters = line.split()
        lenses[int(number)] = (model, int(width), int(height), [float(p) for p in parameters])
    frames = []
    # Every second line lists the image's points; it may be empty, so blank lines count here.
    kept = [line for line in (folder / "images.txt").read_text().splitlines() if not line.startswith("#")]
    for line in kept[::2]:
        if not line.strip():
            continue
        _, *pose, lens, name = line.split(maxsplit=9)
        values = [float(value) for value in pose]
        frames.append((name, int(lens), values[:4], values[4:]))
    return lenses, frames


def _lines(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.strip() and not line.startswith("#")]


def _binary(folder: Path) -> tuple[dict[int, Any], list[Any]]:
    lenses = {}
    with (folder / "cameras.bin").open("rb") as stream:
        for _ in range(_unpack(stream, "<Q")[0]):
            number, model, width, height = _unpack(stream, "<iiQQ")
            if model not in _MODELS:
                raise InputError(f"COLMAP's camera model {model} is not a pinhole")
            name, count = _MODELS[model]
            lenses[number] = (name, width, height, list(_unpack(stream, f"<{count}d")))
    frames = []
    with (folder / "images.bin").open("rb") as stream:
        for _ in range(_unpack(stream, "<Q")[0]):
            _, *pose, lens = _unpack(stream, "<i7di")
            name = b""
            while (letter := stream.read(1)) not in (b"\0", b""):
                name += letter
            points = _unpack(stream, "<Q")[0]
            stream.seek(24 * points, 1)
            frames.append((name.decode(), lens, pose[:4], pose[4:]))
    return lenses, frames


def _unpack(stream: BinaryIO, layout: str) -> tuple[Any, ...]:
    return struct.unpack(layout, stream.read(struct.calcsize(layout)))

"""Cameras and captures: transforms.json of instant-ngp and nerfstudio, the nerf_synthetic layout, COLMAP, camera paths.

Everything becomes a list of `Camera`: an OpenGL camera-to-world pose and a pinhole in pixels. Lens distortion (k1, k2,
p1, p2) is undone when rays are made. Not covered: fisheye models and rolling shutters, which are refused.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.radiance import coordinates
from sulan.runs import outputs

TRANSFORMS = "transforms.json"

LARGEST_SIDE = 16_384

_PINHOLES = ("", "PINHOLE", "OPENCV", "SIMPLE_PINHOLE", "RADIAL", "SIMPLE_RADIAL", "perspective")


@dataclass(frozen=True, kw_only=True)
class Camera:
    """One view.

    Attributes
    ----------
    name
        Stable: the image's path without suffix, or `frame-00000` on a path.
    pose
        OpenGL camera-to-world, `[4, 4]`.
    width, height
        Pixels.
    focal
        Along x and y, in pixels.
    centre
        Principal point, in pixels from the top left.
    distortion
        k1, k2, p1, p2 of OpenCV's model.
    image
        Path of the image, where there is one.
    """

    name: str
    pose: NDArray[numpy.float64]
    width: int
    height: int
    focal: tuple[float, float]
    centre: tuple[float, float]
    distortion: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    image: Path | None = None

    def rays(self) -> tuple[NDArray[numpy.float64], NDArray[numpy.float64]]:
        """Return origins and unit directions `[height * width, 3]` through the pixels' centres, row by row."""
        x, y = numpy.meshgrid(numpy.arange(self.width) + 0.5, numpy.arange(self.height) + 0.5)
        plane = numpy.stack(
            [(x - self.centre[0]) / self.focal[0], (y - self.centre[1]) / self.focal[1]], axis=-1
        )
        plane = undistorted(plane.reshape(-1, 2).astype(numpy.float64), self.distortion)
        local = numpy.stack([plane[:, 0], -plane[:, 1], -numpy.ones(len(plane))], axis=-1)
        world = local @ self.pose[:3, :3].T
        world /= numpy.linalg.norm(world, axis=1, keepdims=True)
        return numpy.broadcast_to(self.pose[:3, 3], world.shape).copy(), world

    def resized(self, width: int, height: int) -> "Camera":
        """Return the same view with other pixels."""
        x, y = width / self.width, height / self.height
        return replace(
            self,
            width=width,
            height=height,
            focal=(self.focal[0] * x, self.focal[1] * y),
            centre=(self.centre[0] * x, self.centre[1] * y),
        )


def undistorted(
    plane: NDArray[numpy.float64], distortion: tuple[float, float, float, float]
) -> NDArray[numpy.float64]:
    """Return where points on the distorted image plane `[n, 2]` lie without the lens (fixed-point iteration)."""
    k1, k2, p1, p2 = distortion
    if not any(distortion):
        return plane
    result = plane.copy()
    for _ in range(10):
        x, y = result.T
        square = x * x + y * y
        radial = 1 + k1 * square + k2 * square * square
        shift = numpy.stack(
            [2 * p1 * x * y + p2 * (square + 2 * x * x), p1 * (square + 2 * y * y) + 2 * p2 * x * y], axis=1
        )
        result = (plane - shift) / radial[:, None]
    return result


def read(path: Path) -> list[Camera]:
    """Read the cameras of a capture.

    Parameters
    ----------
    path
        A folder with `transforms.json` (else `transforms_train.json`, else COLMAP's `sparse/0`), or such a file.

    Raises
    ------
    MissingFile
        Nothing of the kind is there.
    BrokenArtefact
        The file is not JSON.
    InputError
        Intrinsics are missing, a pose is not a rotation, two frames share a name.
    """
    if not path.exists():
        raise MissingFile(f"no capture at {path}", hint="sulan radiance capture studio --out DIR makes one")
    if path.is_file():
        return transforms(path)
    for name in (TRANSFORMS, "transforms_train.json"):
        if (path / name).is_file():
            return transforms(path / name)
    for folder in (path / "sparse" / "0", path / "colmap" / "sparse" / "0", path / "sparse", path):
        if (folder / "images.txt").is_file() or (folder / "images.bin").is_file():
            from sulan.radiance import colmap

            return colmap.read(folder, images=path / "images")
    raise MissingFile(
        f"no {TRANSFORMS} in {path}",
        hint="transforms.json, transforms_train.json or COLMAP's sparse/0 is read",
    )


def transforms(path: Path) -> list[Camera]:
    """Read a transforms.json, or a nerfstudio camera path; see `read`."""
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {path}") from error
    except (ValueError, UnicodeDecodeError, IsADirectoryError) as error:
        raise BrokenArtefact(f"{path} is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise InputError(f"{path} is not a list of cameras")
    if "camera_path" in document:
        return _camera_path(document, path)
    frames = document.get("frames")
    if not isinstance(frames, list) or not frames:
        raise InputError(f"{path} has no frames")
    cameras = [_frame(document, frame, path=path) for frame in frames]
    names = [camera.name for camera in cameras]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"{path} has two frames called {twice[0]}")
    return cameras


def _frame(document: dict[str, Any], frame: dict[str, Any], *, path: Path) -> Camera:
    if not isinstance(frame, dict) or "transform_matrix" not in frame:
        raise InputError(f"{path}: a frame has no transform_matrix")
    stated = str(frame.get("file_path", f"frame-{document['frames'].index(frame):05d}"))
    where = f"{path}: {stated}"
    model = str(frame.get("camera_model", document.get("camera_model", "")))
    if model not in _PINHOLES:
        raise InputError(f"{where}: camera model {model} is not a pinhole")
    image = _image(path.parent, stated)
    values = {**document, **frame}
    try:
        width, height = _size(values, image)
        focal = _focal(values, width, height)
        centre = (float(values.get("cx", width / 2)), float(values.get("cy", height / 2)))
        k1, k2, p1, p2 = (float(values.get(name, 0.0)) for name in ("k1", "k2", "p1", "p2"))
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error
    return Camera(
        name=str(Path(stated).with_suffix("")).removeprefix("./"),
        pose=coordinates.checked(frame["transform_matrix"], name=where),
        width=width,
        height=height,
        focal=focal,
        centre=centre,
        distortion=(k1, k2, p1, p2),
        image=image,
    )


def _image(folder: Path, stated: str) -> Path | None:
    if Path(stated).is_absolute() or ".." in Path(stated).parts:
        raise InputError(f"the image path {stated!r} leads out of the capture")
    for suffix in ("", ".exr", ".png", ".jpg"):
        candidate = folder / (stated + suffix)
        if candidate.is_file():
            return candidate
    return folder / stated


def _size(values: dict[str, Any], image: Path | None) -> tuple[int, int]:
    if "w" in values and "h" in values:
        width, height = int(values["w"]), int(values["h"])
    elif image is not None and image.is_file():
        from sulan.radiance import images

        height, width = images.read(image).shape[:2]
    else:
        raise InputError("no image size: neither w and h nor the image itself")
    if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
        raise InputError(f"an image of {width} x {height} pixels")
    return width, height


def _focal(values: dict[str, Any], width: int, height: int) -> tuple[float, float]:
    if "fl_x" in values:
        x = float(values["fl_x"])
        focal = (x, float(values.get("fl_y", x)))
    elif "camera_angle_x" in values:
        x = 0.5 * width / numpy.tan(0.5 * float(values["camera_angle_x"]))
        y = (
            0.5 * height / numpy.tan(0.5 * float(values["camera_angle_y"]))
            if "camera_angle_y" in values
            else x
        )
        focal = (float(x), float(y))
    else:
        raise InputError("no focal length: neither fl_x nor camera_angle_x")
    if not all(numpy.isfinite(focal)) or min(focal) <= 0:
        raise InputError(f"the focal length {focal} is not positive")
    return focal


def _camera_path(document: dict[str, Any], path: Path) -> list[Camera]:
    """Nerfstudio's path of its viewer: a vertical field of view in degrees and a flat matrix per frame."""
    try:
        width, height = int(document["render_width"]), int(document["render_height"])
        cameras = []
        for number, key in enumerate(document["camera_path"]):
            focal = 0.5 * height / numpy.tan(numpy.radians(float(key["fov"])) / 2)
            pose = numpy.asarray(key["camera_to_world"], dtype=numpy.float64).reshape(4, 4)
            cameras.append(
                Camera(
                    name=f"frame-{number:05d}",
                    pose=coordinates.checked(pose, name=f"{path}: frame {number}"),
                    width=width,
                    height=height,
                    focal=(float(focal), float(focal)),
                    centre=(width / 2, height / 2),
                )
            )
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path} is not a camera path: {error!r}") from error
    if not cameras:
        raise InputError(f"{path} has no cameras")
    return cameras


def write(cameras: list[Camera], path: Path, *, suffix: str = ".exr", **more: Any) -> None:
    """Write cameras as a transforms.json, one frame each, with intrinsics in every frame."""
    frames = [
        {
            "file_path": f"{camera.name}{suffix}",
            "w": camera.width,
            "h": camera.height,
            "fl_x": camera.focal[0],
            "fl_y": camera.focal[1],
            "cx": camera.centre[0],
            "cy": camera.centre[1],
            **dict(zip(("k1", "k2", "p1", "p2"), camera.distortion, strict=True)),
            "transform_matrix": camera.pose.tolist(),
        }
        for camera in cameras
    ]
    document = {"camera_model": "OPENCV", **more, "frames": frames}
    outputs.write_text(path, json.dumps(document, indent=1) + "\n")


def orbit(
    count: int,
    *,
    width: int,
    height: int,
    target: tuple[float, float, float],
    radius: float,
    rise: float,
    field_of_view: float = 60.0,
    start: float = 0.0,
    turn: float = 360.0,
) -> list[Camera]:
    """Return cameras on an arc around a target, all looking at it.

    Parameters
    ----------
    count
        Cameras.
    width, height
        Pixels.
    target, radius, rise
        What they look at, how far they are from it on the ground and how much higher.
    field_of_view
        Horizontal, degrees.
    start, turn
        Where the arc begins (0: on +x) and how far it goes, degrees.
    """
    focal = 0.5 * width / numpy.tan(numpy.radians(field_of_view) / 2)
    cameras = []
    for number in range(count):
        angle = numpy.radians(start + turn * number / max(1, count if turn >= 360 else count - 1))
        offset = [radius * numpy.cos(angle), radius * numpy.sin(angle), rise]
        cameras.append(
            Camera(
                name=f"frame-{number:05d}",
                pose=coordinates.looking(numpy.asarray(target) + offset, target),
                width=width,
                height=height,
                focal=(float(focal), float(focal)),
                centre=(width / 2, height / 2),
            )
        )
    return cameras

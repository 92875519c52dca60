"""A capture that Mitsuba renders: views inside a scene, with meshes in it where asked for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError, MissingFile
from sulan.radiance import backend, coordinates, images, stage, studio
from sulan.radiance import cameras as cams
from sulan.radiance.cameras import Camera
from sulan.runs.progress import progress

FIELD_OF_VIEW = 80.0
"""Degrees across a view inside a room: wide, so that each place is seen from several sides."""

MARGIN = 0.05
"""How far the field's box reaches beyond the scene's, relative to its longest side: walls need layers of nodes."""


@dataclass(frozen=True, kw_only=True)
class Captured:
    """What a capture holds, for the report.

    Attributes
    ----------
    shown
        Name and linear image of some views.
    """

    source: str
    views: int
    width: int
    height: int
    brightest: float
    mean: float
    shown: list[tuple[str, NDArray[numpy.float32]]]
    notes: tuple[str, ...] = ()
    inserted: bool = False


def render(
    source: str,
    folder: Path,
    *,
    views: int,
    size: tuple[int, int],
    samples: int,
    bounces: int,
    inserted: Path | None,
    cameras: Path | None,
    seed: int,
    device: Literal["auto", "cpu", "cuda"],
) -> Captured:
    """Render a capture into a folder; see `sulan radiance capture`."""
    mi = backend.mitsuba(device)
    base = _scene(mi, source)
    low, high = _bounds(mi, base)
    loaded = stage.Stage.load(mi, inserted) if inserted is not None else None
    chosen = _cameras(cameras, loaded, views=views, size=size, low=low, high=high)
    integrator = _path(mi, bounces)
    whole = _with(mi, base, loaded, frame=0)
    shown, total, brightest = [], 0.0, 0.0
    for number, camera in enumerate(progress(chosen, label="capture")):
        if loaded is not None and loaded.motion.frames and number:
            whole = _with(mi, base, loaded, frame=number)
        image = _view(mi, whole, integrator, camera, samples=samples, seed=seed)
        path = folder / f"{camera.name}.exr"
        path.parent.mkdir(parents=True, exist_ok=True)
        images.write_exr(path, {"": image})
        total, brightest = total + float(image.mean()), max(brightest, float(image.max()))
        if len(shown) < 24:
            shown.append((camera.name, image))
    margin = MARGIN * max(last - first for first, last in zip(low, high, strict=True))
    box = [[value - margin for value in low], [value + margin for value in high]]
    # Without a sky nothing is seen past the walls: the margin is solid.
    shell = margin if mi.load_dict(base).environment() is None else 0.0
    cams.write(chosen, folder / cams.TRANSFORMS, box=box, aabb_scale=4, shell=shell)
    width, height = chosen[0].width, chosen[0].height
    return Captured(
        source=source,
        views=len(chosen),
        width=width,
        height=height,
        brightest=brightest,
        mean=total / len(chosen),
        shown=shown,
        inserted=loaded is not None,
    )


def inside(
    count: int, *, low: tuple[float, float, float], high: tuple[float, float, float], size: tuple[int, int]
) -> list[Camera]:
    """Return cameras spread over the inside of a box, looking across its middle.

    Their places follow a low-discrepancy sequence (Roberts' R3), so any number of them covers the room evenly, and so
    does every eighth of them, which is kept for testing.
    """
    centre, half = (numpy.add(low, high)) / 2, (numpy.subtract(high, low)) / 2
    width, height = size
    focal = 0.5 * width / numpy.tan(numpy.radians(FIELD_OF_VIEW) / 2)
    result = []
    for number in range(count):
        angle = 2 * numpy.pi * 0.8191725134 * number
        radius = 0.85 * numpy.sqrt((number + 0.5) / count)
        spread = numpy.asarray([numpy.cos(angle), numpy.sin(angle)])
        rise, aim = (number * 0.6710436067) % 1, (number * 0.5497004779) % 1
        place = [*(centre[:2] + half[:2] * radius * spread), low[2] + 2 * half[2] * (0.175 + 0.5 * rise)]
        target = [*(centre[:2] - 0.3 * half[:2] * spread), low[2] + 2 * half[2] * (0.1 + 0.65 * aim)]
        result.append(
            Camera(
                name=f"images/view-{number:04d}",
                pose=coordinates.looking(place, target),
                width=width,
                height=height,
                focal=(float(focal), float(focal)),
                centre=(width / 2, height / 2),
            )
        )
    return result


def _scene(mi: Any, source: str) -> dict[str, Any]:
    if source in studio.NAMES:
        return studio.scene(source)
    path = Path(source)
    if not path.is_file():
        raise MissingFile(f"no scene at {path}")
    try:
        loaded = mi.load_file(str(path))
    except (RuntimeError, ValueError) as error:
        first = " ".join(str(error).split())[:200]
        raise InputError(f"{path} is not a Mitsuba scene: {first}") from error
    parts = [*loaded.shapes(), *(emitter for emitter in loaded.emitters() if emitter.is_environment())]
    return {"type": "scene", **{f"part-{number}": part for number, part in enumerate(parts)}}


def _bounds(mi: Any, base: dict[str, Any]) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    box = mi.load_dict(base).bbox()
    low, high = ([float(value) for value in corner] for corner in (box.min, box.max))
    if not (numpy.isfinite(low).all() and numpy.isfinite(high).all()):
        raise InputError("the scene has no shape")
    return (low[0], low[1], low[2]), (high[0], high[1], high[2])


def _cameras(
    file: Path | None, loaded: stage.Stage | None, *, views: int, size: tuple[int, int], low: Any, high: Any
) -> list[Camera]:
    if file is not None:
        return cams.read(file)
    if loaded is None or not loaded.scene.things:
        return inside(views, low=low, high=high, size=size)
    corners = [loaded.vertices(thing, 0) for thing in loaded.scene.things]
    first, last = (f(numpy.concatenate(corners), axis=0) for f in (numpy.min, numpy.max))
    return around(views, first=first, last=last, low=low, high=high, size=size)


def around(count: int, *, first: Any, last: Any, low: Any, high: Any, size: tuple[int, int]) -> list[Camera]:
    """Return cameras on an arc of 90 degrees before what is within `first` and `last`, inside a room."""
    target = (first + last) / 2
    target[2] = first[2] + 0.35 * (last[2] - first[2])
    radius = 0.9 * min(*(target - low)[:2], *(high - target)[:2])
    return cams.orbit(
        count,
        width=size[0],
        height=size[1],
        target=(float(target[0]), float(target[1]), float(target[2])),
        radius=float(radius),
        rise=float(0.55 * radius),
        field_of_view=70.0,
        start=225.0,
        turn=90.0,
    )


def _path(mi: Any, bounces: int) -> Any:
    return mi.load_dict({"type": "path", "max_depth": bounces + 1, "rr_depth": 5})


def _with(mi: Any, base: dict[str, Any], loaded: stage.Stage | None, *, frame: int) -> Any:
    if loaded is None:
        return mi.load_dict(base)
    return mi.load_dict({**base, **loaded.shapes(frame)})


def _view(
    mi: Any, scene: Any, integrator: Any, camera: Camera, *, samples: int, seed: int
) -> NDArray[numpy.float32]:
    from sulan.radiance import frames

    return frames.picture(
        mi, scene, frames.Plain(integrator=integrator), camera, samples=samples, seed=seed
    ).beauty

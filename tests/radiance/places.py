"""Hand-made fields, cameras and scenes: known without training anything."""

from pathlib import Path
from typing import Any

import numpy

from sulan.radiance import cameras, coordinates, scenes
from sulan.radiance import field as fields
from sulan.radiance.cameras import Camera
from sulan.radiance.field import Field

LOW, HIGH = (-1.0, -1.0, 0.0), (1.0, 1.0, 2.0)

LAMP_CENTRE, LAMP_RADIUS, LAMP_RADIANCE = (0.2, 0.1, 1.5), 0.25, 20.0


def blob(*, resolution: int = 12, density: float = 1.5) -> Field:
    """A smooth cloud about the box's middle, coloured by place and direction, before a coloured sky."""
    made = fields.empty(low=LOW, high=HIGH, resolution=resolution, environment=(8, 16), radiance=0.4)
    axes = [numpy.linspace(-1, 1, resolution)] * 3
    z, y, x = numpy.meshgrid(*axes, indexing="ij")
    amount = density * numpy.exp(-3 * (x**2 + y**2 + z**2)) + 1e-3
    made.values[..., 0] = numpy.log(numpy.expm1(amount / made.scale))
    for channel, wave in enumerate((x, y, z)):
        made.values[..., 1 + channel] += 0.5 * numpy.sin(2 * wave)
        made.values[..., 4 + 3 * (channel % 3) + channel] += 0.15 * wave
    made.environment[:] += 0.3 * numpy.sin(numpy.arange(16) * numpy.pi / 8)[None, :, None]
    return made


def constant(*, density: float, radiance: float = 1.0) -> Field:
    """The same density and radiance everywhere, and the same radiance behind."""
    made = fields.empty(low=LOW, high=HIGH, resolution=4, radiance=radiance)
    made.values[..., 0] = numpy.log(numpy.expm1(density / made.scale)) if density else -60.0
    return made


def room(*, resolution: int = 24, lamp: bool = True) -> Field:
    """A closed room of grey walls; with a round lamp in the air where asked for."""
    made = fields.empty(
        low=LOW, high=HIGH, resolution=resolution, raw_density=-12.0, radiance=0.4, shell=0.12, scale=20.0
    )
    if lamp:
        axes = [
            numpy.linspace(low, high, resolution) for low, high in zip(LOW[::-1], HIGH[::-1], strict=True)
        ]
        z, y, x = numpy.meshgrid(*axes, indexing="ij")
        away = numpy.sqrt(sum((a - c) ** 2 for a, c in zip((x, y, z), LAMP_CENTRE, strict=True)))
        inside = away < LAMP_RADIUS
        made.values[inside, 0] = 10.0
        made.values[away < LAMP_RADIUS + 0.15, 1:4] = numpy.log(LAMP_RADIANCE)
    return made


def camera(*, side: int = 24, place: Any = (0.0, -2.6, 1.3), target: Any = (0.0, 0.0, 1.0)) -> Camera:
    """A camera that looks at the box's middle."""
    return Camera(
        name="view",
        pose=coordinates.looking(place, target),
        width=side,
        height=side,
        focal=(1.2 * side, 1.2 * side),
        centre=(side / 2, side / 2),
    )


def folder(path: Path, field: Field | None = None, *, views: int = 3, side: int = 16) -> Path:
    """A scene's folder with a field and cameras in front of its middle."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "scene.json").write_text('{"version": 1}')
    if field is not None:
        field.save(path / scenes.FIELD)
    path_of_cameras = cameras.orbit(
        views,
        width=side,
        height=side,
        target=(0.0, 0.0, 0.7),
        radius=0.75,
        rise=0.2,
        start=200.0,
        turn=40.0,
        field_of_view=75.0,
    )
    cameras.write(path_of_cameras, path / cameras.TRANSFORMS)
    return path

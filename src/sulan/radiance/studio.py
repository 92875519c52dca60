"""Scenes to capture, as Mitsuba dictionaries: what the recipes, the tests and a first try use.

A capture of a scene that we know has what a photograph cannot give: the same view with a mesh really in it. All lie in
a box of two world units, z up, with an empty middle to put things into.

- `studio`: a closed room with coloured walls, a chequered floor, two objects and two lamps that differ.
- `courtyard`: the same without roof and lamps, under an even sky: light, but no emitter inside.
"""

from dataclasses import dataclass
from typing import Any

import numpy

from sulan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Lamp:
    """A sphere that shines: what light estimation must find again."""

    centre: tuple[float, float, float]
    radius: float
    radiance: tuple[float, float, float]

    @property
    def power(self) -> float:
        """Radiant power, mean over the channels: pi * radiance * 4 pi r^2.

        Examples
        --------
        >>> round(Lamp(centre=(0, 0, 0), radius=0.5, radiance=(1, 1, 1)).power, 3)  # pi * pi
        9.87
        """
        return float(4 * numpy.pi**2 * self.radius**2 * numpy.mean(self.radiance))


LAMPS = (
    Lamp(centre=(-0.5, 0.35, 1.5), radius=0.18, radiance=(10.5, 9.0, 7.0)),
    Lamp(centre=(0.55, -0.3, 1.35), radius=0.14, radiance=(3.8, 5.0, 7.5)),
)

LOW, HIGH = (-1.0, -1.0, 0.0), (1.0, 1.0, 2.0)

NAMES = ("studio", "courtyard")


def scene(name: str) -> dict[str, Any]:
    """Return a built-in scene as a Mitsuba dictionary without sensor and integrator.

    Raises
    ------
    InputError
        There is no scene of that name.
    """
    if name not in NAMES:
        raise InputError(f"no built-in scene is called {name!r}", hint=f"one of {', '.join(NAMES)}")
    result: dict[str, Any] = {"type": "scene", **_room(roof=name == "studio"), **_objects()}
    if name == "studio":
        for number, lamp in enumerate(LAMPS):
            result[f"lamp-{number}"] = {
                "type": "sphere",
                "center": list(lamp.centre),
                "radius": lamp.radius,
                "bsdf": _diffuse(0.0, 0.0, 0.0),
                "emitter": {
                    "type": "area",
                    "radiance": {"type": "rgb", "value": list(lamp.radiance)},
                },
            }
    else:
        result["sky"] = {"type": "constant", "radiance": {"type": "rgb", "value": [0.9, 1.0, 1.15]}}
    return result


def _room(*, roof: bool) -> dict[str, Any]:
    import mitsuba as mi

    turn = mi.ScalarTransform4f

    def wall(transform: Any, bsdf: dict[str, Any]) -> dict[str, Any]:
        return {"type": "rectangle", "to_world": transform, "bsdf": {"type": "twosided", "bsdf": bsdf}}

    grey = _diffuse(0.62, 0.6, 0.56)
    chequers = {
        "type": "diffuse",
        "reflectance": {
            "type": "checkerboard",
            "color0": {"type": "rgb", "value": [0.66, 0.64, 0.6]},
            "color1": {"type": "rgb", "value": [0.3, 0.3, 0.32]},
            "to_uv": turn().scale([2, 2, 1]),
        },
    }
    walls = {
        "floor": wall(turn(), chequers),
        "left": wall(turn().translate([-1, 0, 1]).rotate([0, 1, 0], 90), _diffuse(0.62, 0.16, 0.12)),
        "right": wall(turn().translate([1, 0, 1]).rotate([0, 1, 0], -90), _diffuse(0.16, 0.5, 0.18)),
        "back": wall(turn().translate([0, 1, 1]).rotate([1, 0, 0], 90), grey),
        "front": wall(turn().translate([0, -1, 1]).rotate([1, 0, 0], -90), _diffuse(0.3, 0.36, 0.6)),
    }
    if roof:
        walls["roof"] = wall(turn().translate([0, 0, 2]).rotate([1, 0, 0], 180), grey)
    return walls


def _objects() -> dict[str, Any]:
    import mitsuba as mi

    turn = mi.ScalarTransform4f
    box = turn().translate([-0.62, 0.6, 0.3]).rotate([0, 0, 1], 25).scale([0.22, 0.22, 0.3])
    return {
        "box": {"type": "cube", "to_world": box, "bsdf": _diffuse(0.15, 0.3, 0.65)},
        "sphere": {
            "type": "sphere",
            "center": [0.62, 0.58, 0.25],
            "radius": 0.25,
            "bsdf": _diffuse(0.75, 0.55, 0.12),
        },
    }


def _diffuse(red: float, green: float, blue: float) -> dict[str, Any]:
    return {"type": "diffuse", "reflectance": {"type": "rgb", "value": [red, green, blue]}}

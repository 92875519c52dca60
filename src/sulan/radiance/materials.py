"""Materials by name, or any BSDF of Mitsuba as JSON; what each lets through and gives back.

A name stands for a Mitsuba BSDF. A file holds one as a dictionary, as `mitsuba.load_dict` takes it, so every BSDF that
Mitsuba has can be used. `mesh` takes the glTF file's own metallic-roughness material as a `principled` BSDF.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sulan.errors import BrokenArtefact, InputError, MissingFile

Triple = tuple[float, float, float]

NAMES = ("diffuse", "mirror", "glass", "sheet", "plastic", "gold", "mesh", "lamp")

_OPAQUE: Triple = (0.0, 0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Material:
    """A BSDF with the two numbers that shadows on the field need; see `scenes.Thing`."""

    bsdf: dict[str, Any]
    tint: Triple = _OPAQUE
    albedo: Triple = (0.5, 0.5, 0.5)
    emission: Triple = (0.0, 0.0, 0.0)


def material(name: str, *, colour: Triple) -> Material:
    """Return a material.

    Parameters
    ----------
    name
        One of `NAMES`, or the path of a JSON file that ends in `.json`.
    colour
        Reflectance, or transmittance of glass, or radiance of a lamp; linear RGB.

    Raises
    ------
    InputError
        No such name; a colour that is negative, or above 1 where it is a share.
    """
    if min(colour) < 0 or (name != "lamp" and max(colour) > 1):
        raise InputError(f"the colour {colour} is not within 0 and 1")
    rgb = {"type": "rgb", "value": list(colour)}
    if name == "diffuse":
        return Material(
            bsdf={"type": "twosided", "bsdf": {"type": "diffuse", "reflectance": rgb}}, albedo=colour
        )
    if name == "mirror":
        return Material(
            bsdf={
                "type": "twosided",
                "bsdf": {"type": "conductor", "material": "none", "specular_reflectance": rgb},
            },
            albedo=colour,
        )
    if name == "glass":
        return Material(
            bsdf={"type": "dielectric", "int_ior": 1.5, "ext_ior": 1.0, "specular_transmittance": rgb},
            # Two crossings of a clear surface at normal incidence: (1 - ((n - 1) / (n + 1))^2)^2 = 0.92.
            tint=_scaled(colour, 0.92),
            albedo=colour,
        )
    if name == "sheet":
        # A surface that is not there: index 1, for tests and for tinted gels.
        return Material(
            bsdf={"type": "dielectric", "int_ior": 1.0, "ext_ior": 1.0, "specular_transmittance": rgb},
            tint=colour,
            albedo=colour,
        )
    if name == "plastic":
        return Material(
            bsdf={
                "type": "twosided",
                "bsdf": {"type": "roughplastic", "diffuse_reflectance": rgb, "alpha": 0.1},
            },
            albedo=colour,
        )
    if name == "gold":
        return Material(
            bsdf={"type": "twosided", "bsdf": {"type": "roughconductor", "material": "Au", "alpha": 0.15}},
            albedo=(0.9, 0.7, 0.4),
        )
    if name == "lamp":
        black = {"type": "diffuse", "reflectance": {"type": "rgb", "value": [0.0, 0.0, 0.0]}}
        return Material(bsdf=black, albedo=_OPAQUE, emission=colour)
    if name == "mesh":
        return Material(bsdf={"type": "mesh"}, albedo=colour)
    if name.endswith(".json"):
        return Material(bsdf=_from_file(Path(name)), albedo=colour)
    raise InputError(f"no material is called {name!r}", hint=f"one of {', '.join(NAMES)}, or a .json file")


def _from_file(path: Path) -> dict[str, Any]:
    try:
        bsdf = json.loads(path.read_text())
    except FileNotFoundError as error:
        raise MissingFile(f"no material at {path}") from error
    except ValueError as error:
        raise BrokenArtefact(f"{path} is not JSON: {error}") from error
    if not isinstance(bsdf, dict) or not isinstance(bsdf.get("type"), str):
        raise InputError(
            f"{path} is not a Mitsuba BSDF: no type", hint='{"type": "roughconductor", "alpha": 0.1}'
        )
    return bsdf


def _scaled(colour: Triple, factor: float) -> Triple:
    red, green, blue = colour
    return red * factor, green * factor, blue * factor

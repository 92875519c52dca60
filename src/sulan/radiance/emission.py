"""Emission and albedo of the extracted mesh, fitted by differentiable path tracing (paper, page 5).

Mitsuba's `prb` renders the mesh with per-face emission and albedo; what it shows is compared with what the field
shows from the same cameras, and both are moved along the gradient. Starts from the energy balance (`lighting`), so a
few steps do; faces that the balance excludes stay dark, as the paper's pruning of dim texels has it.
"""

from typing import Any

import numpy
from numpy.typing import NDArray

from sulan.radiance.cameras import Camera

Array = NDArray[numpy.float64]

BRIGHTEST = 100.0
"""The official code clamps emission to [0, 100]."""

ALBEDO_RATE = 0.02
EMISSION_RATE = 0.05
"""Relative to the brightest face: the scene's unit of radiance is arbitrary."""

DARK = 0.05
"""Radiance below which errors count absolutely, as in training."""

SPARSITY = 1e-3
"""Weight of the mean emission relative to the brightest; the official 25 goes with its own units."""


def fit(
    mi: Any,
    vertices: Array,
    faces: NDArray[numpy.int64],
    *,
    emission: Array,
    albedo: Array,
    views: list[tuple[Camera, Array]],
    steps: int,
    samples: int,
    depth: int,
    seed: int,
) -> tuple[Array, Array, tuple[float, float]]:
    """Fit emission and albedo of faces; return both `[m, 3]`, and the mean loss over the views before and after.

    Parameters
    ----------
    emission, albedo
        Where to start, `[m, 3]`. Faces whose emission is 0 do not emit.
    views
        Cameras with the images `[h, w, 3]` that the mesh should show.
    samples, depth
        Paths a pixel, and their length; the official code has 16 and 3.
    """
    import drjit as dr

    scale = max(float(emission.max()), 1e-6)
    may = (emission.max(axis=1) > 0).astype(numpy.float32)[:, None]
    scene = _scene(mi, vertices, faces, emission=emission, albedo=albedo)
    parameters = mi.traverse(scene)
    names = {"emission": "mesh.face_emission", "albedo": "mesh.face_albedo"}
    optimiser = mi.ad.Adam(
        lr=ALBEDO_RATE,
        params={
            names["albedo"]: parameters[names["albedo"]],
            names["emission"]: parameters[names["emission"]],
        },
    )
    optimiser.set_learning_rate({names["emission"]: EMISSION_RATE * scale})
    integrator = mi.load_dict({"type": "prb", "max_depth": depth})
    sensors = [(sensor(mi, camera), mi.TensorXf(image.astype(numpy.float32))) for camera, image in views]
    mask = mi.Float(numpy.repeat(may, 3, axis=1).ravel())

    def shown(number: int, draw: int) -> Any:
        return mi.render(
            scene,
            parameters,
            sensor=sensors[number][0],
            integrator=integrator,
            spp=samples,
            seed=(seed + draw) & 0xFFFFFFFF,
        )

    # The square of a noisy difference is mostly noise; the product of two independent ones is not.
    def over_all() -> float:
        with dr.suspend_grad():
            errors = [
                dr.mean((shown(n, 2 * n) - truth) * (shown(n, 2 * n + 1) - truth) / dr.square(truth + DARK))
                for n, (_, truth) in enumerate(sensors)
            ]
        return float(numpy.mean([numpy.asarray(error).ravel()[0] for error in errors]))

    before = over_all()
    for step in range(steps):
        parameters.update(optimiser)
        number = step % len(sensors)
        truth = sensors[number][1]
        with dr.suspend_grad():
            slope = 2.0 * (shown(number, 2 * step) - truth) / dr.square(truth + DARK)
        loss = dr.mean(slope * shown(number, 2 * step + 1))
        loss += SPARSITY * dr.mean(parameters[names["emission"]]) / scale
        dr.backward(loss)
        optimiser.step()
        optimiser[names["albedo"]] = dr.clip(optimiser[names["albedo"]], 0.0, 0.95)
        optimiser[names["emission"]] = dr.clip(optimiser[names["emission"]], 0.0, BRIGHTEST) * mask
    parameters.update(optimiser)
    after = over_all()
    read = (
        numpy.array(parameters[names[key]]).reshape(-1, 3).astype(numpy.float64)
        for key in ("emission", "albedo")
    )
    fitted, reflects = read
    return fitted, reflects, (before, after)


def sensor(mi: Any, camera: Camera) -> Any:
    """Return a Mitsuba sensor for a pinhole camera, with a box filter."""
    from sulan.radiance import coordinates

    pose = coordinates.converted(camera.pose, source="opengl", target="mitsuba")
    return mi.load_dict(
        {
            "type": "perspective",
            "fov": float(numpy.degrees(2 * numpy.arctan(0.5 * camera.width / camera.focal[0]))),
            "fov_axis": "x",
            "principal_point_offset_x": float(0.5 - camera.centre[0] / camera.width),
            "principal_point_offset_y": float(0.5 - camera.centre[1] / camera.height),
            "near_clip": 1e-3,
            "far_clip": 1e5,
            "to_world": mi.ScalarTransform4f(pose),
            "film": {
                "type": "hdrfilm",
                "width": camera.width,
                "height": camera.height,
                "rfilter": {"type": "box"},
                "pixel_format": "rgb",
                "component_format": "float32",
            },
            "sampler": {"type": "independent"},
        }
    )


def _scene(mi: Any, vertices: Array, faces: NDArray[numpy.int64], *, emission: Array, albedo: Array) -> Any:
    properties = mi.Properties()
    properties["bsdf"] = mi.load_dict(
        {
            "type": "twosided",
            "bsdf": {"type": "diffuse", "reflectance": {"type": "mesh_attribute", "name": "face_albedo"}},
        }
    )
    properties["emitter"] = mi.load_dict(
        {"type": "area", "radiance": {"type": "mesh_attribute", "name": "face_emission"}}
    )
    mesh = mi.Mesh("mesh", len(vertices), len(faces), props=properties, has_vertex_normals=False)
    values = mi.traverse(mesh)
    values["vertex_positions"] = vertices.astype(numpy.float32).ravel()
    values["faces"] = faces.astype(numpy.uint32).ravel()
    mesh.add_attribute("face_albedo", 3, albedo.astype(numpy.float32).ravel())
    mesh.add_attribute("face_emission", 3, emission.astype(numpy.float32).ravel())
    values.update()
    return mi.load_dict({"type": "scene", "mesh": mesh})

"""Figures of the issue that light gives: field, transport, insertion, lamps; for slow tests and the benchmark."""

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy

import sulan
from radiance import peers, places
from sulan.radiance import captures, frames, images, integrator, lighting, meshes, scenes, studio, training
from sulan.radiance import field as fields
from sulan.radiance.cameras import Camera
from sulan.radiance.field import Field
from sulan.radiance.settings import TrainSettings
from sulan.radiance.volume import GridVolume
from sulan.runs import record

WANTED = 30.0
"""Decibels that both trainings have to reach."""

WANTED_ERROR = 1e-4
"""Mean squared error that hybrid renderings have to reach."""

VIEWS, SIDE, CAPTURED = 56, 64, 512
"""The capture: at 128 samples a pixel its own noise holds the PSNR of a perfect field at some 31 dB."""

RESOLUTION, STEPS = 40, 600


def metrics(folder: Path) -> dict[str, float]:
    """The metrics of an artefact's record."""
    return {metric["name"]: metric["value"] for metric in record.read(folder)["metrics"]}


def cpu(function: Any) -> tuple[Any, float]:
    """Call and return the result with the CPU seconds it took."""
    start = time.process_time()
    result = function()
    return result, time.process_time() - start


def captured(folder: Path) -> Path:
    """The studio's HDR capture, made once."""
    path = folder / "capture"
    if not path.exists():
        sulan.radiance.capture("studio", out=path, views=VIEWS, width=SIDE, height=SIDE, samples=CAPTURED)
    return path


def trained(folder: Path) -> Path:
    """A scene with a field of the studio, made once."""
    path = folder / "field"
    if not path.exists():
        sulan.radiance.train(captured(folder), out=path, resolution=RESOLUTION, steps=STEPS)
    return path


def lit(folder: Path) -> Path:
    """The same with collider and lights, made once."""
    path = folder / "lit"
    if not path.exists():
        sulan.radiance.geometry(trained(folder), out=folder / "solid")
        sulan.radiance.light(folder / "solid", out=path)
    return path


def held_out(folder: Path) -> dict[str, float]:
    """PSNR of views that were not trained on, and the CPU seconds of the training."""
    found = metrics(trained(folder))
    return {"training.psnr": found["psnr"], "training.cpu_seconds": found["cpu_seconds"]}


def beside_torch(mi: Any, folder: Path, *, most_seconds: float = 240.0) -> dict[str, float]:
    """CPU seconds to 30 dB: ours by whole trainings of more and more steps, torch's along one training."""
    views = captures.read(captured(folder))
    tests, kept = views[::8], [view for number, view in enumerate(views) if number % 8]
    origins, directions, colours = captures.rays(kept)
    rays = training.Rays(origins=origins, directions=directions, colours=colours)
    low, high = captures.corners(captured(folder), ())
    shell, settings, resolution = captures.shell(captured(folder), (low, high)), TrainSettings(), 32

    def quality(field: Field) -> float:
        volume = field.on_device(mi)
        shown = [
            lighting.radiance(mi, volume, *v.camera.rays(), seed=0).reshape(v.image.shape) for v in tests
        ]
        return float(numpy.mean([images.psnr(s, v.image) for s, v in zip(shown, tests, strict=True)]))

    def ours(steps: int) -> Field:
        schedule = training.stages(resolution, steps)
        return training.train(
            mi, rays, low=low, high=high, schedule=schedule, seed=0, settings=settings, shell=shell
        )[0]

    ours(8)  # compiles
    found: dict[str, float] = {}
    for steps in (75, 100, 150, 200, 300, 400):
        field, seconds = cpu(lambda steps=steps: ours(steps))
        reached = quality(field)
        found |= {"training.ours.cpu_seconds": seconds, "training.ours.psnr": reached}
        if reached >= WANTED:
            break
    mean = float(numpy.exp(numpy.mean(numpy.log(rays.colours + 1e-2))))
    start = fields.empty(
        low=low,
        high=high,
        resolution=resolution,
        radiance=mean,
        scale=settings.scale,
        raw_density=settings.start,
        shell=shell,
    )
    course = peers.train_with_torch(
        start, rays, steps=400, most_seconds=most_seconds, every=20, quality=quality, wanted=WANTED
    )
    steps, seconds, reached = course[-1]
    found |= {
        "training.torch.cpu_seconds": seconds,
        "training.torch.psnr": reached,
        "training.torch.steps": steps,
    }
    found["training.ratio.torch"] = seconds / found["training.ours.cpu_seconds"]
    return found


def mse(image: Any, truth: Any) -> float:
    """Mean squared error of linear images."""
    return float(((numpy.asarray(image, dtype=float) - truth) ** 2).mean())


def _to_equal_error(
    mi: Any, scene: Any, ours: Any, theirs: Any, camera: Camera, truth: Any, *, samples: int
) -> Any:
    """CPU seconds times squared error of two integrators, in turns: what an equal error costs is in proportion."""
    costs: tuple[list[float], list[float]] = ([], [])
    errors: tuple[list[float], list[float]] = ([], [])
    for turn in range(4):  # the first compiles
        for number, each in enumerate((ours, theirs)):
            made, seconds = cpu(
                lambda each=each, turn=turn: (
                    frames.picture(mi, scene, each, camera, samples=samples, seed=100 + turn).beauty
                )
            )
            if turn:
                costs[number].append(seconds)
                errors[number].append(mse(made, truth))
    return [float(numpy.median(cost) * numpy.mean(error)) for cost, error in zip(costs, errors, strict=True)]


def mesh_only(mi: Any) -> dict[str, float]:
    """A room of meshes alone: what equal error costs us, relative to Mitsuba's `path`."""
    bunny = meshes.made("bunny")
    turned = mi.Mesh("bunny", len(bunny.vertices), len(bunny.faces), props=mi.Properties())
    values = mi.traverse(turned)
    values["vertex_positions"] = (0.5 * bunny.vertices + [0.0, 0.0, 0.25]).astype(numpy.float32).ravel()
    values["faces"] = bunny.faces.astype(numpy.uint32).ravel()
    values.update()
    scene = mi.load_dict({**studio.scene("studio"), "bunny": turned})
    view = places.camera(side=64, place=(0.3, -0.85, 0.8), target=(0.0, 0.2, 0.4))
    path = frames.Plain(integrator=mi.load_dict({"type": "path", "max_depth": 6}))
    truth = frames.picture(mi, scene, path, view, samples=8192, seed=7).beauty
    ours, theirs = _to_equal_error(
        mi, scene, integrator.hybrid(mi, bounces=5), path, view, truth, samples=128
    )
    return {"meshes.cost.ratio.path": ours / theirs}


def hybrid_scene(mi: Any, folder: Path) -> dict[str, float]:
    """Field and meshes: CPU seconds to an MSE of 1e-4, ours and plain delta tracking's.

    The shell is solid to our march; delta tracking's majorant would be 500 times higher for it, so it is taken down to
    the field's own highest density for both. Ours aims at the field's lights, which plain delta tracking does not;
    `unaimed` is ours without that. All pass through the same evenly spread places of a pixel. The error is the variance
    between renderings (the means say that neither is off): a reference has noise of its own, and a single rendering's
    error is off by half, as most of it is in the one or two pixels where the mirror shows the edge of a lamp;
    `elsewhere` is all but the mirror. As evenly spread places do better than one over the number of samples, that
    number is sought at which the error is near 1e-4, and only the rest is scaled.
    """
    field = fields.load(trained(folder) / scenes.FIELD)
    highest = float((field.scale * numpy.logaddexp(0.0, field.values[..., 0])).max())
    border = field.density_nodes() >= fields.SOLID
    field.values[border, 0] = numpy.log(numpy.expm1(highest / field.scale))
    field = replace(field, shell=0.0)
    volume = GridVolume.of(mi, field, step=0.5)
    majorant = float(field.density_nodes().max())
    scene = mi.load_dict(
        {
            "type": "scene",
            "mirror": {
                "type": "sphere",
                "center": [0.3, 0.1, 0.3],
                "radius": 0.3,
                "bsdf": {"type": "conductor"},
            },
            "diffuse": {"type": "sphere", "center": [-0.35, -0.1, 0.25], "radius": 0.25},
        }
    )
    view = places.camera(side=32, place=(0.1, -0.8, 0.9), target=(0.0, 0.2, 0.3))
    lights = scenes.read(lit(folder)).lights or ()
    ours = integrator.hybrid(mi, volume=volume, bounces=2, lights=lights)
    plain = peers.DeltaTracking(mi=mi, volume=volume, majorant=majorant, bounces=2)
    origins, directions = view.rays()
    away = origins - [0.3, 0.1, 0.3]
    closest = (away**2).sum(axis=1) - (away * directions).sum(axis=1) ** 2
    elsewhere = (closest > 0.33**2).reshape(view.height, view.width)
    found = {"hybrid.majorant": majorant}
    unaimed = integrator.hybrid(mi, volume=volume, bounces=2)
    for name, each in (("ours", ours), ("unaimed", unaimed), ("delta", plain)):
        for where, pixels in (("", numpy.ones_like(elsewhere)), (".elsewhere", elsewhere)):
            samples = 128
            for _ in range(3):
                images_, seconds = _renderings(mi, scene, each, view, samples=samples)
                error = float(numpy.var(images_, axis=0, ddof=1).mean(axis=2)[pixels].mean())
                cost, used = seconds * error / WANTED_ERROR, samples
                samples = int(numpy.clip(round(samples * error / WANTED_ERROR), 4, 1024))
            found |= {
                f"hybrid.{name}.mean": float(numpy.mean(images_)),
                f"hybrid.{name}.cpu_seconds{where}": cost,
                f"hybrid.{name}.samples{where}": float(used),
                f"hybrid.{name}.error{where}": error,
            }
    for name in ("unaimed", "ours"):
        for where in ("", ".elsewhere"):
            key = f"hybrid.ratio.{'delta' if name == 'ours' else name}{where}"
            found[key] = (
                found[f"hybrid.delta.cpu_seconds{where}"] / found[f"hybrid.{name}.cpu_seconds{where}"]
            )
    return found


def _renderings(
    mi: Any, scene: Any, each: Any, view: Camera, *, samples: int, turns: int = 12
) -> tuple[numpy.ndarray, float]:
    """Several renderings, `[turn, height, width, 3]`, and the CPU seconds of one."""
    frames.picture(mi, scene, each, view, samples=samples, seed=9)  # compiles
    images_, costs = [], []
    for turn in range(turns):
        made, seconds = cpu(
            lambda t=turn: frames.picture(mi, scene, each, view, samples=samples, seed=50 + t)
        )
        images_.append(made.beauty.astype(float))
        costs.append(seconds)
    return numpy.array(images_), float(numpy.median(costs))


def lamps(folder: Path) -> dict[str, float]:
    """Estimated lamps beside the studio's: distance as a share of the room's size (2), error of the power."""
    found = list(scenes.read(lit(folder)).lights or ())
    result = {"lamps.found": float(len(found))}
    for number, lamp in enumerate(studio.LAMPS, 1):
        near = min(found, key=lambda light: numpy.linalg.norm(numpy.subtract(light.centre, lamp.centre)))
        away = float(numpy.linalg.norm(numpy.subtract(near.centre, lamp.centre)))
        result[f"lamp.{number}.distance"] = away / 2.0
        result[f"lamp.{number}.power"] = abs(float(numpy.mean(near.power)) / lamp.power - 1)
    return result


def no_lamp(folder: Path) -> dict[str, float]:
    """Lamps found in the courtyard, which has none."""
    sulan.radiance.capture("courtyard", out=folder / "yard", views=48, width=48, height=48)
    sulan.radiance.train(folder / "yard", out=folder / "yard-field", resolution=32, steps=300)
    sulan.radiance.light(folder / "yard-field", out=folder / "yard-lit")
    return {"lamps.courtyard": metrics(folder / "yard-lit")["lights"]}


def insertion(folder: Path) -> Mapping[str, float]:
    """Mirror bunny and diffuse ball in the field, against the room rendered with them in it."""
    sulan.radiance.insert(
        lit(folder),
        mesh="bunny",
        at=(0.2, 0.1, 0.25),
        turn=(0.0, 0.0, 20.0),
        material="mirror",
        colour=(0.95, 0.95, 0.95),
        out=folder / "bunny",
    )
    sulan.radiance.insert(
        folder / "bunny",
        mesh="ball",
        at=(-0.3, -0.1, 0.17),
        scale=0.34,
        colour=(0.75, 0.25, 0.1),
        out=folder / "ball",
    )
    sulan.radiance.capture(
        "studio", inserted=folder / "ball", views=6, width=80, height=60, samples=512, out=folder / "truth"
    )
    sulan.radiance.render(
        folder / "ball",
        camera_path=folder / "truth",
        truth=folder / "truth",
        samples=128,
        workers=1,
        out=folder / "clip",
    )
    found = metrics(folder / "clip")
    return {
        "insertion.mirror.decibels": found["improvement.bunny.psnr"],
        "insertion.diffuse.decibels": found["improvement.ball.psnr"],
        "insertion.shadow.error": found["shadow.error"],
        "insertion.shadow.error.off": found["shadow.error.off"],
    }

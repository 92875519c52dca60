"""What `sulan radiance render` does around the frames: shards, video, comparison with the truth, report."""

import shutil
import statistics
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal

import numpy

from sulan.radiance import cameras, frames, images, pictures, scenes
from sulan.radiance.cameras import Camera
from sulan.radiance.comparison import Compared, compare
from sulan.radiance.settings import RenderSettings
from sulan.radiance.stage import Stage
from sulan.reports.report import Report, Table
from sulan.runs import fingerprints, shards

__all__ = ["all_frames", "check", "compare", "forget", "pixels_exponent", "rates", "report", "work_folder"]

PARTS = (0.25, 0.5, 1.0)
"""Shares of a frame's pixels that time is measured at."""

SHOWN = 8
"""Frames in the report."""

Measured = list[dict[str, float]]


def check(loaded: Stage, views: list[Camera]) -> None:
    """Raise InputError where a camera is inside a mesh in its frame, or a material is none of Mitsuba's.

    Before any frame has cost anything.
    """
    loaded.shapes(0)
    for number, view in enumerate(views):
        frames.check_camera(loaded, view, number)


def work_folder(out: Path) -> Path:
    """Return where finished frames wait, beside `out`."""
    return out.absolute().with_name(f".{out.name}.frames")


def forget(out: Path) -> None:
    """Remove the work folder: the artefact is whole."""
    shutil.rmtree(work_folder(out), ignore_errors=True)


def all_frames(
    scene: Path,
    views: list[Camera],
    folder: Path,
    *,
    work: Path,
    samples: int,
    shadow: Literal["on", "off"],
    aov: bool,
    seed: int,
    settings: RenderSettings,
    workers: int | None,
    engine: Literal["local", "ray"],
) -> Measured:
    """Render what is missing, and bring all frames, their cameras and the video into a folder.

    Returns
    -------
    list
        What each frame's rendering measured (`frames.render_frame`), also of those that were done before.
    """
    stamp = fingerprints.path(scene)
    items = [
        {"camera": frames.pack(view), "frame": number, "stamp": stamp} for number, view in enumerate(views)
    ]
    measured = shards.map_shards(
        frames.render_frame,
        items,
        out=work,
        arguments={
            "scene": scene.absolute(),
            "samples": samples,
            "seed": seed,
            "shadow": shadow,
            "aov": aov,
            "settings": asdict(settings),
        },
        engine=engine,
        workers=workers,
        label="render",
    )
    (folder / "frames").mkdir()
    for number in range(len(views)):
        for suffix in ("exr", "png"):
            place = folder / "frames" / f"frame-{number:05d}.{suffix}"
            shutil.copyfile(shards.shard_folder(work, number) / f"frame.{suffix}", place)
    cameras.write(
        [replace(view, name=f"frames/frame-{n:05d}") for n, view in enumerate(views)],
        folder / cameras.TRANSFORMS,
    )
    from sulan.radiance import video

    rate = scenes.read(scene).frames_per_second or 24.0
    video.write(
        [folder / "frames" / f"frame-{n:05d}.png" for n in range(len(views))], folder / "video.mp4", rate=rate
    )
    return measured


def rates(made: Measured, *, samples: int) -> Mapping[str, float]:
    """Return frames a second by the median frame and the slowest, CPU seconds of one, and its standard error.

    One sample a pixel tells nothing of its own error.
    """
    walls = [max(each["wall"], 1e-6) for each in made]
    return {
        "frames_per_second": round(1 / statistics.median(walls), 4),
        "frames_per_second.slowest": round(1 / max(walls), 4),
        "cpu_seconds.frame": round(statistics.fmean(each["cpu"] for each in made), 4),
    } | ({"error": round(statistics.fmean(each["error"] for each in made), 6)} if samples > 1 else {})


def pixels_exponent(
    loaded: Stage, view: Camera, *, samples: int, seed: int, settings: RenderSettings
) -> tuple[float, str]:
    """Return the slope of log time over log pixels on one frame, and the numbers of pixels."""
    meshes, volume = loaded.at(0)
    integrator = loaded.integrator(volume, bounces=settings.bounces)
    seconds, pixels = [], []
    for part in PARTS:
        small = view.resized(max(8, round(view.width * part**0.5)), max(8, round(view.height * part**0.5)))
        times = []
        for attempt in range(4):  # the first compiles
            start = time.process_time()
            frames.picture(loaded.mi, meshes, integrator, small, samples=samples, seed=seed + attempt)
            times.append(time.process_time() - start)
        seconds.append(statistics.median(times[1:]))
        pixels.append(small.width * small.height)
    slope = numpy.polyfit(numpy.log(pixels), numpy.log(numpy.maximum(seconds, 1e-6)), 1)[0]
    return round(float(slope), 3), ", ".join(f"{count:,}" for count in pixels)


def report(
    loaded: Stage,
    views: list[Camera],
    folder: Path,
    made: Measured,
    compared: Compared | None,
    *,
    shadow: Literal["on", "off"],
    samples: int,
) -> Report:
    """Return the report: nothing in it depends on how long anything took, so the same run writes the same page."""
    paths = sorted((folder / "frames").glob("*.exr"))
    shown = paths[:: max(1, -(-len(paths) // SHOWN))]
    notes = []
    if shadow == "on" and loaded.shares is None and loaded.field is not None and loaded.scene.things:
        notes.append("No shadows on the field: its lights are not known (sulan radiance light).")
    if loaded.field is None:
        notes.append("The scene has no field: meshes alone.")
    tables = [
        Table(
            title="Frames",
            columns=("frame", "mean radiance", "standard error of a pixel"),
            rows=tuple(
                (
                    n,
                    round(float(images.read(path).mean()), 5),
                    round(each["error"], 6) if samples > 1 else None,
                )
                for n, (path, each) in enumerate(zip(paths, made, strict=True))
            ),
        )
    ]
    shots: dict[str, bytes] = {"Frames": pictures.sheet([images.read(path) for path in shown])}
    if compared is not None:
        tables.insert(0, compared.table())
        shots |= compared.pictures()
    return Report(
        title="radiance render",
        summary={
            "frames": len(views),
            "width": views[0].width,
            "height": views[0].height,
            "samples": samples,
            "meshes": len(loaded.scene.things),
            "lights": len(loaded.scene.lights or ()),
            "shadows on the field": loaded.shares is not None and shadow == "on",
        },
        tables=tuple(tables),
        notes=tuple(notes),
        pictures=shots,
    )

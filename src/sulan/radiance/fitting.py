"""What `sulan radiance train` does with the views: split, train, test, and what the report shows of it."""

import hashlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
from numpy.typing import NDArray

from sulan.errors import InputError
from sulan.radiance import captures, hashing, images, lighting, scenes, training
from sulan.radiance.captures import View
from sulan.radiance.field import Field
from sulan.radiance.hashing import HashField
from sulan.radiance.settings import TrainSettings
from sulan.runs import fingerprints
from sulan.runs.progress import progress
from sulan.runs.record import plain

HASHED = "hash.safetensors"
"""The hash grid itself; every verb reads the dense grid that it is baked into."""

SHOWN = 6
"""Test views in the report."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained field with how well it shows what it was not trained on.

    Attributes
    ----------
    tested
        View, PSNR (sRGB, dB) and relative squared error.
    shown
        Image and rendering of some test views.
    losses
        By step.
    """

    field: Field
    hashed: HashField | None
    tested: list[tuple[str, float, float]]
    shown: list[tuple[NDArray[numpy.floating], NDArray[numpy.floating]]]
    losses: list[tuple[int, float]]
    seconds: float
    brightest: float
    notes: tuple[str, ...]

    @property
    def psnr(self) -> float:
        """Mean over the test views, dB."""
        return float(numpy.mean([db for _, db, _ in self.tested])) if self.tested else float("nan")

    @property
    def relative_error(self) -> float:
        """Mean over the test views."""
        return float(numpy.mean([error for _, _, error in self.tested])) if self.tested else float("nan")

    def save(self, folder: Path) -> None:
        """Write the field into a scene's folder, and the hash grid it was baked from."""
        self.field.save(folder / scenes.FIELD)
        if self.hashed is not None:
            self.hashed.save(folder / HASHED)

    def charts(self) -> Mapping[str, str]:
        """Return the loss's course."""
        from sulan.reports import charts

        steps, values = zip(*self.losses, strict=True)
        line = charts.Line(name="loss", x=steps, y=values)
        drawn = charts.lines(
            [line], title="Loss by step", x="step", y="relative squared error", logarithmic_y=True
        )
        return {"Loss of the batches, smoothed over 20 steps": drawn}

    def pictures(self) -> Mapping[str, bytes]:
        """Return test views beside their images."""
        from sulan.radiance.pictures import sheet

        if not self.shown:
            return {}
        rows = [image for image, _ in self.shown] + [rendered for _, rendered in self.shown]
        return {
            "Views kept for testing: captured (above), the field (below)": sheet(
                rows, columns=len(self.shown)
            )
        }


def fit(
    mi: Any,
    views: list[View],
    *,
    corners: captures.Box,
    kind: Literal["grid", "hash"],
    resolution: int,
    steps: int,
    hold_out: int,
    seed: int,
    settings: TrainSettings,
    shell: float,
    work: Path | None,
) -> Fitted:
    """Train on some views and test on the others; see `sulan radiance train`."""
    tests = views[::hold_out] if hold_out else []
    kept = [view for number, view in enumerate(views) if not hold_out or number % hold_out]
    if not kept:
        raise InputError(f"{len(views)} views leave none to train on", hint="--hold-out 0")
    notes = []
    brightest = max(float(view.image.max()) for view in views)
    if brightest <= 1.0:
        notes.append(
            "No pixel is above 1: the field is not HDR, and lamps in it are as bright as white paper."
        )
    origins, directions, colours = captures.rays(kept)
    data = training.Rays(origins=origins, directions=directions, colours=colours)
    start = time.process_time()
    schedule = training.stages(resolution, steps)
    bar = iter(progress(range(steps), label="train"))

    def watch(step: int) -> None:
        next(bar, None)

    hashed = None
    if kind == "grid":
        field, losses = training.train(
            mi,
            data,
            low=corners[0],
            high=corners[1],
            schedule=schedule,
            seed=seed,
            settings=settings,
            shell=shell,
            work=work,
            watch=watch,
        )
    else:
        hashed, losses = hashing.train(
            mi,
            data,
            low=corners[0],
            high=corners[1],
            resolution=resolution,
            steps=steps,
            seed=seed,
            settings=settings,
            shell=shell,
            watch=watch,
        )
        field = hashed.baked(mi)
    volume = field.on_device(mi)
    seconds = time.process_time() - start
    tested, shown = [], []
    for view in tests:
        o, d = view.camera.rays()
        light = lighting.radiance(mi, volume, o, d, seed=seed).reshape(view.image.shape)
        tested.append(
            (view.camera.name, images.psnr(light, view.image), images.relative_error(light, view.image))
        )
        if len(shown) < SHOWN:
            shown.append((view.image, light))
    return Fitted(
        field=field,
        hashed=hashed,
        tested=tested,
        shown=shown,
        losses=_smoothed(losses),
        seconds=seconds,
        brightest=brightest,
        notes=tuple(notes),
    )


def _smoothed(losses: list[float]) -> list[tuple[int, float]]:
    window = 20
    result = []
    for start in range(0, len(losses), window):
        part = losses[start : start + window]
        result.append((start + len(part), float(numpy.mean(part))))
    return result


def work_folder(out: Path, *, scene: Path, config: Mapping[str, object]) -> Path:
    """Return where checkpoints of this very training go, beside `out`; others of the same place are removed."""
    told = {name: value for name, value in plain(config).items() if name not in ("out", "scene")}
    text = json.dumps([told, fingerprints.path(scene)], sort_keys=True)
    name = hashlib.sha256(text.encode()).hexdigest()[:16]
    work = _work(out)
    if work.is_dir():
        for old in work.iterdir():
            if old.name != name:
                shutil.rmtree(old)
    (work / name).mkdir(parents=True, exist_ok=True)
    return work / name


def forget(out: Path) -> None:
    """Remove the checkpoints: the artefact is whole."""
    shutil.rmtree(_work(out), ignore_errors=True)


def _work(out: Path) -> Path:
    return out.absolute().with_name(f".{out.name}.training")

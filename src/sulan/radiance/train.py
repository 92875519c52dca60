"""`sulan radiance train`: an HDR radiance field from a capture."""

from pathlib import Path
from typing import Literal

from sulan.radiance.settings import TrainSettings
from sulan.reports.report import Report, Table


def train(
    scene: Path,
    *,
    out: Path,
    field: Literal["grid", "hash"] = "grid",
    resolution: int = 40,
    steps: int = 600,
    hold_out: int = 8,
    box: tuple[float, ...] = (),
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
    settings: TrainSettings = TrainSettings(),
) -> Report:
    """Train an HDR radiance field on the images of a capture.

    Parameters
    ----------
    scene
        Capture: `transforms.json` (instant-ngp, nerfstudio), the nerf_synthetic layout, or COLMAP's `sparse/0`,
        with EXR (linear) or PNG and JPEG images (decoded from sRGB).
    out
        Folder of the scene: the capture with `field.safetensors`, report. A run that was stopped goes on from its
        checkpoint beside it.
    field
        `grid`: a dense grid with spherical harmonics, the default on a processor. `hash`: instant-ngp's hash grid
        with a small network (the paper's field), for CUDA; it is baked into a dense grid for what comes after.
    resolution
        Nodes along the box's longest side; the hash grid's finest level.
    steps
        Batches of rays; half of them at coarser resolutions. Measured: 600 on 49 views of 64 x 64 give 34.5 dB on the
        views kept, in 26 CPU-seconds.
    hold_out
        Every so many views are kept for testing (8, as is customary for NeRF); 0: none.
    box
        Corners of the field's box, `x0,y0,z0,x1,y1,z1`. Default: what the capture says, else instant-ngp's cube.
    seed
        Of the batches.
    device
        Where to train: `cuda`, `cpu`, or whichever is there.
    settings
        See `TrainSettings`.

    Returns
    -------
    Report
        PSNR of the views kept for testing, beside the loss and pictures.

    Raises
    ------
    MissingFile
        The capture or an image of it is not there.
    InputError
        Poses, sizes or pixels that cannot be used; the message names the file.
    """
    config = dict(locals())
    from sulan.errors import InputError
    from sulan.radiance import backend, captures, fitting, scenes
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if steps < 1 or hold_out < 0:
        raise InputError(f"steps must be at least 1 and hold_out not negative, not {steps} and {hold_out}")
    views = captures.read(scene)
    corners = captures.corners(scene, box)
    mi = backend.mitsuba(device)
    with (
        outputs.folder(out) as folder,
        record(verb="radiance train", folder=folder, config=config, seed=seed, inputs=[scene]) as run,
    ):
        made = fitting.fit(
            mi,
            views,
            corners=corners,
            kind=field,
            resolution=resolution,
            steps=steps,
            hold_out=hold_out,
            seed=seed,
            settings=settings,
            shell=captures.shell(scene, corners),
            work=fitting.work_folder(out, scene=scene, config=config),
        )
        if scene.is_dir():
            scenes.carry(
                scene, folder, without=(scenes.FIELD, fitting.HASHED, scenes.COLLIDER, scenes.SHARES)
            )
            scenes.write(scenes.read(scene).model_copy(update={"lights": None}), folder)
        made.save(folder)
        report = Report(
            title=f"radiance train {field}",
            summary={
                "views": len(views),
                "tested": len(made.tested),
                "psnr": round(made.psnr, 2),
                "relative error": round(made.relative_error, 5),
                "resolution": resolution,
                "steps": steps,
                "brightest": round(made.brightest, 3),
            },
            tables=(
                Table(
                    title="Views that were kept for testing",
                    columns=("view", "PSNR (sRGB), dB", "relative squared error"),
                    rows=tuple((name, round(db, 2), round(error, 5)) for name, db, error in made.tested),
                ),
            ),
            notes=made.notes,
            charts=made.charts(),
            pictures=made.pictures(),
        )
        html.write(report, folder)
        first = views[0].camera
        scale = f"{len(views)} views, {first.width}x{first.height}, {resolution} nodes, {steps} steps"
        run.metric("psnr", round(made.psnr, 3), scale=scale)
        run.metric("relative_error", round(made.relative_error, 6), scale=scale)
        run.metric("cpu_seconds", round(made.seconds, 2), scale=scale)
    fitting.forget(out)
    return report

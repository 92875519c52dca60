"""`sulan radiance render`: frames of a scene, meshes and field in one light transport."""

from pathlib import Path
from typing import Literal

from sulan.radiance.settings import RenderSettings
from sulan.reports.report import Report


def render(
    scene: Path,
    *,
    camera_path: Path,
    out: Path,
    samples: int = 64,
    shadow: Literal["on", "off"] = "on",
    aov: bool = False,
    truth: Path | None = None,
    measure: bool = False,
    workers: int | None = None,
    engine: Literal["local", "ray"] = "local",
    seed: int = 0,
    settings: RenderSettings = RenderSettings(),
) -> Report:
    """Render a scene along a camera path: the paper's hybrid of ray tracing and radiance field.

    Parameters
    ----------
    scene
        Scene with a field, meshes, or both; with its motion where `sulan radiance simulate` made one: camera n sees
        frame n.
    camera_path
        transforms.json or nerfstudio's camera_path.json, or a folder with the former.
    out
        `frames/*.exr` and `*.png`, `video.mp4`, report. A run that was killed goes on with the missing frames.
    samples
        Paths a pixel.
    shadow
        Whether meshes cast shadows onto the field; they need `sulan radiance light`.
    aov
        More layers in the EXR files: field, mesh, shadow, depth, coverage, error.
    truth
        Capture of the same cameras with the meshes really in the scene (`capture --inserted`): the frames are
        compared with it, beside image-space compositing and lighting by an environment image alone.
    measure
        Also measure how time grows with the number of pixels, on the first frame at a quarter, half and all of them.
    workers
        Frames rendered at once, each by one thread. Default: as many as there are cores; 1 on a GPU.
    engine
        `local`: processes here. `ray`: a Ray cluster.
    seed
        Of the paths; a frame's own follows from its name.
    settings
        See `RenderSettings`.

    Returns
    -------
    Report
        Frames, seconds, error bars; against the truth, decibels gained in the region of the meshes and what remains
        of the shadows' error.

    Raises
    ------
    MissingFile
        The scene, a part of it, or the cameras are not there.
    InputError
        A camera inside a mesh, cameras of different sizes, a material that Mitsuba does not know.
    """
    config = dict(locals())
    from sulan.errors import InputError, MissingFile
    from sulan.radiance import backend, cameras, rendering, scenes, stage
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if samples < 1:
        raise InputError(f"samples must be at least 1, not {samples}")
    views = cameras.read(camera_path)
    if len({(view.width, view.height) for view in views}) != 1:
        raise InputError(f"the cameras of {camera_path} have different sizes: no video can show them")
    if truth is not None and not truth.is_dir():
        raise MissingFile(f"no capture at {truth}")
    scenes.read(scene)
    mi = backend.mitsuba(settings.device)
    loaded = stage.Stage.load(mi, scene, step=settings.step)
    if loaded.volume is None and not loaded.scene.things:
        raise InputError(
            f"{scene} has neither a field nor a mesh", hint="sulan radiance train CAPTURE --out DIR"
        )
    rendering.check(loaded, views)
    with (
        outputs.folder(out) as folder,
        record(
            verb="radiance render",
            folder=folder,
            config=config,
            seed=seed,
            inputs=[scene, camera_path, *([truth] if truth is not None else [])],
        ) as run,
    ):
        made = rendering.all_frames(
            scene,
            views,
            folder,
            work=rendering.work_folder(out),
            samples=samples,
            shadow=shadow,
            aov=aov,
            seed=seed,
            settings=settings,
            workers=1 if mi.variant().startswith("cuda") else workers,
            engine=engine,
        )
        compared = None
        if truth is not None:
            compared = rendering.compare(
                loaded, views, folder, truth=truth, samples=samples, seed=seed, settings=settings
            )
        report = rendering.report(loaded, views, folder, made, compared, shadow=shadow, samples=samples)
        html.write(report, folder)
        scale = f"{len(views)} frames, {views[0].width}x{views[0].height}, {samples} spp, {settings.bounces} bounces"
        for name, value in rendering.rates(made, samples=samples).items():
            run.metric(name, value, scale=f"{scale}, {mi.variant()}")
        if compared is not None:
            for name, value in compared.metrics().items():
                run.metric(name, value, scale=scale)
        if measure:
            exponent, sizes = rendering.pixels_exponent(
                loaded, views[0], samples=samples, seed=seed, settings=settings
            )
            run.metric("time.pixels.exponent", exponent, scale=f"{sizes} pixels, {samples} spp, CPU time")
    rendering.forget(out)
    return report

"""`sulan radiance simulate`: cloth, rigid and soft bodies against the field, and the field's pieces against them."""

from pathlib import Path

from sulan.radiance.settings import SimulateSettings
from sulan.reports.report import Report, Table


def simulate(
    scene: Path,
    *,
    out: Path,
    frames: int = 48,
    frames_per_second: float = 24.0,
    measure: bool = False,
    settings: SimulateSettings = SimulateSettings(),
) -> Report:
    """Move what was inserted: extended position-based dynamics over the field's distance grid, both ways.

    Parameters
    ----------
    scene
        Scene with a collider (`sulan radiance geometry`) where it has a field, and bodies that move.
    out
        The scene with `motion.npz`: poses and vertices by frame; report.
    frames
        How many; the first is the start.
    frames_per_second
        Of the motion. Default: film's; the paper's demo steps 1/60 s (official code).
    measure
        Also measure that time does not depend on the image's resolution (the paper, pages 7 and 13): the motion is
        computed again for cameras of 16 times the pixels.
    settings
        See `SimulateSettings`.

    Returns
    -------
    Report
        Momentum, energy, speed and penetration by second, and whether it came to rest.

    Raises
    ------
    MissingFile
        The scene, or the collider of its field, is not there.
    InputError
        Nothing moves; a body that needs an inside is open; the motion left all bounds.
    """
    config = dict(locals())
    from sulan.errors import InputError
    from sulan.radiance import motion, scenes, simulating
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if frames < 1 or not frames_per_second > 0:
        raise InputError(f"frames and frames_per_second must be above 0: {frames}, {frames_per_second}")
    if settings.substeps < 1:
        raise InputError(f"settings.substeps must be at least 1, not {settings.substeps}")
    read = scenes.read(scene)
    solver, world = simulating.assemble(scene, read, settings)
    with (
        outputs.folder(out) as folder,
        record(verb="radiance simulate", folder=folder, config=config, inputs=[scene]) as run,
    ):
        made = simulating.run(solver, frames=frames, frames_per_second=frames_per_second)
        scenes.carry(scene, folder, without=(scenes.MOTION,))
        scenes.write(read.model_copy(update={"frames_per_second": frames_per_second}), folder)
        motion.save(made.motion, folder / scenes.MOTION)
        voxel = world.voxel if world is not None else 1.0
        report = Report(
            title="radiance simulate",
            summary={
                "frames": frames,
                "rigid bodies": len(solver.rigids),
                "particles": len(solver.x),
                "deepest penetration, voxels": round(made.deepest / voxel, 4),
                "speed at the end": round(made.states[-1].speed, 5),
            },
            tables=(
                Table(
                    title="By second",
                    columns=("second", "momentum x", "y", "z", "energy", "largest speed", "penetration"),
                    rows=tuple(simulating.rows(made.states, frames_per_second)),
                ),
            ),
            charts=simulating.charts(made.states, frames_per_second),
        )
        html.write(report, folder)
        scale = f"{len(solver.rigids)} rigid bodies, {len(solver.x)} particles, {frames} frames"
        run.metric("penetration.voxels", round(made.deepest / voxel, 5), scale=scale)
        run.metric("speed.end", round(made.states[-1].speed, 6), scale=scale)
        run.metric("cpu_seconds.frame", round(made.seconds, 6), scale=scale)
        if measure:
            ratio, sizes = simulating.resolution_ratio(scene, read, settings, frames, frames_per_second)
            run.metric(
                "time.resolution.ratio",
                round(ratio, 3),
                scale=f"{scale}; cameras of {sizes}; the solver reads none",
            )
    return report

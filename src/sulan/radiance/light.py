"""`sulan radiance light`: the emitters of a field, with position, shape and power."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report, Table


def light(
    scene: Path,
    *,
    out: Path,
    threshold: float = 5.0,
    steps: int = 16,
    samples: int = 16,
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Report:
    """Estimate where a field's light comes from, by differentiable path tracing on its extracted mesh.

    Parameters
    ----------
    scene
        Scene with a field.
    out
        The scene with `lights` and `shares.npz`, which shadows on the field need; report.
    threshold
        A face that gives out so many times the light that it receives may emit. Measured on our captures: walls near a
        lamp that is a little misplaced reach 4, most of a lamp's faces are above 10. A lamp that is not five times
        brighter than what it lights is not found.
    steps
        Steps of the fit of emission and albedo; 0: the energy balance alone. The official code goes 16 times over
        all views.
    samples
        Paths a pixel of the fit (official code: 16).
    seed
        Of the paths.
    device
        Where to compute: `cuda`, `cpu`, or whichever is there.

    Returns
    -------
    Report
        The emitters, the strongest first; none is an answer.

    Raises
    ------
    MissingFile
        The scene or its field is not there.
    """
    config = dict(locals())
    from sulan.errors import InputError, MissingFile
    from sulan.radiance import arrays, backend, cameras, collider, emitters, field, scenes
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    if threshold <= 1 or steps < 0 or samples < 1:
        raise InputError(
            f"threshold must be above 1, steps not negative and samples positive: {threshold}, {steps}, {samples}"
        )
    read = scenes.read(scene)
    loaded = field.load(scenes.need(scene, scenes.FIELD, hint="sulan radiance train SCENE --out DIR"))
    # A lamp that hangs in the air is a floater to `geometry`; here everything dense counts.
    grid = collider.collider(loaded, smallest=0.0, fill=False, bright=True).grid
    try:
        views = cameras.read(scene)
    except MissingFile:
        views = []  # a field without its capture: every direction counts as seen
    mi = backend.mitsuba(device)
    with (
        outputs.folder(out) as folder,
        record(verb="radiance light", folder=folder, config=config, seed=seed, inputs=[scene]) as run,
    ):
        found = emitters.estimate(
            mi, loaded, grid, views, threshold=threshold, steps=steps, samples=samples, seed=seed
        )
        scenes.carry(scene, folder, without=(scenes.SHARES,))
        arrays.write(folder / scenes.SHARES, {"shares": found.shares})
        scenes.write(read.model_copy(update={"lights": found.lights}), folder)
        rows = tuple(
            (number, *(round(value, 4) for value in (*each.centre, each.radius, *each.power)))
            for number, each in enumerate(found.lights, 1)
        )
        report = Report(
            title="radiance light",
            summary={
                "lights": len(found.lights),
                "faces that may emit": found.candidates,
                "largest excess": round(found.excess, 3),
                "loss before": round(found.losses[0], 5) if found.losses else None,
                "loss after": round(found.losses[1], 5) if found.losses else None,
            },
            tables=(
                Table(
                    title="Lights",
                    columns=("light", "x", "y", "z", "radius", "power R", "power G", "power B"),
                    rows=rows,
                ),
            ),
            notes=() if found.lights else ("No emitter: nothing gives out more light than it receives.",),
        )
        html.write(report, folder)
        scale = f"field of {max(loaded.resolution)} nodes, {len(views)} views"
        run.metric("lights", len(found.lights), scale=scale)
        run.metric("power", round(sum(sum(each.power) / 3 for each in found.lights), 4), scale=scale)
    return report

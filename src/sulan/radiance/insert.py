"""`sulan radiance insert`: a mesh, or a movable piece of the field itself, put into a scene."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report, Table


def insert(
    scene: Path,
    *,
    out: Path,
    mesh: str = "ball",
    name: str | None = None,
    at: tuple[float, ...] = (0.0, 0.0, 0.5),
    scale: float = 0.5,
    turn: tuple[float, ...] = (0.0, 0.0, 0.0),
    material: str = "diffuse",
    colour: tuple[float, ...] = (0.7, 0.7, 0.7),
    body: Literal["fixed", "rigid", "cloth", "soft"] = "fixed",
    mass: float = 1.0,
    velocity: tuple[float, ...] = (0.0, 0.0, 0.0),
) -> Report:
    """Put a mesh into a scene, or make a box of its field movable.

    Parameters
    ----------
    scene
        The scene, or a capture.
    out
        The scene with the mesh in `meshes/` and in `scene.json`; report.
    mesh
        `bunny`, `ball`, `lowball`, `cube`, `cloth`, or a file (glb, obj, ply, stl); `field` for the piece of the
        field in the box around `at` with the sides `scale`.
    name
        How the scene calls it. Default: the mesh's name, with a number where that is taken.
    at
        World position of the middle of its box, x, y, z; z is up.
    scale
        Length of its box's longest side, world units.
    turn
        Rotation about x, then y, then z, degrees.
    material
        `diffuse`, `mirror`, `glass`, `sheet`, `plastic`, `gold`, `lamp`, `mesh` (the glTF file's own), or a `.json`
        file with any BSDF of Mitsuba.
    colour
        Reflectance; transmittance of glass; radiance of a lamp. Linear RGB.
    body
        How `simulate` moves it.
    mass
        Of the whole body; only ratios matter.
    velocity
        At the start, world units a second.

    Returns
    -------
    Report
        What was put where, and what is wrong with the mesh.

    Raises
    ------
    MissingFile
        The scene, mesh or material is not there.
    InputError
        A mesh without triangles, one that is open where a body needs an inside, a name that is taken.
    """
    config = dict(locals())
    from sulan.radiance import inserting, scenes
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    read = scenes.read(scene)
    asked = inserting.Asked(
        mesh=mesh,
        name=name,
        at=inserting.triple(at, "at"),
        scale=scale,
        turn=inserting.triple(turn, "turn"),
        material=material,
        colour=inserting.triple(colour, "colour"),
        body=body,
        mass=mass,
        velocity=inserting.triple(velocity, "velocity"),
    )
    found = inserting.prepare(asked, read, folder=scene)
    inputs = [scene, *(Path(path) for path in (mesh, material) if Path(path).is_file())]
    with (
        outputs.folder(out) as folder,
        record(verb="radiance insert", folder=folder, config=config, inputs=inputs) as run,
    ):
        scenes.carry(scene, folder, without=(scenes.MOTION,))
        inserting.place(found, read, folder)
        report = Report(
            title=f"radiance insert {mesh}",
            summary=found.summary,
            tables=(
                Table(
                    title="In the scene now",
                    columns=("name", "kind", "body"),
                    rows=tuple(inserting.contents(scenes.read(folder))),
                ),
            ),
            notes=tuple(found.problems),
        )
        html.write(report, folder)
        run.metric("parts", len(scenes.read(folder).names()), scale=f"scene {mesh}")
    return report

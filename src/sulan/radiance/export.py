"""`sulan radiance export`: a scene for other programs."""

from pathlib import Path
from typing import Literal

from sulan.reports.report import Report, Table


def export(
    scene: Path,
    *,
    out: Path,
    formats: tuple[Literal["mesh", "sdf", "usd", "gltf"], ...] = ("mesh", "sdf", "usd", "gltf"),
    resolution: int | None = None,
) -> Report:
    """Write a scene's field and meshes in formats that other programs open.

    Parameters
    ----------
    scene
        The scene.
    out
        Folder of the files; report.
    formats
        `mesh`: the field's surface with its colours (`field.glb`, `field.ply`). `sdf`: signed distances (`sdf.npz`:
        `distances` `[z, y, x]`, `low`, `high`). `usd`: the inserted meshes with their motion (`animation.usda`).
        `gltf`: the same (`animation.glb`). What the scene has nothing of is left out.
    resolution
        Nodes along the field's longest side for its surface. Default: the field's own.

    Returns
    -------
    Report
        Files with their sizes.

    Raises
    ------
    MissingFile
        The scene is not there.
    InputError
        It has nothing to export in these formats.
    """
    config = dict(locals())
    from sulan.errors import InputError
    from sulan.radiance import animation, exporting, meshes, motion, scenes
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    read = scenes.read(scene)
    if not formats:
        raise InputError("no format to export", hint="--formats mesh,sdf,usd,gltf")
    has_field = (scene / scenes.FIELD).is_file()
    if not has_field and not read.things:
        raise InputError(f"{scene} has neither a field nor a mesh to export")
    with (
        outputs.folder(out) as folder,
        record(verb="radiance export", folder=folder, config=config, inputs=[scene]) as run,
    ):
        if has_field and {"mesh", "sdf"} & set(formats):
            exporting.field(scene, folder, formats=formats, resolution=resolution)
        if read.things:
            loaded = {thing.name: meshes.load(scene / scenes.MESHES / thing.mesh)[0] for thing in read.things}
            moves = motion.load(scene / scenes.MOTION)
            rate = read.frames_per_second or 24.0
            if "usd" in formats:
                animation.write_usd(read, loaded, moves, folder / "animation.usda", rate=rate)
            if "gltf" in formats:
                animation.write_glb(read, loaded, moves, folder / "animation.glb", rate=rate)
        files = [path for path in sorted(folder.iterdir()) if path.name != outputs.RECORD]
        if not files:
            raise InputError(f"{scene} has nothing for {', '.join(formats)}")
        report = Report(
            title="radiance export",
            summary={"files": len(files), "meshes": len(read.things), "field": has_field},
            tables=(
                Table(
                    title="Files",
                    columns=("file", "bytes"),
                    rows=tuple((path.name, path.stat().st_size) for path in files),
                ),
            ),
        )
        html.write(report, folder)
        run.metric("files", len(files), scale=f"{len(read.things)} meshes")
    return report

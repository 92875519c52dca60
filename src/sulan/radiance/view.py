"""`sulan radiance view`: a scene in the browser."""

from pathlib import Path

from sulan.reports.report import Report


def view(
    scene: Path,
    *,
    port: int = 8080,
    host: str = "127.0.0.1",
    seconds: float | None = None,
) -> Report:
    """Show a scene in the browser: the field's surface, meshes in motion, lights, cameras (viser).

    Parameters
    ----------
    scene
        The scene.
    port
        Of the local server; 0: any that is free.
    host
        Address to listen at. Default: this machine alone.
    seconds
        End after so long. Default: on Ctrl-C.

    Returns
    -------
    Report
        What was shown.

    Raises
    ------
    MissingFile
        The scene is not there.
    InputError
        The scene has nothing to show, or the port is taken.
    """
    from sulan.errors import InputError
    from sulan.radiance import scenes, viewing

    read = scenes.read(scene)
    if seconds is not None and seconds < 0:
        raise InputError(f"seconds must not be negative, not {seconds}")
    shown = viewing.show(scene, read, port=port, host=host, seconds=seconds)
    return Report(
        title="radiance view",
        summary={
            "url": shown.url,
            "vertices of the field": shown.vertices,
            "meshes": len(read.things),
            "lights": len(read.lights or ()),
            "frames": shown.frames,
        },
    )

"""`sulan radiance capture`: HDR views of a scene, rendered by Mitsuba or merged from photographs."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sulan.reports.report import Report, Table

if TYPE_CHECKING:
    from sulan.radiance.rendered import Captured


def capture(
    source: str = "studio",
    *,
    out: Path,
    views: int = 56,
    width: int = 64,
    height: int = 64,
    samples: int = 128,
    bounces: int = 5,
    inserted: Path | None = None,
    cameras: Path | None = None,
    exposures: tuple[float, ...] = (),
    seed: int = 0,
    device: Literal["auto", "cpu", "cuda"] = "auto",
) -> Report:
    """Capture HDR views: of a scene that Mitsuba renders, or from bracketed photographs.

    Parameters
    ----------
    source
        A built-in scene (`studio`: a room with two lamps; `courtyard`: an even sky), a Mitsuba scene (`.xml`), or a
        folder of photographs, which are merged (see `exposures`).
    out
        Folder of the capture: `images/*.exr`, `transforms.json`, report. Written aside, renamed when whole.
    views
        How many views of a rendered scene. Default: what was measured to train well; the paper takes about 150
        photographs (page 14).
    width, height
        Pixels of a rendered view. Default: the size that trains in under a minute of CPU.
    samples
        Paths a pixel of a rendered view.
    bounces
        Scatterings along a path of a rendered view.
    inserted
        A scene whose meshes are put into the rendered one, moved as its frames say: the true picture of an
        insertion, with their shadows and reflections. The views are on an arc before them; `render` takes this
        capture for its camera path.
    cameras
        Take the views of this file (transforms.json or a camera path) instead of `views`.
    exposures
        Exposure times in seconds of one bracket, in the order of the photographs' names, e.g. `0.004,0.03,0.25`. The
        paper's are 1/4000 to 1/4 s in 7 steps (official notebook).
    seed
        Of the paths.
    device
        Where Mitsuba renders: `cuda`, `cpu`, or whichever is there.

    Returns
    -------
    Report
        Views, their size, the brightest radiance, a contact sheet.

    Raises
    ------
    InputError
        No such scene; photographs of different sizes, or not a whole number of brackets.
    MissingFile
        The photographs, cameras or inserted scene are not there.
    """
    config = dict(locals())
    from sulan.errors import InputError, MissingFile
    from sulan.radiance import photographs, pictures, rendered, studio
    from sulan.reports import html
    from sulan.runs import outputs
    from sulan.runs.record import record

    folder_of_photographs = Path(source).is_dir()
    for number, what in ((views, "views"), (width, "width"), (height, "height"), (samples, "samples")):
        if number < 1:
            raise InputError(f"{what} must be at least 1, not {number}")
    if not folder_of_photographs and source not in studio.NAMES and not Path(source).is_file():
        raise MissingFile(
            f"no scene at {source}",
            hint=f"{', '.join(studio.NAMES)}, a Mitsuba .xml, or a folder of photographs",
        )
    read = [path for path in (inserted, cameras) if path is not None]
    if folder_of_photographs or Path(source).is_file():
        read.append(Path(source))
    for path in read:
        if not path.exists():
            raise MissingFile(f"nothing at {path}")
    with (
        outputs.folder(out) as folder,
        record(verb="radiance capture", folder=folder, config=config, seed=seed, inputs=read) as run,
    ):
        if folder_of_photographs:
            made = photographs.merge(Path(source), folder, exposures=exposures)
        else:
            made = rendered.render(
                source,
                folder,
                views=views,
                size=(width, height),
                samples=samples,
                bounces=bounces,
                inserted=inserted,
                cameras=cameras,
                seed=seed,
                device=device,
            )
        report = _report(made, sheet=pictures.sheet([image for _, image in made.shown]))
        html.write(report, folder)
        scale = f"{made.views} views, {made.width}x{made.height}"
        run.metric("views", made.views, scale=scale)
        run.metric("radiance.maximum", made.brightest, scale=scale)
    return report


def _report(made: "Captured", *, sheet: bytes) -> Report:
    notes = list(made.notes)
    if made.brightest <= 1 and not made.inserted:
        notes.append(
            "No value is above 1: these images are not HDR, so lamps are only as bright as white paper."
        )
    return Report(
        title=f"radiance capture {made.source}",
        summary={
            "views": made.views,
            "width": made.width,
            "height": made.height,
            "brightest": round(made.brightest, 4),
            "mean": round(made.mean, 4),
        },
        tables=(
            Table(
                title="Views",
                columns=("view", "brightest", "mean"),
                rows=tuple(
                    (name, round(float(i.max()), 3), round(float(i.mean()), 4)) for name, i in made.shown
                ),
            ),
        ),
        notes=tuple(notes),
        pictures={"Views, sRGB": sheet},
    )

"""A capture from photographs: brackets are aligned and merged one after the other, cameras are taken along."""

from pathlib import Path

import numpy
from numpy.typing import NDArray

from sulan.errors import BrokenArtefact, InputError, MissingExtra, MissingFile
from sulan.radiance import brackets, cameras, images
from sulan.radiance.rendered import Captured
from sulan.runs import outputs
from sulan.runs.progress import progress

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def merge(source: Path, folder: Path, *, exposures: tuple[float, ...]) -> Captured:
    """Merge a folder of photographs into a capture's folder; see `sulan radiance capture`.

    Raises
    ------
    InputError
        No exposures, photographs of different sizes, or a number of them that is no multiple of the exposures.
    """
    paths = sorted(path for path in source.iterdir() if path.suffix.lower() in SUFFIXES)
    if not paths:
        raise MissingFile(f"no photographs in {source}", hint=", ".join(SUFFIXES))
    if len(exposures) < 2 or min(exposures) <= 0:
        raise InputError(
            "merging needs the exposure times of one bracket", hint="--exposures 0.00025,0.0008,0.0025,0.008"
        )
    if len(paths) % len(exposures):
        raise InputError(f"{len(paths)} photographs are no whole number of brackets of {len(exposures)}")
    groups = [paths[start : start + len(exposures)] for start in range(0, len(paths), len(exposures))]
    curve: NDArray[numpy.float64] | None = None
    shown, total, brightest, largest = [], 0.0, 0.0, 0
    size = (0, 0)
    for number, group in enumerate(progress(groups, label="merge")):
        photographs = [_read(path) for path in group]
        shapes = {photograph.shape for photograph in photographs}
        if len(shapes) != 1:
            raise InputError(f"the photographs from {group[0].name} on have different sizes")
        aligned, shifts = brackets.aligned(photographs)
        largest = max(largest, *(abs(value) for shift in shifts for value in shift))
        if curve is None:  # one camera, one response: estimated from the first bracket, as the paper does
            curve = brackets.response(aligned, exposures)
        image = brackets.merge(aligned, exposures, curve)
        name = f"images/{group[0].stem}"
        (folder / "images").mkdir(exist_ok=True)
        images.write_exr(folder / f"{name}.exr", {"": image})
        _for_matching(image, folder / "matching" / f"{group[0].stem}.png")
        total, brightest, size = (
            total + float(image.mean()),
            max(brightest, float(image.max())),
            image.shape[:2],
        )
        if number < 24:
            shown.append((name, image / float(numpy.percentile(image, 95))))
    notes = [f"The largest shift between exposures was {largest} pixels."]
    try:
        known = cameras.read(source)
    except MissingFile:
        notes.append("No cameras were found: run COLMAP on matching/ and put its sparse/0 beside images/.")
    else:
        cameras.write(known, folder / cameras.TRANSFORMS)
    return Captured(
        source=source.name,
        views=len(groups),
        width=size[1],
        height=size[0],
        brightest=brightest,
        mean=total / len(groups),
        shown=shown,
        notes=tuple(notes),
    )


def _for_matching(image: NDArray[numpy.float32], path: Path) -> None:
    """Write a view as COLMAP matches it best: logarithmic, so that dark and bright parts both have features."""
    logarithm = numpy.log1p(image / max(float(image.mean()), 1e-9))
    outputs.write_bytes(path, images.png(images.from_srgb(logarithm / max(float(logarithm.max()), 1e-9))))


def _read(path: Path) -> NDArray[numpy.uint8]:
    try:
        import PIL.Image
    except ImportError as error:
        raise MissingExtra("pillow", extra="radiance") from error
    try:
        with PIL.Image.open(path) as opened:
            if opened.width * opened.height > images.LARGEST_PIXELS:
                raise InputError(f"{path} states {opened.width} x {opened.height} pixels")
            return numpy.asarray(opened.convert("RGB"))
    except (OSError, SyntaxError, PIL.Image.DecompressionBombError) as error:
        raise BrokenArtefact(f"{path} cannot be decoded: {error}") from error

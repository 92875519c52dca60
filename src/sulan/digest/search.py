"""Full-text search of a site: pagefind's extended build, which cuts Chinese into words, run as a program.

The program comes from the PyPI package `pagefind_bin_extended` (extra `search`) and is found without
importing it. The index is static files beside the pages; the reader's browser does the searching.

The index is cut into bundles, one per quarter of a year, which the browser merges: pagefind holds all that it
indexes in memory, and a new day costs its quarter and not the archive.
"""

import importlib.util
import logging
import subprocess
from pathlib import Path

from sulan.errors import BackendError, MissingExtra

PACKAGE = "pagefind_bin_extended"
FOLDER = "pagefind"
TIMEOUT = 1800
"""Seconds after which indexing a bundle is given up; a quarter of 30 papers a day takes seconds."""

_UNUSED = ("pagefind-ui.*", "pagefind-modular-ui.*", "pagefind-component-ui.*", "pagefind-highlight.js")

_log = logging.getLogger(__name__)


def program() -> Path:
    """Return where pagefind's program is.

    Raises
    ------
    MissingExtra
        The package is not installed.
    """
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtra(PACKAGE, extra="search")
    folder = Path(spec.origin).parent
    for name in ("pagefind_extended", "pagefind_extended.exe"):
        if (folder / name).is_file():
            return folder / name
    raise MissingExtra(PACKAGE, extra="search")


def bundle(day: str) -> str:
    """Return the name of the bundle that a day belongs to.

    Examples
    --------
    >>> bundle("2023-09-12")
    '2023-q3'
    """
    return f"{day[:4]}-q{(int(day[5:7]) + 2) // 3}"


def index(site: Path, name: str, *, language: str) -> None:
    """Write one bundle of a site's search index into `pagefind/NAME`.

    Parameters
    ----------
    site
        The site's folder, its pages written.
    name
        What `bundle` gave for the days it holds.
    language
        Language of the index: `zh` cuts Chinese into words and finds English words as they stand.

    Raises
    ------
    MissingExtra
        pagefind is not installed.
    BackendError
        It ended with an error, or found nothing to index.
    """
    year, _, quarter = name.partition("-q")
    months = ",".join(f"{month:02d}" for month in range(3 * int(quarter) - 2, 3 * int(quarter) + 1))
    target = f"{FOLDER}/{name}"
    command = [str(program()), "--site", str(site), "--output-subdir", target]
    command += ["--glob", f"{year}-{{{months}}}-*/index.html"]
    command += ["--force-language", language, "--keep-index-url", "--quiet"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"pagefind did not run: {error}") from error
    if done.returncode != 0 or not (site / target / "pagefind.js").is_file():
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise BackendError(f"pagefind failed with exit code {done.returncode}: {lines[-1][:200]}")
    _log.debug("pagefind: %s", done.stdout.strip())
    for pattern in _UNUSED:  # its ready-made interfaces; ours is templates/search.js
        for path in (site / target).glob(pattern):
            path.unlink()

"""Full-text search of a site: pagefind's extended build, which cuts Chinese into words, run as a program.

The program comes from the PyPI package `pagefind_bin_extended` (extra `search`) and is found without importing
it. The index is static files beside the pages; the reader's browser does the searching.
"""

import importlib.util
import logging
import subprocess
from pathlib import Path

from sulan.errors import BackendError, MissingExtra

PACKAGE = "pagefind_bin_extended"
FOLDER = "pagefind"
TIMEOUT = 1800
"""Seconds after which indexing is given up; 1,000 days of 30 papers take a small part of it."""

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


def index(site: Path, *, language: str, pages: str) -> None:
    """Write the search index of a site into its folder `pagefind`.

    Parameters
    ----------
    site
        The site's folder, its pages written.
    language
        Language of the one index: `zh` cuts Chinese into words and finds English words as they stand.
    pages
        Glob, below `site`, of the pages that are searched.

    Raises
    ------
    MissingExtra
        pagefind is not installed.
    BackendError
        It ended with an error, or found nothing to index.
    """
    command = [str(program()), "--site", str(site), "--output-subdir", FOLDER, "--glob", pages]
    command += ["--force-language", language, "--keep-index-url", "--quiet"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"pagefind did not run: {error}") from error
    if done.returncode != 0 or not (site / FOLDER / "pagefind.js").is_file():
        lines = (done.stderr or done.stdout).strip().splitlines() or ["no message"]
        raise BackendError(f"pagefind failed with exit code {done.returncode}: {lines[-1][:200]}")
    _log.debug("pagefind: %s", done.stdout.strip())
    for pattern in _UNUSED:  # its ready-made interfaces; ours is templates/search.js
        for path in (site / FOLDER).glob(pattern):
            path.unlink()

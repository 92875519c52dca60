"""The sample that comes with Sulan: a few hundred short pages that were written for it, in eight languages."""

from pathlib import Path

SAMPLE = "sample"


def located(path: Path) -> Path:
    """Return where an input is: `sample` is the folder beside this file, unless the user has one of that name."""
    return Path(__file__).with_name(SAMPLE) if str(path) == SAMPLE and not path.exists() else path

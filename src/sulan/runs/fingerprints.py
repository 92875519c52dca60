"""Fingerprints: what a file or a folder holds, as one SHA-256 in hexadecimal."""

import hashlib
from pathlib import Path

from sulan.errors import MissingFile


def file(path: Path) -> str:
    """Return the SHA-256 of a file's bytes.

    Raises
    ------
    MissingFile
        There is no such file.
    """
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise MissingFile(f"no file at {path}") from error


def files(folder: Path, *, skip: frozenset[str] = frozenset()) -> dict[str, str]:
    """Return the fingerprint of every file below `folder` by its relative path, sorted.

    Parameters
    ----------
    folder
        An existing folder.
    skip
        Relative paths that are left out, such as `run.json`.
    """
    paths = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}
    return {name: file(paths[name]) for name in sorted(paths) if name not in skip}


def path(path: Path) -> str:
    """Return the fingerprint of a file, or of a folder: the SHA-256 over its names and fingerprints.

    A folder's `run.json` is left out: it tells when the artefact was made, not what it is.
    """
    if not path.is_dir():
        return file(path)
    lines = (f"{digest}  {name}\n" for name, digest in files(path, skip=frozenset({"run.json"})).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()

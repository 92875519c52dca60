"""Which model made the columns of a corpus: `scores.json` beside its parts.

Scores of two models are not comparable, nor are those of one model in two precisions; so what made a column is
written down, and columns of one prefix come from one model, in one way.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sulan.errors import BrokenArtefact, InputError
from sulan.prune.columns import N_BYTES, N_TOKENS, SUM_NLL
from sulan.prune.scorers import Provenance
from sulan.runs import outputs

FILE = "scores.json"

SHARED = (SUM_NLL, N_TOKENS, N_BYTES)


def read(corpus: Path) -> dict[str, Any]:
    """Return what made the columns of a corpus, by prefix; empty where nothing was scored.

    Raises
    ------
    BrokenArtefact
        The file is damaged.
    """
    path = corpus / FILE
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text())
    except ValueError as error:
        raise BrokenArtefact(f"{path} is damaged: {error}") from error
    if not isinstance(found, dict):
        raise BrokenArtefact(f"{path} does not say what made the columns")
    return found


def write(found: Mapping[str, Any], folder: Path) -> None:
    """Write what made the columns of a corpus beside its parts."""
    if found:
        outputs.write_text(folder / FILE, json.dumps(found, indent=1, sort_keys=True) + "\n")


def added(
    corpus: Path,
    *,
    prefix: str,
    provenance: Provenance,
    window: int,
    present: list[str],
    new: list[str],
) -> dict[str, Any]:
    """Return what made the columns of a corpus once new ones are added.

    Raises
    ------
    InputError
        A column exists already, or those of this prefix were made in another way.
    """
    known = read(corpus)
    made = {**asdict(provenance), "window": window}
    hint = "give the new columns another prefix: --prefix early_"
    before = known.get(prefix, {})
    different = [name for name in made if before and name != "model" and before.get(name) != made[name]]
    if different:
        raise InputError(
            f"the scores with the prefix {prefix!r} in {corpus} are of another {different[0].replace('_', ' ')}: "
            f"{before.get(different[0])!r}, now {made[different[0]]!r}",
            hint=hint,
        )
    for name in new:
        if name in present:
            raise InputError(f"{corpus} already has a column {name}", hint=hint)
    return {**known, prefix: made}

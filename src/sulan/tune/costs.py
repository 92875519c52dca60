"""What a rationale of a model that runs here cost when it was written, kept for comparisons that find it in the cache.

Not covered: chat models, whose cost is in the ledger.
"""

import hashlib
import json
from pathlib import Path

from sulan.runs import folders, outputs


def keep(identity: str, words: str, seconds: float) -> None:
    """Keep the CPU seconds that one rationale took, unless they are known: a few missing ones say less than all."""
    path = _path(identity, words)
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        outputs.write_text(path, json.dumps(seconds))


def seconds(identity: str, words: str) -> float:
    """Return the CPU seconds that one rationale took; NaN where they are not known."""
    path = _path(identity, words)
    try:
        return float(json.loads(path.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return float("nan")


def _path(identity: str, words: str) -> Path:
    name = hashlib.sha256(f"{identity} {words}".encode()).hexdigest()
    return folders.cache() / "tune" / f"{name}.cost.json"

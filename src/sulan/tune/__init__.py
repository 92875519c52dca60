"""Let a large frozen model reason and a small tuned model answer (FIAT).

Paper: FIAT: Fusing learning paradigms with Instruction-Accelerated Tuning, arXiv 2309.04663.

Example::

    sulan tune fetch --out descriptions
    sulan tune reason descriptions --teacher gemma --out rationales
    sulan tune fit descriptions --student smollm2 --rationales rationales --out tuned
    sulan tune predict tuned --data more.jsonl --out predictions
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.tune.compare import compare
    from sulan.tune.export import export
    from sulan.tune.fetch import fetch
    from sulan.tune.fit import fit
    from sulan.tune.predict import predict
    from sulan.tune.reason import reason

__all__ = ["compare", "export", "fetch", "fit", "predict", "reason"]

room(__name__)

"""Score a corpus with a small language model and keep the part worth training on.

Paper: When Less is More: Investigating Data Pruning for Pretraining LLMs at Scale, arXiv 2309.04564.

Example::

    sulan prune score python --model smollm2 --out scored
    sulan prune keep scored --metric perplexity --fraction 0.5 --side middle --by source --out kept
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.prune.compare import compare
    from sulan.prune.inspect import inspect
    from sulan.prune.keep import keep
    from sulan.prune.reference import reference
    from sulan.prune.score import score

__all__ = ["compare", "inspect", "keep", "reference", "score"]

room(__name__)

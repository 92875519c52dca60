"""Neurons of a language model: dead ones, detectors of tokens and n-grams, and those that mark positions.

Neurons in Large Language Models: Dead, N-gram, Positional, arXiv 2309.04827.

Example::

    sulan neurons plant --out planted
    sulan neurons scan planted/model --data planted/corpus --out counters
    sulan neurons classify counters --out classes
    sulan neurons report classes --out page
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.neurons.ablate import ablate
    from sulan.neurons.classify import classify
    from sulan.neurons.compare import compare
    from sulan.neurons.merge import merge
    from sulan.neurons.plant import plant
    from sulan.neurons.prune import prune
    from sulan.neurons.report import report
    from sulan.neurons.scan import scan
    from sulan.neurons.show import show
    from sulan.neurons.train import train

__all__ = ["ablate", "classify", "compare", "merge", "plant", "prune", "report", "scan", "show", "train"]

room(__name__)

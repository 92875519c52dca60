"""Quantise a language model's weights with signed gradient descent (SignRound).

Paper: Optimize Weight Rounding via Signed Gradient Descent for the Quantization of LLMs, arXiv 2309.05516.

Example::

    sulan quantize run smollm2 --bits 4 --calibration python --recipe light --out quantised
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.quantize.export import export
    from sulan.quantize.measure import measure
    from sulan.quantize.run import run

__all__ = ["export", "measure", "run"]

room(__name__)

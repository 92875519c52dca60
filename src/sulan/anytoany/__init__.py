"""Text, image, audio and video in and out of one language model (NExT-GPT).

Paper: NExT-GPT: Any-to-Any Multimodal LLM, arXiv 2309.05519.

Example::

    sulan anytoany world --out world
    sulan anytoany validate world
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.anytoany.convert import convert
    from sulan.anytoany.evaluate import evaluate
    from sulan.anytoany.validate import validate
    from sulan.anytoany.world import world

__all__ = ["convert", "evaluate", "validate", "world"]

room(__name__)

"""Text, image, audio and video in and out of one language model (NExT-GPT).

Paper: NExT-GPT: Any-to-Any Multimodal LLM, arXiv 2309.05519.

Example::

    sulan anytoany world --out world
    sulan anytoany validate world
    sulan anytoany train world --out system
    sulan anytoany chat system
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.anytoany.chat import chat
    from sulan.anytoany.convert import convert
    from sulan.anytoany.evaluate import evaluate
    from sulan.anytoany.generate import generate
    from sulan.anytoany.serve import serve
    from sulan.anytoany.train import train
    from sulan.anytoany.validate import validate
    from sulan.anytoany.web import web
    from sulan.anytoany.world import world

__all__ = ["chat", "convert", "evaluate", "generate", "serve", "train", "validate", "web", "world"]

room(__name__)

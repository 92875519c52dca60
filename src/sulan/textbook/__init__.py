"""Write textbooks and pretrain a small model on them (phi-1.5).

Paper: Textbooks Are All You Need II: phi-1.5 technical report, arXiv 2309.05463.

Example::

    sulan textbook plan --count 1000 --out plan
    sulan textbook synthesize plan --out textbooks
    sulan textbook pretrain textbooks --preset phi-5m --out model
    sulan textbook evaluate model --trained-on textbooks --out evaluated
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.textbook.ablate import ablate
    from sulan.textbook.evaluate import evaluate
    from sulan.textbook.plan import plan
    from sulan.textbook.pretrain import pretrain
    from sulan.textbook.refine import refine
    from sulan.textbook.synthesize import synthesize

__all__ = ["ablate", "evaluate", "plan", "pretrain", "refine", "synthesize"]

room(__name__)

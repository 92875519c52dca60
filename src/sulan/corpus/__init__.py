"""Build and audit a many-language corpus from web pages (MADLAD-400).

Paper: MADLAD-400: A Multilingual And Document-Level Large Audited Dataset, arXiv 2309.04662.

Example::

    sulan corpus extract crawl.warc.gz --out extracted
    sulan corpus identify extracted --out identified
    sulan corpus filter identified --out filtered
    sulan corpus deduplicate filtered --out corpus
"""

from typing import TYPE_CHECKING

from sulan.papers.room import room

if TYPE_CHECKING:
    from sulan.corpus.audit_apply import audit_apply
    from sulan.corpus.audit_label import audit_label
    from sulan.corpus.audit_report import audit_report
    from sulan.corpus.audit_sample import audit_sample
    from sulan.corpus.build import build
    from sulan.corpus.deduplicate import deduplicate
    from sulan.corpus.extract import extract
    from sulan.corpus.filter import filter
    from sulan.corpus.identify import identify
    from sulan.corpus.stats import stats
    from sulan.corpus.train_identifier import train_identifier
    from sulan.corpus.translate import translate
    from sulan.corpus.translate_score import translate_score
    from sulan.corpus.translate_train import translate_train

__all__ = [
    "audit_apply",
    "audit_label",
    "audit_report",
    "audit_sample",
    "build",
    "deduplicate",
    "extract",
    "filter",
    "identify",
    "stats",
    "train_identifier",
    "translate",
    "translate_score",
    "translate_train",
]

room(__name__)

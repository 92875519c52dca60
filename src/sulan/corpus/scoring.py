"""Scores of translations by sacreBLEU, and what a difference is worth: paired bootstrap over sentences."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from sacrebleu.metrics import BLEU, CHRF

from sulan.corpus.baselines import Memory, by_words, dictionary
from sulan.corpus.pairs import Pair
from sulan.corpus.translator import Translator
from sulan.runs import seeds


@dataclass(frozen=True, kw_only=True)
class Score:
    """Corpus scores of one system; `statistics` are chrF's counts, int64[sentences, counts]."""

    chrf: float
    bleu: float
    statistics: np.ndarray


@dataclass(frozen=True, kw_only=True)
class Ahead:
    """Difference in chrF2, its 95 % interval and two-sided p, as `evaluation.significance` has them."""

    difference: float
    low: float
    high: float
    p: float


def by_direction(pairs: Sequence[Pair], *, limit: int, seed: int) -> dict[str, list[Pair]]:
    """Return the pairs of each direction, at most `limit`, drawn by (seed, id)."""
    found: dict[str, list[Pair]] = {}
    for pair in sorted(pairs, key=lambda pair: (seeds.key(seed, pair.id), pair.text)):
        own = found.setdefault(pair.direction, [])
        if len(own) < limit:
            own.append(pair)
    return dict(sorted(found.items()))


def outputs(
    pairs: Sequence[Pair],
    learned: Sequence[tuple[str, str]],
    systems: Mapping[str, Translator],
    *,
    beams: int,
) -> dict[str, list[str]]:
    """Return what each system makes of the pairs' sources."""
    sources = [pair.text for pair in pairs]
    target = pairs[0].target_lang
    words, memory = dictionary(learned), Memory(learned)
    return {
        **{name: system.translate(sources, target, beams=beams) for name, system in systems.items()},
        "copy": sources,
        "dictionary": [by_words(source, words) for source in sources],
        "memory": [memory.nearest(source) for source in sources],
    }


def score(found: Sequence[str], references: Sequence[str]) -> Score:
    """Return the scores of a system's outputs."""
    chrf, bleu = _metrics()
    return Score(
        chrf=round(chrf.corpus_score(found, [references]).score, 2),
        bleu=round(bleu.corpus_score(found, [references]).score, 2),
        # The counts that sacreBLEU itself sums over sentences; its own bootstrap resamples the same.
        statistics=np.array(chrf._extract_corpus_statistics(found, [references]), np.int64),
    )


def compare(first: Score, second: Score, *, resamples: int, seed: int) -> Ahead:
    """Return how far the first system is ahead of the second on the same sentences.

    Resampled are sentences, scored are their summed counts: chrF of a corpus is no mean over its sentences, which
    is what `evaluation.significance.paired_bootstrap` resamples.
    """
    chrf, _ = _metrics()
    count = len(first.statistics)
    draw = seeds.generator(seed, "paired bootstrap")
    found = np.empty(resamples)
    for number in range(resamples):
        weights = np.bincount(draw.integers(count, size=count), minlength=count)
        one, two = weights @ first.statistics, weights @ second.statistics
        found[number] = chrf._compute_f_score(one.tolist()) - chrf._compute_f_score(two.tolist())
    low, high = np.percentile(found, [2.5, 97.5])
    tail = min(int((found <= 0).sum()), int((found >= 0).sum()))
    return Ahead(
        difference=round(first.chrf - second.chrf, 2),
        low=round(float(low), 2),
        high=round(float(high), 2),
        p=round(min(1.0, 2 * (tail + 1) / (resamples + 1)), 4),
    )


def signatures() -> dict[str, str]:
    """Return sacreBLEU's signatures."""
    chrf, bleu = _metrics()
    return {"chrF2": str(chrf.get_signature()), "BLEU": str(bleu.get_signature())}


@cache
def _metrics() -> tuple[Any, Any]:
    metrics = CHRF(), BLEU(effective_order=True)
    for metric in metrics:
        metric.corpus_score(["a"], [["a"]])  # a signature knows the number of references only after a score
    return metrics

"""The n-gram estimator against a plain recursion over the definition, and KenLM's reading of it."""

import math
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
import pytest

from sulan.errors import BrokenArtefact
from sulan.prune import kneser_ney, ngram

kenlm = pytest.importorskip("kenlm", reason="kenlm is not installed (extra `prune`)")

VOCABULARY = 12


def documents() -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.zipf(1.4, size=n).clip(1, VOCABULARY - 1) - 1 for n in (60, 1, 0, 90, 200)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> ngram.NgramModel:
    path = tmp_path_factory.mktemp("ngram") / "model.arpa"
    path.write_text("".join(kneser_ney.estimate(documents(), order=3, vocabulary=VOCABULARY)))
    return ngram.load(path)


class Definition:
    """Interpolated modified Kneser-Ney, straight from its formulas, on words."""

    def __init__(self, order: int) -> None:
        self._order = order
        sentences = [["<s>", *map(str, d.tolist()), "</s>"] for d in documents()]
        raw: dict[int, Counter[tuple[str, ...]]] = {
            n: Counter(tuple(s[i : i + n]) for s in sentences for i in range(len(s) - n + 1))
            for n in range(1, order + 1)
        }
        self._adjusted: dict[int, dict[tuple[str, ...], int]] = {}
        for n in range(1, order + 1):
            if n == order:
                self._adjusted[n] = dict(raw[n])
                continue
            before = defaultdict(set)
            for gram in raw[n + 1]:
                before[gram[1:]].add(gram[0])
            self._adjusted[n] = {
                gram: count if gram[0] == "<s>" and n > 1 else len(before[gram])
                for gram, count in raw[n].items()
            }
        self._discounts = {n: self._estimate(n) for n in self._adjusted}

    def _estimate(self, n: int) -> list[float]:
        have = Counter(self._adjusted[n].values())
        if not all(have[k] for k in (1, 2, 3, 4)):
            return [0, 0.5, 1.0, 1.5]
        y = have[1] / (have[1] + 2 * have[2])
        found = [0, *(k - (k + 1) * y * have[k + 1] / have[k] for k in (1, 2, 3))]
        return found if all(0 < d < k for k, d in enumerate(found) if k) else [0, 0.5, 1.0, 1.5]

    def probability(self, word: str, context: tuple[str, ...]) -> float:
        n = len(context) + 1
        following = {g: a for g, a in self._adjusted[n].items() if g[:-1] == context}
        total = sum(following.values())
        taken = [self._discounts[n][min(a, 3)] for a in following.values()]
        lower = self.probability(word, context[1:]) if context else 1 / (VOCABULARY + 2)
        if context and not total:
            return lower
        if not context:
            taken = [self._discounts[1][min(a, 3)] for a in following.values()]
        a = following.get((*context, word), 0)
        return (a - self._discounts[n][min(a, 3)]) / total + sum(taken) / total * lower


def test_every_probability_is_what_the_definition_says(model: ngram.NgramModel) -> None:
    definition = Definition(3)
    words = ["<s>", *(str(t) for t in documents()[3][:40])]
    found = model.nll(documents()[3][:40])
    for place in range(1, len(words)):
        context = tuple(words[max(0, place - 2) : place])
        assert math.exp(-found[place - 1]) == pytest.approx(
            definition.probability(words[place], context), rel=1e-4
        )


def test_the_words_after_any_context_sum_to_one(model: ngram.NgramModel) -> None:
    for context in ([], [3], [0, 0], [11, 10], [7, 0]):
        total = 0.0
        for word in range(VOCABULARY):
            total += math.exp(-float(model.nll(np.array([*context, word]))[-1]))
        words = " ".join(map(str, context))
        *_, (end, _, _) = model._model.full_scores(words, bos=True, eos=True)
        state, unknown = kenlm.State(), kenlm.State()
        model._model.BeginSentenceWrite(state)
        for word in context:
            after = kenlm.State()
            model._model.BaseScore(state, str(word), after)
            state = after
        total += 10**end + 10 ** model._model.BaseScore(state, "<unk>", unknown)
        assert total == pytest.approx(1, abs=1e-5)


def test_a_file_that_is_no_model_costs_one_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.arpa"
    path.write_text("\\data\\\nngram 1=oops\n")
    with pytest.raises(BrokenArtefact, match="KenLM cannot read"):
        ngram.load(path)


def test_text_without_a_tokenizer_is_words_between_spaces(model: ngram.NgramModel) -> None:
    words = model.tokens("3  0\n1")
    assert words.tolist() == ["3", "0", "1"]
    assert model.nll(words).tolist() == model.nll(np.array([3, 0, 1])).tolist()

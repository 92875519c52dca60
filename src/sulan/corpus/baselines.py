"""What a translation model must beat: copying, a dictionary word by word, the nearest translation in memory.

The dictionary is IBM's model 1 (Brown et al. 1993), trained by expectation maximisation::

    t(f | e)  proportional to  sum over pairs of  t(f | e) / sum over e' of t(f | e')
"""

from collections import defaultdict
from collections.abc import Sequence

ROUNDS = 5


def dictionary(pairs: Sequence[tuple[str, str]], *, rounds: int = ROUNDS) -> dict[str, str]:
    """Return the most probable target word of every source word.

    Examples
    --------
    >>> pairs = [("the house", "la casa"), ("the book", "el libro"), ("a book", "un libro"), ("a house", "una casa")]
    >>> found = dictionary(pairs)
    >>> found["house"], found["book"]
    ('casa', 'libro')
    """
    lines = [(source.lower().split(), target.lower().split()) for source, target in pairs]
    likely: dict[str, dict[str, float]] = defaultdict(dict)
    for source, target in lines:
        for word in source:
            for other in target:
                likely[word][other] = 1.0
    for _ in range(rounds):
        counts: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        for source, target in lines:
            for other in target:
                total = sum(likely[word][other] for word in source)
                for word in source:
                    counts[word][other] += likely[word][other] / total
        likely = {}
        for word, found in counts.items():
            total = sum(found.values())
            likely[word] = {other: count / total for other, count in found.items()}
    return {
        word: max(found.items(), key=lambda each: (each[1], each[0]))[0] for word, found in likely.items()
    }


def by_words(text: str, words: dict[str, str]) -> str:
    """Return a text with every word replaced that the dictionary has."""
    return " ".join(words.get(word.lower(), word) for word in text.split())


class Memory:
    """The translation of the sentence in memory that shares the most words, weighted by how rare they are."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = list(pairs)
        self._index: dict[str, list[int]] = defaultdict(list)
        for number, (source, _) in enumerate(self._pairs):
            for word in set(source.lower().split()):
                self._index[word].append(number)

    def nearest(self, text: str) -> str:
        """Return that translation; empty where no word is known.

        Examples
        --------
        >>> Memory([("a cat sleeps", "un gato duerme"), ("a dog barks", "un perro ladra")]).nearest("the dog barks")
        'un perro ladra'
        """
        votes: dict[int, float] = defaultdict(float)
        for word in set(text.lower().split()):
            places = self._index.get(word, [])
            for number in places:
                votes[number] += 1 / len(places)
        if not votes:
            return ""
        return self._pairs[max(votes.items(), key=lambda each: (each[1], -each[0]))[0]][1]

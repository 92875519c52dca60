"""N-gram decontamination: which documents of a corpus share wording with evaluation texts, and where.

The rule is that of GPT-3 (2005.14165, appendix C): n = 13 consecutive words, case and punctuation ignored. A
shared n-gram is evidence to look at and not a verdict, so every match names the evaluation text and shows the
passage; what to drop is the caller's decision. Each match is compared word by word. A match is missed only
where two n-grams of one evaluation text have the same 64-bit hash: odds below m**2 / 2**65 for m n-grams.

A text is put in lower case, in Unicode form NFKD, loses its nonspacing marks (accents) and everything but
letters, marks and digits, which separates words as white space does. Where script does not separate words
(Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character is a word: 13 of them are fewer real words than
in English, so more matches are chance. Not covered: paraphrases and translations.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy
import pyarrow as pa
import pyarrow.compute as pc

from sulan.documents import reader
from sulan.documents.schema import ID, TEXT
from sulan.errors import InputError

N = 13
"""Words of an n-gram (2005.14165, appendix C)."""

SHARED_BY = 10
"""An n-gram of more evaluation texts than this is a template ("choose the correct answer from the following
...") and no evidence for any of them. The number is this project's; it is reported how many were left out."""

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("evaluation_id", pa.string()),
        ("ngrams", pa.int32()),
        ("share", pa.float64()),
        ("passage", pa.large_string()),
    ]
)
"""A match: a document, an evaluation text, how many of that text's distinct n-grams the document has, what
share of them that is, and the longest passage of the document whose n-grams that text all has (as normalised
words): what to look at first."""

_ROWS = 1024  # normalising copies the texts of a batch several times
_NONSPACING = r"\p{Mn}+"
_UNSPACED = r"([\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])"
_SEPARATORS = r"[^\p{L}\p{N}\p{M}]+"
_MULTIPLIER = numpy.uint64(0x9E3779B97F4A7C15)  # odd: 2**64 divided by the golden ratio


def words(texts: pa.Array) -> pa.ListArray:
    """Return the normalised words of each text; null where it has none.

    Examples
    --------
    >>> words(pa.array(["The  State-of-the-Art, déjà vu!", "速览 v2"])).to_pylist()
    [['the', 'state', 'of', 'the', 'art', 'deja', 'vu'], ['速', '览', 'v2']]
    """
    plain = pc.utf8_normalize(pc.utf8_lower(texts.cast(pa.large_string())), form="NFKD")
    plain = pc.replace_substring_regex(plain, pattern=_NONSPACING, replacement="")
    plain = pc.replace_substring_regex(plain, pattern=_UNSPACED, replacement=r" \1 ")
    plain = pc.replace_substring_regex(plain, pattern=_SEPARATORS, replacement=" ")
    plain = pc.utf8_trim_whitespace(plain)
    return pc.utf8_split_whitespace(pc.if_else(pc.equal(plain, ""), None, plain))


@dataclass(frozen=True, kw_only=True, eq=False)
class Index:
    """The n-grams of evaluation texts, in memory: about 20 bytes an n-gram, and their vocabulary.

    Attributes
    ----------
    n
        Words of an n-gram.
    ids
        Ids of the evaluation texts.
    short
        Ids of those with fewer than `n` words: they cannot be found, and this says so.
    templates
        Distinct n-grams left out because more than `shared_by` texts have them.
    """

    n: int
    ids: tuple[str, ...]
    short: tuple[str, ...]
    templates: int
    _vocabulary: pa.Array
    _codes: numpy.ndarray  # words of all texts one after another, int32 (words,)
    _hashes: numpy.ndarray  # sorted, uint64 (n-grams,)
    _places: numpy.ndarray  # where in _codes the n-gram starts, int64 (n-grams,)
    _texts: numpy.ndarray  # which text it is of, int64 (n-grams,)
    _sizes: numpy.ndarray  # distinct n-grams of each text that are in the index, int64 (texts,)

    @classmethod
    def of(cls, evaluation: Iterable[tuple[str, str]], *, n: int = N, shared_by: int = SHARED_BY) -> "Index":
        """Index evaluation texts, given as (id, text).

        Raises
        ------
        InputError
            There is no text, or `n` or `shared_by` is not positive.
        """
        if n < 1 or shared_by < 1:
            raise InputError(f"n and shared_by must be at least 1: {n}, {shared_by}")
        pairs = list(evaluation)
        if not pairs:
            raise InputError("there are no evaluation texts to compare with")
        split = words(pa.array([text for _, text in pairs], pa.large_string()))
        encoded = pc.list_flatten(split).dictionary_encode()
        codes = encoded.indices.to_numpy().astype(numpy.int32)
        lengths = split.value_lengths().fill_null(0).to_numpy()
        starts, owners = _windows(codes, lengths, n)
        hashes = _hash(codes, starts, n)
        order = numpy.lexsort((starts, owners, hashes))
        hashes, starts, owners = hashes[order], starts[order], owners[order]
        if len(hashes):
            new = numpy.r_[True, (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])]
            hashes, starts, owners = hashes[new], starts[new], owners[new]  # each text has an n-gram once
        _, number, times = numpy.unique(hashes, return_inverse=True, return_counts=True)
        keep = times[number] <= shared_by
        return cls(
            n=n,
            ids=tuple(name for name, _ in pairs),
            short=tuple(name for (name, _), length in zip(pairs, lengths, strict=True) if length < n),
            templates=int(numpy.count_nonzero(times > shared_by)),
            _vocabulary=encoded.dictionary,
            _codes=codes,
            _hashes=hashes[keep],
            _places=starts[keep],
            _texts=owners[keep],
            _sizes=numpy.bincount(owners[keep], minlength=len(pairs)),
        )

    def matches(self, documents: pa.RecordBatch) -> pa.Table:
        """Return the matches of documents (columns `id` and `text`) in their order; see `SCHEMA`."""
        split = words(documents.column(TEXT))
        codes = pc.index_in(pc.list_flatten(split), value_set=self._vocabulary).fill_null(-1).to_numpy()
        starts, owners = _windows(codes, split.value_lengths().fill_null(0).to_numpy(), self.n)
        hashes = _hash(codes, starts, self.n)
        first = numpy.searchsorted(self._hashes, hashes, side="left")
        count = numpy.searchsorted(self._hashes, hashes, side="right") - first
        entry = numpy.repeat(first, count) + _steps(count)
        window = numpy.repeat(numpy.arange(len(starts)), count)
        same = numpy.ones(len(entry), dtype=bool)
        for step in range(self.n):
            same &= codes[starts[window] + step] == self._codes[self._places[entry] + step]
        return self._table(documents, codes, starts, owners, entry[same], window[same])

    def _table(
        self,
        documents: pa.RecordBatch,
        codes: numpy.ndarray,
        starts: numpy.ndarray,
        owners: numpy.ndarray,
        entry: numpy.ndarray,
        window: numpy.ndarray,
    ) -> pa.Table:
        document, text = owners[window], self._texts[entry]
        order = numpy.lexsort((starts[window], text, document))
        document, text, entry, place = document[order], text[order], entry[order], starts[window][order]
        pair = numpy.flatnonzero(numpy.r_[True, (numpy.diff(document) != 0) | (numpy.diff(text) != 0)])
        rows: dict[str, list] = {name: [] for name in SCHEMA.names}
        for begin, end in zip(pair, numpy.r_[pair[1:], len(place)], strict=True) if len(place) else ():
            found = len(numpy.unique(entry[begin:end]))
            start, stop = _longest(place[begin:end], self.n)
            passage = self._vocabulary.take(pa.array(codes[start:stop])).to_pylist()
            rows["id"].append(documents.column(ID)[int(document[begin])].as_py())
            rows["evaluation_id"].append(self.ids[text[begin]])
            rows["ngrams"].append(found)
            rows["share"].append(found / int(self._sizes[text[begin]]))
            rows["passage"].append(" ".join(passage))
        return pa.table(rows, schema=SCHEMA)


def overlap(
    corpus: Path,
    evaluation: Path | Iterable[tuple[str, str]],
    *,
    n: int = N,
    shared_by: int = SHARED_BY,
) -> Iterator[pa.Table]:
    """Yield the matches of a corpus, batch by batch; memory is the index and one batch.

    Parameters
    ----------
    corpus
        Corpus to look through.
    evaluation
        Evaluation texts: a corpus, or pairs of id and text.
    n
        Words of an n-gram. Default: 2005.14165, appendix C.
    shared_by
        An n-gram of more evaluation texts than this is left out; see `SHARED_BY`.
    """
    index = Index.of(
        _texts(evaluation) if isinstance(evaluation, Path) else evaluation, n=n, shared_by=shared_by
    )
    for batch in reader.batches(corpus, [ID, TEXT], rows=_ROWS):
        yield index.matches(batch)


def _texts(corpus: Path) -> Iterator[tuple[str, str]]:
    for batch in reader.batches(corpus, [ID, TEXT]):
        yield from zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True)


def _windows(codes: numpy.ndarray, lengths: numpy.ndarray, n: int) -> tuple[numpy.ndarray, numpy.ndarray]:
    """Return where n known words of one text stand in a row, and of which text.

    Parameters
    ----------
    codes
        Words of all texts one after another, shape (words,); -1 is a word that no evaluation text has.
    lengths
        Words of each text, shape (texts,).

    Examples
    --------
    >>> starts, owners = _windows(numpy.array([0, 1, 2, -1, 3, 4]), numpy.array([4, 2]), 2)
    >>> starts.tolist(), owners.tolist()
    ([0, 1, 4], [0, 0, 1])
    """
    if len(codes) < n:
        return numpy.empty(0, dtype=numpy.int64), numpy.empty(0, dtype=numpy.int64)
    owners = numpy.repeat(numpy.arange(len(lengths)), lengths)
    known = numpy.r_[0, numpy.cumsum(codes >= 0)]
    whole = (known[n:] - known[:-n] == n) & (owners[n - 1 :] == owners[: len(owners) - n + 1])
    starts = numpy.flatnonzero(whole)
    return starts, owners[starts]


def _hash(codes: numpy.ndarray, starts: numpy.ndarray, n: int) -> numpy.ndarray:
    """Return 64 bits of the n codes from each start on: a polynomial modulo 2**64, mixed at each step."""
    total = numpy.zeros(len(starts), dtype=numpy.uint64)
    for step in range(n):
        total = total * _MULTIPLIER + (codes[starts + step] + 1).astype(numpy.uint64)
        total ^= total >> numpy.uint64(29)
    return total


def _steps(count: numpy.ndarray) -> numpy.ndarray:
    """Return 0, 1, ..., c - 1 for each c, one after another.

    Examples
    --------
    >>> _steps(numpy.array([2, 0, 3])).tolist()
    [0, 1, 0, 1, 2]
    """
    ends = numpy.cumsum(count)
    return numpy.arange(ends[-1] if len(ends) else 0) - numpy.repeat(ends - count, count)


def _longest(places: numpy.ndarray, n: int) -> tuple[int, int]:
    """Return the first and last-but-one word of the longest run of windows that follow each other.

    Examples
    --------
    >>> _longest(numpy.array([3, 10, 11, 12]), 5)
    (10, 17)
    """
    breaks = numpy.r_[0, numpy.flatnonzero(numpy.diff(places) != 1) + 1, len(places)]
    run = int(numpy.argmax(numpy.diff(breaks)))
    return int(places[breaks[run]]), int(places[breaks[run + 1] - 1]) + n

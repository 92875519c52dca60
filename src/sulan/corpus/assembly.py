"""Texts put together again from the sentences that are kept."""

from dataclasses import dataclass

import numba
import numpy as np

from sulan.corpus.sentences import Sentences, Texts


@dataclass(frozen=True, kw_only=True)
class Assembled:
    """Texts of kept sentences only, and these sentences in them."""

    texts: Texts
    sentences: Sentences


def assemble(texts: Texts, found: Sentences, keep: np.ndarray, wording: Texts | None = None) -> Assembled:
    """Return each text from its kept sentences.

    What stood between two neighbours stays between them; where a sentence between them is gone, a line break or, on
    one line, a space. A text without kept sentences becomes empty.

    Parameters
    ----------
    texts, found
        Texts and their sentences.
    keep
        bool[sentences].
    wording
        What the sentences say now, where that was repaired; None: as in the texts.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from sulan.corpus.sentences import split
    >>> texts = Texts.of(pa.array(["One. Two! Three?\\nFour"]))
    >>> made = assemble(texts, split(texts), np.array([True, False, True, True]))
    >>> made.texts.array().to_pylist()
    ['One. Three?\\nFour']
    """
    if wording is None:
        said, begins, stops = texts.data, found.starts, found.ends
    else:
        said, begins, stops = wording.data, wording.offsets[:-1], wording.offsets[1:]
    kept = int(keep.sum())
    room = (
        int((stops - begins)[keep].sum()) + int((found.starts[1:] - found.ends[:-1]).clip(min=1).sum()) + kept
    )
    data = np.empty(max(room, 1), np.uint8)
    offsets = np.zeros(len(texts.offsets), np.int64)
    first = np.zeros(len(texts.offsets), np.int64)
    starts, ends = np.empty(kept, np.int64), np.empty(kept, np.int64)
    size = _assemble(
        texts.data,
        found.starts,
        found.ends,
        found.first,
        keep,
        said,
        begins,
        stops,
        data,
        offsets,
        starts,
        ends,
        first,
    )
    return Assembled(
        texts=Texts(data=data[:size], offsets=offsets),
        sentences=Sentences(starts=starts, ends=ends, first=first),
    )


@numba.njit(cache=True)
def _assemble(
    original, starts, ends, first, keep, said, begins, stops, data, offsets, new_starts, new_ends, new_first
):
    size = count = 0
    for text in range(len(first) - 1):
        offsets[text], new_first[text] = size, count
        before = -1
        for number in range(first[text], first[text + 1]):
            if not keep[number]:
                continue
            if before == number - 1 and before >= 0:
                for at in range(ends[before], starts[number]):
                    data[size] = original[at]
                    size += 1
            elif before >= 0:
                gap = np.uint8(32)
                for at in range(ends[before], starts[number]):
                    if original[at] == 10:
                        gap = np.uint8(10)
                        break
                data[size] = gap
                size += 1
            new_starts[count] = size
            for at in range(begins[number], stops[number]):
                data[size] = said[at]
                size += 1
            new_ends[count] = size
            count += 1
            before = number
    offsets[len(first) - 1], new_first[len(first) - 1] = size, count
    return size

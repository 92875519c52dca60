"""Sentences of many texts at once: where they begin and end, and what the rules count in them.

A sentence ends at a line's end, at a full stop of a script without spaces, and at `.`, `!` or `?` before a space unless
the next letter is small or the word before is a number or a single letter. Thai and Lao write neither full stops
nor spaces between words; there a space ends a sentence that is long enough. Not covered: abbreviations ("Dr. Smith").

Texts are the UTF-8 bytes of an Arrow column and its offsets, so nothing is copied and no Python runs per sentence.
"""

from dataclasses import dataclass

import numba
import numpy as np
import pyarrow as pa

from sulan.corpus.characters import (
    CLOSER,
    FULL_STOP,
    LETTERS_PER_WORD,
    LOWER,
    MARK,
    SCRIPTS,
    SIZE,
    SPACE,
    TERMINAL,
    UPPER,
    WORD,
    tables,
    unspaced,
    worth,
)

LONG_ENOUGH = 60
"""Letters after which a space ends a Thai or Lao sentence: half of what a Latin sentence has."""

_THAI, _LAO, _HAN = (SCRIPTS.index(name) for name in ("Thai", "Laoo", "Hani"))
_NEWLINE = 10


@dataclass(frozen=True, kw_only=True)
class Texts:
    """Texts as compiled loops take them: UTF-8 `data` uint8[bytes] and `offsets` int64[texts + 1]."""

    data: np.ndarray
    offsets: np.ndarray

    @classmethod
    def of(cls, array: pa.Array) -> "Texts":
        """Return the texts of an Arrow array without nulls; large strings are not copied."""
        array = array.cast(pa.large_string())
        _, offsets, data = array.buffers()
        found = np.frombuffer(offsets, np.int64)[array.offset : array.offset + len(array) + 1]
        return cls(data=np.frombuffer(data or b"", np.uint8), offsets=found)

    def array(self) -> pa.Array:
        """Return the texts as an Arrow array."""
        buffers = [None, pa.py_buffer(np.ascontiguousarray(self.offsets)), pa.py_buffer(self.data)]
        return pa.LargeStringArray.from_buffers(len(self.offsets) - 1, buffers[1], buffers[2])


@dataclass(frozen=True, kw_only=True)
class Sentences:
    """Sentences of texts.

    Attributes
    ----------
    starts, ends
        int64[sentences]: bytes in the texts' data; white space around a sentence is outside.
    first
        int64[texts + 1]: number of each text's first sentence.
    """

    starts: np.ndarray
    ends: np.ndarray
    first: np.ndarray

    def owner(self) -> np.ndarray:
        """Return the text of every sentence, int64[sentences]."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What is counted in every sentence; each int32[sentences].

    Attributes
    ----------
    characters
        Code points.
    worth
        Latin letters that they are worth (`characters.WORTH`); marks are worth nothing.
    tokens
        What stands between white space.
    words
        The same, but in scripts without spaces as many as the worth of their letters gives.
    capitals
        Tokens that begin with a capital.
    technical
        Characters of `[0-9{}+/()>]`.
    line
        Number of the line inside the text.
    """

    characters: np.ndarray
    worth: np.ndarray
    tokens: np.ndarray
    words: np.ndarray
    capitals: np.ndarray
    technical: np.ndarray
    line: np.ndarray


def split(texts: Texts) -> Sentences:
    """Return the sentences of texts.

    Examples
    --------
    >>> texts = Texts.of(pa.array(["One. Two is e.g. here!\\nThree", "", "一。二！"]))
    >>> found = split(texts)
    >>> [texts.data[a:b].tobytes().decode() for a, b in zip(found.starts, found.ends)]
    ['One.', 'Two is e.g. here!', 'Three', '一。', '二！']
    >>> found.first.tolist()
    [0, 3, 3, 5]
    """
    classes, _, scripts = tables()
    size = int(texts.offsets[-1] - texts.offsets[0]) if len(texts.offsets) else 0
    starts, ends = (
        np.empty(size // 2 + len(texts.offsets), np.int64),
        np.empty(size // 2 + len(texts.offsets), np.int64),
    )
    first = np.zeros(len(texts.offsets), np.int64)
    count = _split(texts.data, texts.offsets, classes, scripts, starts, ends, first)
    return Sentences(starts=starts[:count].copy(), ends=ends[:count].copy(), first=first)


def measure(texts: Texts, found: Sentences) -> Measures:
    """Return what the rules count in every sentence."""
    classes, _, scripts = tables()
    counted = np.zeros((7, len(found.starts)), np.int32)
    _measure(texts.data, found.starts, found.ends, classes, scripts, unspaced(), worth(), counted[:6])
    _lines(texts.data, texts.offsets, found.starts, found.first, counted[6])
    names = ("characters", "worth", "tokens", "words", "capitals", "technical", "line")
    return Measures(**dict(zip(names, counted, strict=True)))


@numba.njit(cache=True, inline="always")
def decode(data, at):
    """Return the code point at a byte and where the next one begins; those past the tables are ideographs."""
    byte = data[at]
    if byte < 0x80:
        return np.int64(byte), at + 1
    if byte < 0xE0:
        return (np.int64(byte & 0x1F) << 6) | np.int64(data[at + 1] & 0x3F), at + 2
    if byte < 0xF0:
        return (
            (np.int64(byte & 0x0F) << 12)
            | (np.int64(data[at + 1] & 0x3F) << 6)
            | np.int64(data[at + 2] & 0x3F)
        ), at + 3
    code = (
        (np.int64(byte & 0x07) << 18)
        | (np.int64(data[at + 1] & 0x3F) << 12)
        | (np.int64(data[at + 2] & 0x3F) << 6)
        | np.int64(data[at + 3] & 0x3F)
    )
    return (code if code < SIZE else np.int64(0x4E00)), at + 4


@numba.njit(cache=True)
def _split(data, offsets, classes, scripts, starts, ends, first):
    count = 0
    for text in range(len(offsets) - 1):
        first[text] = count
        at, stop = offsets[text], offsets[text + 1]
        begin = last = np.int64(
            -1
        )  # of the sentence: its first byte, the byte after its last that is no space
        letters = word = digits = 0
        pending = False  # a terminal was followed by a space
        ended = False  # the last characters may end a sentence: a terminal and what closes behind it
        full = False
        unspaced_before = False
        while at < stop:
            code, after = decode(data, at)
            kind = classes[code]
            if kind & SPACE:
                if code == _NEWLINE:
                    if begin >= 0:
                        starts[count], ends[count] = begin, last
                        count += 1
                    begin, pending, letters = np.int64(-1), False, 0
                elif begin >= 0 and (ended or full or (unspaced_before and letters >= LONG_ENOUGH)):
                    pending = True
                ended = full = unspaced_before = False
                word = digits = 0
                at = after
                continue
            if begin >= 0 and (
                (pending and not kind & LOWER) or (full and not kind & (CLOSER | FULL_STOP | TERMINAL))
            ):
                starts[count], ends[count] = begin, last
                count += 1
                begin, letters = np.int64(-1), 0
            pending = False
            if begin < 0:
                begin = at
                ended = full = False
            if kind & FULL_STOP:
                full = True
            elif kind & TERMINAL:
                # "1." and "J." end no sentence.
                ended = ended or code != 46 or (word > 1 and digits < word)
            elif not kind & CLOSER:
                ended = full = False
                if kind & WORD:
                    letters += 1
                    word += 1
                    digits += 48 <= code <= 57
                script = scripts[code]
                unspaced_before = script in (_THAI, _LAO)
            last = after
            at = after
        if begin >= 0:
            starts[count], ends[count] = begin, last
            count += 1
    first[len(offsets) - 1] = count
    return count


@numba.njit(cache=True)
def _measure(data, starts, ends, classes, scripts, unspaced, worth, counted):
    for number in range(len(starts)):
        characters = tenths = unspaced_tenths = tokens = spaced = capitals = technical = 0
        inside = False  # a token
        for_word = False  # the token has a letter of a script with spaces
        at = starts[number]
        while at < ends[number]:
            code, after = decode(data, at)
            at = after
            kind = classes[code]
            characters += 1
            if (
                48 <= code <= 57
                or code == 123
                or code == 125
                or code == 43
                or code == 47
                or code == 40
                or code == 41
                or code == 62
            ):
                technical += 1
            if kind & SPACE:
                tenths += 10
                spaced += for_word
                inside = for_word = False
                continue
            if not inside:
                inside = True
                tokens += 1
                capitals += (kind & UPPER) != 0
            if kind & MARK:
                continue
            value = worth[scripts[code]]
            tenths += value
            if unspaced[scripts[code]]:
                unspaced_tenths += value
            else:
                for_word = for_word or (kind & WORD) != 0
        spaced += for_word
        counted[0, number] = characters
        counted[1, number] = (tenths + 5) // 10
        counted[2, number] = tokens
        counted[3, number] = max(spaced, 1 if tokens else 0) + unspaced_tenths // (10 * LETTERS_PER_WORD)
        counted[4, number] = capitals
        counted[5, number] = technical


@numba.njit(cache=True)
def _lines(data, offsets, starts, first, line):
    for text in range(len(offsets) - 1):
        at, number = offsets[text], 0
        for sentence in range(first[text], first[text + 1]):
            while at < starts[sentence]:
                number += data[at] == _NEWLINE
                at += 1
            line[sentence] = number

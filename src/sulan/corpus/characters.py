"""What characters are, as tables that compiled loops index by code point: classes, lower case, scripts.

Scripts are ISO 15924 codes, told from the characters' Unicode names. Code points from 0x20000 on are ideographs.
Not covered: scripts whose letters nobody here reads (they are `Zyyy`, as punctuation is).
"""

import unicodedata
from functools import cache

import numpy as np

SIZE = 0x20000

UPPER = 1
LOWER = 2
SPACE = 4
TERMINAL = 8
"""Ends a sentence where a space follows."""
FULL_STOP = 16
"""Ends a sentence whatever follows, as in scripts without spaces."""
CLOSER = 32
MARK = 64
"""Part of the character before: accents, vowel signs, joiners."""
WORD = 128
"""Letter, digit or mark."""

SCRIPT_NAMES = {
    "LATIN": "Latn", "CYRILLIC": "Cyrl", "GREEK": "Grek", "ARABIC": "Arab", "HEBREW": "Hebr", "ARMENIAN": "Armn",
    "GEORGIAN": "Geor", "DEVANAGARI": "Deva", "BENGALI": "Beng", "GURMUKHI": "Guru", "GUJARATI": "Gujr",
    "ORIYA": "Orya", "TAMIL": "Taml", "TELUGU": "Telu", "KANNADA": "Knda", "MALAYALAM": "Mlym", "SINHALA": "Sinh",
    "THAI": "Thai", "LAO": "Laoo", "TIBETAN": "Tibt", "MYANMAR": "Mymr", "KHMER": "Khmr", "HANGUL": "Hang",
    "HIRAGANA": "Hira", "KATAKANA": "Hira", "CJK": "Hani", "BOPOMOFO": "Bopo", "ETHIOPIC": "Ethi",
    "CHEROKEE": "Cher", "CANADIAN": "Cans", "MONGOLIAN": "Mong", "SYRIAC": "Syrc", "THAANA": "Thaa", "NKO": "Nkoo",
    "TIFINAGH": "Tfng", "VAI": "Vaii", "YI": "Yiii", "JAVANESE": "Java", "BALINESE": "Bali", "OGHAM": "Ogam",
    "RUNIC": "Runr", "COPTIC": "Copt", "GOTHIC": "Goth", "SUNDANESE": "Sund", "CHAKMA": "Cakm", "ADLAM": "Adlm",
    "BAMUM": "Bamu", "LISU": "Lisu", "TAI": "Talu", "CHAM": "Cham", "MEETEI": "Mtei", "PAHAWH": "Hmng",
    "MRO": "Mroo", "OSMANYA": "Osma",
}  # fmt: skip
"""First word of a letter's Unicode name -> its script. Both kana are one script here."""

SCRIPTS = ("Zyyy", *dict.fromkeys(SCRIPT_NAMES.values()))

UNSPACED = ("Hani", "Hira", "Bopo", "Thai", "Laoo", "Khmr", "Mymr", "Tibt")
"""Scripts that do not put spaces between words."""

WORTH = {
    "Hani": 3.8, "Hira": 1.8, "Bopo": 1.8, "Hang": 2.4, "Thai": 1.4, "Laoo": 1.3, "Khmr": 1.6, "Mymr": 1.6, "Tibt": 1.1,
    "Deva": 1.7, "Beng": 1.6, "Guru": 1.4, "Gujr": 1.6, "Orya": 1.6, "Taml": 1.3, "Telu": 1.5, "Knda": 1.6, "Mlym": 1.7,
    "Sinh": 1.5, "Ethi": 1.8, "Yiii": 3.4, "Hebr": 1.3, "Java": 1.7, "Syrc": 1.7, "Cakm": 1.7, "Talu": 1.7,
}  # fmt: skip
"""Latin letters that a letter is worth, measured: the median length of the Universal Declaration of Human Rights in
its 410 Latin translations (10,354 characters without marks) by its length in the script. Japanese mixes two scripts;
its kana are what is left when its ideographs count as Chinese ones. Scripts that are not named here are worth 1."""

LETTERS_PER_WORD = 6
"""Latin letters in a word with its space, by which words are counted in scripts that do not write spaces."""

_BLOCKS = (
    (0x3400, 0x4DC0, "Hani"),
    (0x4E00, 0xA000, "Hani"),
    (0xAC00, 0xD7A4, "Hang"),
    (0xA000, 0xA48D, "Yiii"),
)
_TERMINALS = ".!?\u2026\u203d\u061f\u06d4\u0589\u1362\u1367"
_FULL_STOPS = "\u3002\uff01\uff1f\uff0e\u0964\u0965\u104b\u17d4\u17d5\u0f0d\u0f0e"
_CLOSERS = "\"')]}\u00bb\u2019\u201d\u203a\u300d\u300f\u3011\uff09\u3009\u300b"
_JOINERS = (0x200C, 0x200D)


@cache
def tables() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return classes uint8[SIZE], lower case uint32[SIZE] and numbers into `SCRIPTS` uint8[SIZE].

    Examples
    --------
    >>> classes, lower, scripts = tables()
    >>> bool(classes[ord("A")] & UPPER), chr(lower[ord("A")]), SCRIPTS[scripts[ord("A")]]
    (True, 'a', 'Latn')
    >>> bool(classes[0x3002] & FULL_STOP), SCRIPTS[scripts[0x4E2D]]
    (True, 'Hani')
    """
    characters = [chr(code) for code in range(SIZE)]
    kinds = np.array([unicodedata.category(character) for character in characters])
    major = kinds.astype("U1")
    classes = np.zeros(SIZE, dtype=np.uint8)
    classes[np.isin(major, ["L", "M", "N"])] |= WORD
    classes[major == "M"] |= MARK
    classes[np.isin(kinds, ["Lu", "Lt"])] |= UPPER
    classes[kinds == "Ll"] |= LOWER
    classes[[character.isspace() for character in characters]] |= SPACE
    lower = np.arange(SIZE, dtype=np.uint32)
    for code in np.flatnonzero(np.isin(kinds, ["Lu", "Lt"])).tolist():
        small = characters[code].lower()
        lower[code] = ord(small) if len(small) == 1 else code
    scripts = np.zeros(SIZE, dtype=np.uint8)
    numbers = {name: SCRIPTS.index(script) for name, script in SCRIPT_NAMES.items()}
    for first, last, script in _BLOCKS:  # tens of thousands of letters whose names differ in a number
        scripts[first:last] = SCRIPTS.index(script)
    for code in np.flatnonzero(np.isin(major, ["L", "M"]) & (scripts == 0)).tolist():
        name = unicodedata.name(characters[code], "")
        scripts[code] = numbers.get(name.partition(" ")[0].partition("-")[0], 0)
    for letters, mark in ((_TERMINALS, TERMINAL), (_FULL_STOPS, FULL_STOP), (_CLOSERS, CLOSER)):
        classes[[ord(letter) for letter in letters]] |= mark
    classes[list(_JOINERS)] |= MARK | WORD
    return classes, lower, scripts


@cache
def unspaced() -> np.ndarray:
    """Return which of `SCRIPTS` have no spaces, bool[len(SCRIPTS)]."""
    return np.array([script in UNSPACED for script in SCRIPTS])


@cache
def worth() -> np.ndarray:
    """Return tenths of a Latin letter that a letter of each of `SCRIPTS` is worth, int64[len(SCRIPTS)]."""
    return np.array([round(10 * WORTH.get(script, 1)) for script in SCRIPTS])

"""Repairs of scripts (2309.04662, appendix on script corrections): spaces around viramas, Burmese in Zawgyi.

A virama joins two consonants, so no space belongs beside it; broken software put some there. Zawgyi is a font whose
code points are not Unicode's. As in the paper Google's Myanmar Tools tell its text (the package `myanmartools`); it is
converted by ICU's rules `Zawgyi-my`, which are those of the same tools.
"""

import unicodedata
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sulan.errors import MissingExtra

LANGUAGES = frozenset(
    """bn my pa gu or ta te kn ml si th fil mn lo bo km hi mr ne gom as jv dv bho dz hne ks mag mni shn yue zh ja kjg
    mnw ksw rki mtr mwr xnr""".split()  # noqa: SIM905  one word each would be forty lines
)
"""Languages whose text is repaired, as the data set card lists them."""

VIRAMAS = "".join(chr(code) for code in range(0x900, 0x11900) if unicodedata.combining(chr(code)) == 9)
"""Unicode's viramas and killers: canonical combining class 9."""

_SPACED = f" ([{VIRAMAS}]) "
_BURMESE = "my"
ZAWGYI = 0.95
"""Probability above which a text is taken for Zawgyi, as Myanmar Tools' own documentation advises."""

# Zawgyi writes the vowel sign e before its consonant, and uses code points that Unicode gives to other languages.
_ZAWGYI = "(?:^|[ ])\u1031|[\u1060-\u1097]"


def virama(sentences: pa.Array, languages: pa.Array) -> pa.Array:
    """Return sentences without the spaces around viramas, where the language has them; idempotent.

    Examples
    --------
    >>> virama(pa.array(["क ् ष", "a b"]), pa.array(["hi", "en"])).to_pylist()
    ['क्ष', 'a b']
    """
    concerned = pc.and_(
        pc.is_in(languages, pa.array(sorted(LANGUAGES))), pc.match_substring_regex(sentences, _SPACED)
    )
    if not pc.any(concerned).as_py():
        return sentences
    return pc.if_else(concerned, pc.replace_substring_regex(sentences, _SPACED, r"\1"), sentences)


def may_be_zawgyi(texts: pa.Array, languages: pa.Array) -> np.ndarray:
    """Return which texts are Burmese with letters in an order, or from a place, that Unicode does not write them."""
    burmese = pc.equal(languages, _BURMESE).fill_null(False)
    if not pc.any(burmese).as_py():
        return np.zeros(len(texts), bool)
    return pc.and_(burmese, pc.match_substring_regex(texts, _ZAWGYI)).to_numpy(zero_copy_only=False)


def is_zawgyi(texts: pa.Array, languages: pa.Array) -> np.ndarray:
    """Return which texts are Zawgyi, bool[texts].

    Raises
    ------
    MissingExtra
        Some may be, and what tells and converts them is not installed.
    """
    found = may_be_zawgyi(texts, languages)
    for number in np.flatnonzero(found):
        found[number] = _detector().get_zawgyi_probability(texts[int(number)].as_py()) > ZAWGYI
    return found


def to_unicode(sentences: pa.Array, concerned: np.ndarray) -> pa.Array:
    """Return sentences, those that are concerned converted from Zawgyi.

    Examples
    --------
    >>> to_unicode(pa.array(["ျမန္မာႏိုင္ငံ", "မြန်မာနိုင်ငံ"]), np.array([True, False])).to_pylist()
    ['မြန်မာနိုင်ငံ', 'မြန်မာနိုင်ငံ']
    """
    if not concerned.any():
        return sentences
    said = sentences.to_pylist()
    for number in np.flatnonzero(concerned):
        said[number] = _rules().transliterate(said[number])
    return pa.array(said, sentences.type)


@cache
def _detector() -> Any:
    try:
        from myanmartools import ZawgyiDetector
    except ImportError as error:
        raise MissingExtra("myanmartools", extra="zawgyi") from error
    return ZawgyiDetector()


@cache
def _rules() -> Any:
    try:
        import icu
    except ImportError as error:
        raise MissingExtra("icukit-pyicu", extra="zawgyi") from error
    return icu.Transliterator.createInstance("Zawgyi-my")

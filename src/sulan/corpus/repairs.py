"""Repairs of scripts: spaces that broken software put around viramas (2309.04662, appendix on script corrections).

A virama joins two consonants, so no space belongs beside it. Not covered: the paper's third repair, Burmese in the
Zawgyi font's encoding; such text is found (`is_zawgyi`) and counted, but nothing converts it here.
"""

import unicodedata

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

LANGUAGES = frozenset(
    """bn my pa gu or ta te kn ml si th fil mn lo bo km hi mr ne gom as jv dv bho dz hne ks mag mni shn yue zh ja kjg
    mnw ksw rki mtr mwr xnr""".split()  # noqa: SIM905  one word each would be forty lines
)
"""Languages whose text is repaired, as the data set card lists them."""

VIRAMAS = "".join(chr(code) for code in range(0x900, 0x11900) if unicodedata.combining(chr(code)) == 9)
"""Unicode's viramas and killers: canonical combining class 9."""

_SPACED = f" ([{VIRAMAS}]) "
_BURMESE = "my"
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


def is_zawgyi(texts: pa.Array, languages: pa.Array) -> np.ndarray:
    """Return which Burmese texts look like Zawgyi, bool[texts]."""
    burmese = pc.equal(languages, _BURMESE).fill_null(False)
    if not pc.any(burmese).as_py():
        return np.zeros(len(texts), bool)
    return pc.and_(burmese, pc.match_substring_regex(texts, _ZAWGYI)).to_numpy(zero_copy_only=False)

"""The cursed list: short texts and expressions that mark a sentence as questionable, as versioned data.

Expressions run in RE2, whose time is linear in the text.
"""

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sulan.errors import InputError, MissingFile

BUILT_IN = Path(__file__).with_name("cursed.toml")


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One entry; `pattern` is a regular expression, a text that is searched as it stands is escaped."""

    id: str
    pattern: str


@dataclass(frozen=True, kw_only=True)
class CursedList:
    """A list and its version."""

    version: int
    entries: tuple[Entry, ...]

    def hits(self, sentences: pa.Array) -> tuple[np.ndarray, dict[str, int]]:
        """Return which sentences match, bool[sentences], and how many match each entry.

        Parameters
        ----------
        sentences
            Strings without the white space around them.
        """
        # One pass for all entries; each alone only where that found something.
        together = "|".join(f"(?:{entry.pattern})" for entry in self.entries)
        found = pc.match_substring_regex(sentences, together).to_numpy(zero_copy_only=False)
        matching = sentences.filter(pa.array(found))
        counted = {}
        for entry in self.entries if found.any() else ():
            count = pc.sum(pc.match_substring_regex(matching, entry.pattern)).as_py()
            if count:
                counted[entry.id] = count
        return found, counted


@cache
def read(path: Path = BUILT_IN) -> CursedList:
    """Read a list.

    Raises
    ------
    MissingFile
        There is no such file.
    InputError
        It is no list, or an expression is none.
    """
    try:
        document = tomllib.loads(path.read_text())
        entries = tuple(
            Entry(id=each["id"], pattern=each["pattern"] if "pattern" in each else re.escape(each["text"]))
            for each in document["entry"]
        )
        found = CursedList(version=document["version"], entries=entries)
        found.hits(pa.array([""]))
    except FileNotFoundError as error:
        raise MissingFile(f"no list at {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} is no list of cursed entries: {error}") from error
    return found

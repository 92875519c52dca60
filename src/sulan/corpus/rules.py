"""The rules of the filter and their numbers (2309.04662, section 2 and the data set card).

Defaults are the paper's; where they make no sense for a script, and the paper says so, they are read by what a
letter of the script is worth (`characters.WORTH`).
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from sulan.errors import BrokenArtefact, InputError

Test = Literal["language", "list", "length", "technical", "cursed", "words"]

TESTS: tuple[Test, ...] = ("language", "list", "length", "technical", "cursed", "words")
"""Bit i of a sentence's flags is test i."""

PAPER: tuple[Test, ...] = TESTS[:5]
"""The five tests of 2309.04662; `words` is that of its predecessor (2010.14571), for languages that need it."""

FILE = "rules.json"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What pages, lines and sentences are judged by. Another value here means that sentences are judged anew.

    Attributes
    ----------
    line_words
        A line with fewer words is left out. Default: 3, as C4 (1910.10683, section 2.2) and 2309.04662.
    javascript
        Leave out lines with the word Javascript.
    lorem_ipsum, policy, curly_bracket
        Leave out pages with "lorem ipsum", with words of a cookie or privacy notice, with a curly bracket.
    list_tokens, list_capitals
        A sentence of so many tokens or more, of which a larger share begins with a capital, is a list.
    shortest, longest
        Characters of a sentence of normal length.
    technical
        Largest share of characters of `[0-9{}+/()>]`.
    script_aware
        Count length and words by what letters are worth, so that scripts without spaces or with few letters are
        judged alike. The paper leaves these tests out for 15 languages instead. False: plain characters and tokens.
    repairs
        Take out the spaces around viramas where the language's script has them, and convert Burmese from Zawgyi (extra
        `zawgyi`, asked for only where there is some).
    cursed
        List of cursed entries. None: the built-in one.
    words_share
        Smallest share of a sentence's tokens in the language's word list (2010.14571, section 5: 20 %).
    """

    line_words: int = 3
    javascript: bool = True
    lorem_ipsum: bool = True
    policy: bool = True
    curly_bracket: bool = True
    list_tokens: int = 12
    list_capitals: float = 0.5
    shortest: int = 20
    longest: int = 500
    technical: float = 0.2
    script_aware: bool = True
    repairs: bool = True
    cursed: Path | None = None
    words_share: float = 0.2

    def __post_init__(self) -> None:
        for name in ("list_capitals", "technical", "words_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"rules.{name} must be a share, not {getattr(self, name)}")
        if not 0 <= self.shortest <= self.longest:
            raise InputError(f"rules: shortest is {self.shortest}, longest {self.longest}")
        if self.line_words < 0 or self.list_tokens < 1:
            raise InputError("rules.line_words must not be negative, list_tokens at least 1")


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What makes a judged document clean; applied to the stored flags without judging again.

    Attributes
    ----------
    questionable
        Largest share of questionable sentences. Default: 20 % (2309.04662, section 2).
    sentences
        Fewest sentences. Default: 5 (the same).
    tests
        Tests that count.
    """

    questionable: float
    sentences: int
    tests: tuple[Test, ...]

    def __post_init__(self) -> None:
        if not 0 <= self.questionable <= 1:
            raise InputError(f"questionable must be a share, not {self.questionable}")
        if self.sentences < 0:
            raise InputError(f"sentences must not be negative: {self.sentences}")

    @property
    def mask(self) -> int:
        """Bits of the tests that count."""
        return sum(1 << TESTS.index(test) for test in set(self.tests))


@dataclass(frozen=True, kw_only=True)
class Judged:
    """How a corpus was judged, beside it as `rules.json`."""

    rules: Rules
    thresholds: Thresholds
    words: str

    def write(self, folder: Path) -> None:
        """Write it into a corpus's folder."""
        (folder / FILE).write_text(json.dumps(asdict(self), default=str, indent=1) + "\n")


def read(folder: Path) -> Judged | None:
    """Return how a corpus was judged; None where it was not.

    Raises
    ------
    BrokenArtefact
        The file is damaged.
    """
    try:
        document = json.loads((folder / FILE).read_text())
        rules = document["rules"]
        if rules["cursed"] is not None:
            rules["cursed"] = Path(rules["cursed"])
        thresholds = document["thresholds"] | {"tests": tuple(document["thresholds"]["tests"])}
        return Judged(rules=Rules(**rules), thresholds=Thresholds(**thresholds), words=document["words"])
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(f"{folder / FILE} is damaged: {error}") from error

"""The edition: one day's digest as typed fields. Every format is rendered from this and from nothing else.

The same classes check an `edition.json` that comes back from disk, and `Edition.model_json_schema()` is the
published schema.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from sulan.digest.paper import Paper

SCHEMA_VERSION = 1

Language = Literal["zh", "en"]
Origin = Literal["extractive", "model"]
ScoreName = Literal["practicality", "novelty", "recommendation"]

SCORE_NAMES: tuple[ScoreName, ...] = ("practicality", "novelty", "recommendation")


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Passage(_Frozen):
    """A piece of wording and what it rests on.

    Attributes
    ----------
    text
        Plain text, one paragraph, no markup of any kind.
    language
        Language of `text`; `en` under a Chinese heading means a quoted English sentence.
    evidence
        Sentence numbers of the abstract, from 1, that the text rests on.
    origin
        `extractive`: a sentence of the abstract, word for word. `model`: worded by a model and verified.
    note
        Why a field that a model should have written is extractive; empty otherwise.
    """

    text: str
    language: Language
    evidence: tuple[int, ...] = ()
    origin: Origin = "extractive"
    note: str = ""


class Keyword(_Frozen):
    """A term in English as the abstract has it, and its Chinese form from the glossary or the model."""

    term: str
    translation: str = ""


class Score(_Frozen):
    """One score on the scale 1 to 5 in half steps, with the reason for it."""

    value: float = Field(ge=1, le=5, multiple_of=0.5)
    reason: Passage


class Summary(_Frozen):
    """What an edition says of one paper in one language.

    `highlights` has one to three passages, `keywords` at most five; `scores` has one of each `ScoreName`.
    """

    main_work: Passage
    highlights: tuple[Passage, ...]
    keywords: tuple[Keyword, ...] = Field(max_length=5)
    scores: dict[ScoreName, Score]


class Measurement(_Frozen):
    """One line of a card's table: *paper says | measured here | scale of the measurement*.

    `measured` is "not run" where no run record measured the claim; `scale` then stays empty.
    """

    claim: str
    says: str
    value: str
    source: str
    measured: str = "not run"
    scale: str = ""
    date: str = ""


class Method(_Frozen):
    """The room that implements a paper: what it is for, what to type, and what was measured.

    `command` is empty while the room has no verb yet.
    """

    room: str
    use: str
    command: str = ""
    measurements: tuple[Measurement, ...] = ()


class Entry(_Frozen):
    """One paper in an edition.

    Attributes
    ----------
    sentences
        The abstract, cut into the sentences that `evidence` numbers point to.
    summaries
        By language.
    rank
        Place within the day by recommendation, from 1.
    engine, prompt_version
        What wrote the wording, e.g. `extractive` or `openai:gpt-x`, and with which prompt.
    fallbacks
        One line per field that fell back from the model to extraction, with the reason.
    updated
        ISO 8601: when this entry last changed; feeds repeat it.
    """

    paper: Paper
    sentences: tuple[str, ...]
    summaries: dict[Language, Summary]
    rank: int
    engine: str
    prompt_version: str = ""
    fallbacks: tuple[str, ...] = ()
    method: Method | None = None
    updated: str


class Edition(_Frozen):
    """One day's digest.

    Attributes
    ----------
    day
        `YYYY-MM-DD`, UTC.
    state
        `open` while the daily list may still grow, else `complete`.
    revision
        Starts at 1; grows by one when a later write changes any entry.
    source
        Where the list came from; `shipped` is the day that comes with Sulan.
    notices
        Lines for the reader: that quoted sentences stay English, that abstracts are reworded, ...
    considered
        Papers of the day before `--top`, `--min-upvotes` and `--keywords`.
    """

    schema_version: Literal[1] = SCHEMA_VERSION
    day: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    state: Literal["open", "complete"]
    revision: int = Field(ge=1)
    source: Literal["hf", "arxiv", "file", "shipped"]
    languages: tuple[Language, ...] = Field(min_length=1)
    engine: str
    updated: str
    considered: int
    notices: dict[Language, tuple[str, ...]] = {}
    entries: tuple[Entry, ...]

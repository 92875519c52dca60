"""A room's card: what its paper claims, with the exact value and where the paper says it.

The card is data, `card.toml` beside the room's `__init__.py`. What was measured is not here: `claims` joins a
card with run records.
"""

import logging
import tomllib
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from sulan.errors import BrokenArtefact, MissingFile
from sulan.papers.room import rooms

logger = logging.getLogger(__name__)

Line = Annotated[str, StringConstraints(pattern=r"^\S(?:[^\r\n\t]*\S)?$", max_length=300)]
"""One line of text that neither starts nor ends with a blank."""

Measure = Annotated[
    str, StringConstraints(pattern=r"^[a-z]+ [a-z-]+: [a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=120)
]
"""`verb: metric.path`, e.g. `prune compare: improvement.perplexity.middle.50`."""


class Claim(BaseModel):
    """One claim of a paper.

    Attributes
    ----------
    id
        Short name, unique in the card; a metric of a run record may carry it.
    says
        The claim in our words.
    value
        The paper's value with the scale it was measured at, e.g. `1 % lower perplexity, 124M parameters`.
    source
        Section, table, figure or page where the value stands.
    measure
        The verb that measures the claim here and the name of the metric that it records.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")
    says: Line
    value: Line
    source: Line
    measure: Measure

    @property
    def verb(self) -> str:
        """Room and verb that measure the claim, e.g. `prune compare`."""
        return self.measure.partition(": ")[0]

    @property
    def metric(self) -> str:
        """Name of the metric that the verb records, e.g. `improvement.perplexity.middle.50`."""
        return self.measure.partition(": ")[2]


class Card(BaseModel):
    """What a room is for and what its paper claims.

    Attributes
    ----------
    paper
        arXiv id without version; empty where the room implements no paper, and `origin` says what instead.
    origin
        What the room started from where that is not a paper; else empty.
    title
        The paper's title, or the origin's.
    use
        What a user gets from the room, one sentence.
    command
        What to type first; empty while the room has no verb.
    claims
        In the order in which they are shown; `[[claim]]` in the file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    paper: str = Field(pattern=r"^(\d{4}\.\d{4,5})?$")
    origin: Line | None = None
    title: Line
    use: Line
    command: str = Field(default="", pattern=r"^(sulan \S[^\r\n]*)?$")
    claims: tuple[Claim, ...] = Field(alias="claim", min_length=1)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if bool(self.paper) == bool(self.origin):
            raise ValueError("a card has either paper or origin")
        ids = [claim.id for claim in self.claims]
        twice = sorted({name for name in ids if ids.count(name) > 1})
        if twice:
            raise ValueError(f"two claims have the id {twice[0]}")
        return self


def read(path: Path) -> Card:
    """Read one `card.toml`.

    Raises
    ------
    MissingFile
        There is no such file.
    BrokenArtefact
        The file is not TOML or not a card; the message names the file and the key.
    """
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise MissingFile(f"no card at {path}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BrokenArtefact(f"{path} is not TOML: {error}") from error
    try:
        return Card.model_validate(document)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "card"
        raise BrokenArtefact(f"{path}: {key}: {first['msg']}") from error


def all_cards() -> dict[str, Card]:
    """Return the card of every installed room by the room's name.

    A room whose card is missing or broken is left out with a warning: a third party's mistake must not cost
    the day's digest. Sulan's own nine are held to `read` by the tests.
    """
    cards = {}
    for name, room in rooms().items():
        try:
            cards[name] = read(room.card_path)
        except (MissingFile, BrokenArtefact) as error:
            logger.warning("room %s is left out: %s", name, error)
    return cards

"""From papers and summaries to an edition: ranks, methods, notices, and what changed since the last time.

`updated` is what feeds show. An entry's first `updated` is the time of the list it came from, so that the
same list gives the same bytes; it moves only when what the entry says changes. Votes and ranks move every
hour and are no change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from sulan.digest import scores
from sulan.digest.edition import Edition, Entry, Language, Measurement, Method, Summary
from sulan.digest.facts import Facts
from sulan.digest.paper import Paper
from sulan.errors import BrokenArtefact
from sulan.papers import card, claims

_PASSING = {"updated": True, "rank": True, "paper": {"upvotes", "comments", "stars"}}
"""Fields of an entry that may change without the entry being revised."""


@dataclass(frozen=True, kw_only=True)
class Composed:
    """One paper with its summaries, before its place in the edition is known."""

    paper: Paper
    sentences: tuple[str, ...]
    summaries: dict[Language, Summary]
    engine: str
    prompt_version: str = ""
    fallbacks: tuple[str, ...] = ()
    facts: Facts | None = None
    """Of the paper, where they were read for checking."""


def methods(papers: Sequence[Paper]) -> dict[str, Method]:
    """Return the room that implements a paper, by paper id, with what was measured of the paper's claims."""
    wanted = {paper.id for paper in papers}
    found = {}
    for room, read in card.all_cards().items():
        if read.paper in wanted:
            rows = claims.measured(read, claims.records())
            found[read.paper] = Method(
                room=room,
                use=read.use,
                command=read.command,
                measurements=tuple(
                    Measurement(
                        claim=row.claim,
                        says=row.says,
                        value=row.value,
                        source=row.source,
                        measured=row.measured,
                        scale=row.scale,
                        date=row.date,
                    )
                    for row in rows
                ),
            )
    return found


def previous(out: Path) -> Edition | None:
    """Return the edition that `out` holds, None when there is none.

    Raises
    ------
    BrokenArtefact
        `out` holds an `edition.json` that is not an edition.
    """
    path = out / "edition.json"
    if not path.exists():
        return None
    try:
        return Edition.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise BrokenArtefact(
            f"{path} is not an edition: {error.errors()[0]['msg']}",
            hint="move it away and write the day again",
        ) from error


def assemble(
    composed: Sequence[Composed],
    *,
    day: str,
    state: str,
    source: str,
    engine: str,
    languages: tuple[Language, ...],
    notices: Mapping[Language, Sequence[str]],
    considered: int,
    listed_at: str,
    before: Edition | None,
    now: str,
) -> Edition:
    """Return the edition.

    Parameters
    ----------
    composed
        Papers in the order of the list.
    day, state, source, engine, languages, notices, considered
        As in `Edition`.
    listed_at
        ISO 8601: when the list was fetched; the first `updated` of an entry.
    before
        The edition that this one replaces.
    now
        ISO 8601: the `updated` of what changed since `before`.
    """
    known = {entry.paper.id: entry for entry in before.entries} if before else {}
    places = scores.ranks([each.summaries[languages[0]].scores for each in composed])
    method = methods([each.paper for each in composed])
    entries = []
    for each, place in zip(composed, places, strict=True):
        entry = Entry(
            paper=each.paper,
            sentences=each.sentences,
            summaries=each.summaries,
            rank=place,
            engine=each.engine,
            prompt_version=each.prompt_version,
            fallbacks=each.fallbacks,
            method=method.get(each.paper.id),
            updated=listed_at if before is None else now,
        )
        old = known.get(entry.paper.id)
        if old is not None and says(old) == says(entry):
            entry = entry.model_copy(update={"updated": old.updated})
        entries.append(entry)
    revised = before is not None and (
        [says(entry) for entry in entries] != [says(entry) for entry in before.entries]
    )
    return Edition.model_validate(
        {
            "day": day,
            "state": state,
            "revision": 1 if before is None else before.revision + revised,
            "source": source,
            "languages": languages,
            "engine": engine,
            "updated": now if revised else before.updated if before else listed_at,
            "considered": considered,
            "notices": {language: tuple(notices[language]) for language in languages},
            "entries": entries,
        }
    )


def says(entry: Entry) -> dict[str, object]:
    """Return what an entry says: all of it but what may change without a revision."""
    return entry.model_dump(exclude=_PASSING)

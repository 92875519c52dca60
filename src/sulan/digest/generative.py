"""The model's engine: it words the fields, every field is verified, and what fails is extracted instead.

One call asks for one paper in all languages of the page. What comes back is checked field by field against
the abstract; at most `REPAIRS` further calls carry what was wrong. A field is taken from the first reply in
which it passed; a field that never passed is the embedded engine's, marked with the reason.
"""

import dataclasses
import logging
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sulan.chat import Chat, structured
from sulan.digest import checks, names, prompt, wording
from sulan.digest.edition import SCORE_NAMES, Keyword, Language, Passage, Score, Summary
from sulan.digest.facts import Facts
from sulan.digest.finding import Finding
from sulan.errors import BackendError, BudgetExceeded

REPAIRS = 2
"""Calls after the first, each told what was wrong before."""

_log = logging.getLogger(__name__)

_CHINESE = re.compile(r"[\u3400-\u9fff]")
_MARKUP = re.compile(r"\*\*|__|`|</?[A-Za-z]|\]\(|\\[A-Za-z]+|\$[^$]*\$|(?:^|\n)\s*(?:#+|[-*>])\s")
_LOOKED_AT = frozenset({"superlative", "copied", "translated_name"})
"""Warnings that count as errors here: a model can word the field again, a person's text is only marked."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """What a model wrote of one paper, with the embedded engine's fields where it failed.

    Attributes
    ----------
    summaries
        By language; complete in any case.
    fallbacks
        One line a field that fell back: its name and why.
    """

    summaries: dict[Language, Summary]
    fallbacks: tuple[str, ...]


def write(
    facts: Facts,
    *,
    languages: tuple[Language, ...],
    chat: Chat,
    extract: Callable[[Language], Summary],
    left_out: Collection[int] = (),
) -> Written:
    """Have a model word one paper.

    Parameters
    ----------
    facts
        What the title and the abstract state; every reply is checked against it.
    languages
        Of the page.
    chat
        The model.
    extract
        Gives the embedded engine's summary in a language; called only where a field failed.
    left_out
        Sentence numbers that the model does not see and must not cite.
    """
    allowed = frozenset(range(1, len(facts.sentences) + 1)) - frozenset(left_out)
    judge = _Judge(facts=facts, languages=languages, allowed=allowed)
    question = prompt.request(facts.title, facts.sentences, languages=languages, left_out=left_out)
    model = prompt.reply_model(languages, len(facts.sentences))
    try:
        answer = structured.ask(chat, question, model, check=judge.violations, repairs=REPAIRS)
    except BudgetExceeded as error:
        return _nothing_written(languages, extract, f"the budget is spent: {error.message}")
    except BackendError as error:
        _log.warning("%s: %s", facts.title, error.message)
        return _nothing_written(languages, extract, f"the model did not answer: {error.message}")
    for attempt in answer.attempts:
        if attempt.value is None:  # the whole was of no use, a field of it may be
            judge.take(attempt.fields, why=attempt.violations)
    return Written(
        summaries={
            language: _summary(language, passed=judge.passed, failed=judge.failed, extract=extract)
            for language in languages
        },
        fallbacks=tuple(f"{field}: {reason}" for field, reason in judge.failed.items()),
    )


@dataclass(frozen=True, kw_only=True)
class _Judge:
    """Takes each field from the first reply in which it passes; remembers why the others failed."""

    facts: Facts
    languages: tuple[Language, ...]
    allowed: frozenset[int]
    passed: dict[str, Any] = dataclasses.field(default_factory=dict)
    failed: dict[str, str] = dataclasses.field(default_factory=dict)

    def violations(self, reply: Any) -> list[str]:
        """Take what passes of a whole reply; return what is wrong with the rest, in words for the model."""
        return self.take({field: getattr(reply, field) for field in type(reply).model_fields})

    def take(self, fields: Mapping[str, Any], *, why: Sequence[str] = ()) -> list[str]:
        """Take what passes; `why` is the reason for fields that are missing."""
        violations = []
        for field in _fields(self.languages):
            if field in self.passed:
                continue
            if field not in fields:
                self.failed.setdefault(field, "; ".join(why[:2]) or "missing")
            elif wrong := self.wrong(field, fields[field]):
                self.failed[field] = wrong[0]
                violations += [f"{field}: {each}" for each in wrong]
            else:
                self.passed[field] = fields[field]
                self.failed.pop(field, None)
        return violations

    def wrong(self, field: str, value: Any) -> list[str]:
        """Return what is wrong with one field."""
        if field == "keywords":
            return self._keywords(value)
        if field in SCORE_NAMES:
            return self._opinion(value)
        language: Language = "zh" if field.endswith("_zh") else "en"
        if field.startswith("main_work"):
            return self._wording(value, language=language, longest=prompt.MAX_WORK)
        return [
            wrong
            for one in value
            for wrong in self._wording(one, language=language, longest=prompt.MAX_HIGHLIGHT)
        ]

    def _keywords(self, terms: Sequence[prompt.Term]) -> list[str]:
        findings = [f for term in terms for f in checks.keyword(term.term, term.translation, self.facts)]
        wrong = [str(finding) for finding in findings if _counts(finding)]
        if "zh" in self.languages:
            wrong += [
                f"{term.term!r} has no Chinese form"
                for term in terms
                if not _CHINESE.search(term.translation)
                and not (term.translation == term.term and names.looks_like_name(term.term))
            ]
        return [*wrong, *_plain(*(f"{term.term} {term.translation}" for term in terms))]

    def _opinion(self, opinion: prompt.Opinion) -> list[str]:
        reasons = [
            wrong
            for language in self.languages
            for wrong in self._text(_reason(opinion, language), language=language, longest=prompt.MAX_REASON)
        ]
        return [*self._evidence(opinion.evidence), *reasons]

    def _wording(self, one: prompt.Wording, *, language: Language, longest: int) -> list[str]:
        text = self._text(one.text, language=language, longest=longest, evidence=one.evidence)
        return [*self._evidence(one.evidence), *text]

    def _evidence(self, numbers: Sequence[int]) -> list[str]:
        unknown = sorted(set(numbers) - self.allowed)
        return [f"there is no sentence {', '.join(map(str, unknown))}"] if unknown else []

    def _text(
        self, text: str, *, language: Language, longest: int, evidence: Sequence[int] = ()
    ) -> list[str]:
        findings = (
            *wording.length(text, most=longest),
            *checks.check(text, self.facts, language=language, evidence=evidence),
        )
        return [*(str(finding) for finding in findings if _counts(finding)), *_plain(text)]


def _summary(
    language: Language,
    *,
    passed: Mapping[str, Any],
    failed: Mapping[str, str],
    extract: Callable[[Language], Summary],
) -> Summary:
    main, lights = f"main_work_{language}", f"highlights_{language}"
    needed = {"keywords", *SCORE_NAMES, main, lights}
    extracted = extract(language) if needed - passed.keys() else None

    def worded(value: prompt.Wording) -> Passage:
        return Passage(
            text=" ".join(value.text.split()),
            language=language,
            evidence=tuple(sorted(set(value.evidence))),
            origin="model",
        )

    def fallen(field: str, passage: Passage) -> Passage:
        return passage.model_copy(update={"note": failed[field]})

    if extracted is None:
        return Summary(
            main_work=worded(passed[main]),
            highlights=tuple(map(worded, passed[lights])),
            keywords=tuple(map(_keyword, passed["keywords"])),
            scores={name: _score(passed[name], language=language) for name in SCORE_NAMES},
        )
    ruled = {
        name: Score(value=score.value, reason=fallen(name, score.reason))
        for name, score in extracted.scores.items()
        if name not in passed
    }
    return Summary(
        main_work=worded(passed[main]) if main in passed else fallen(main, extracted.main_work),
        highlights=tuple(map(worded, passed[lights]))
        if lights in passed
        else tuple(fallen(lights, passage) for passage in extracted.highlights),
        keywords=tuple(map(_keyword, passed["keywords"])) if "keywords" in passed else extracted.keywords,
        scores=ruled
        | {name: _score(passed[name], language=language) for name in SCORE_NAMES if name in passed},
    )


def _keyword(term: prompt.Term) -> Keyword:
    return Keyword(term=" ".join(term.term.split()), translation=" ".join(term.translation.split()))


def _reason(opinion: prompt.Opinion, language: Language) -> str:
    return getattr(opinion, f"reason_{language}")


def _score(opinion: prompt.Opinion, *, language: Language) -> Score:
    reason = Passage(
        text=" ".join(_reason(opinion, language).split()),
        language=language,
        evidence=tuple(sorted(set(opinion.evidence))),
        origin="model",
    )
    return Score(value=round(opinion.value * 2) / 2, reason=reason)


def _counts(finding: Finding) -> bool:
    return finding.severity == "error" or (finding.severity == "warning" and finding.verdict in _LOOKED_AT)


def _plain(*texts: str) -> list[str]:
    marks = [match.group().strip() for text in texts if (match := _MARKUP.search(text))]
    return [f"plain text only, without {mark!r}" for mark in marks]


def _fields(languages: tuple[Language, ...]) -> tuple[str, ...]:
    """Names of a reply's fields, in its order."""
    return tuple(prompt.reply_model(languages, 1).model_fields)


def _nothing_written(
    languages: tuple[Language, ...], extract: Callable[[Language], Summary], reason: str
) -> Written:
    failed = dict.fromkeys(_fields(languages), reason)
    return Written(
        summaries={
            language: _summary(language, passed={}, failed=failed, extract=extract) for language in languages
        },
        fallbacks=(f"all fields: {reason}",),
    )

"""The model's engine: it words the fields, every field is verified, and what fails is extracted instead.

One call asks for one paper in all languages of the page. What comes back is checked field by field against
the abstract; at most `REPAIRS` further calls carry what was wrong. A field is taken from the first reply in
which it passed; a field that never passed is the embedded engine's, marked with the reason.
"""

import logging
import re
from collections.abc import Collection, Mapping, Sequence
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
    chat: Chat,
    extracted: Mapping[Language, Summary],
    left_out: Collection[int] = (),
) -> Written:
    """Have a model word one paper.

    Parameters
    ----------
    facts
        What the title and the abstract state; every reply is checked against it.
    chat
        The model.
    extracted
        The embedded engine's summary in each language of the page, in the page's order.
    left_out
        Sentence numbers that the model does not see and must not cite.
    """
    languages = tuple(extracted)
    allowed = frozenset(range(1, len(facts.sentences) + 1)) - frozenset(left_out)
    check = _FieldCheck(facts=facts, languages=languages, allowed=allowed)
    question = prompt.request(facts.title, facts.sentences, languages=languages, left_out=left_out)
    try:
        answer = structured.ask(
            chat, question, prompt.reply_model(languages), check=check.violations, repairs=REPAIRS
        )
    except BudgetExceeded as error:
        return _all_extracted(extracted, f"the budget is spent: {error.message}")
    except BackendError as error:
        _log.warning("%s: %s", facts.title, error.message)
        return _all_extracted(extracted, f"the model did not answer: {error.message}")
    passed: dict[str, Any] = {}
    failed: dict[str, str] = {}
    for attempt in answer.attempts:
        for field in prompt.reply_model(languages).model_fields:
            if field in passed:
                continue
            if field not in attempt.fields:
                failed[field] = "; ".join(attempt.violations[:2]) or "missing"
            elif wrong := check.field(field, attempt.fields[field]):
                failed[field] = wrong[0]
            else:
                passed[field] = attempt.fields[field]
    failed = {field: reason for field, reason in failed.items() if field not in passed}
    summaries = {
        language: _summary(language, passed=passed, failed=failed, extracted=extracted[language])
        for language in languages
    }
    return Written(
        summaries=summaries, fallbacks=tuple(f"{field}: {reason}" for field, reason in failed.items())
    )


@dataclass(frozen=True, kw_only=True)
class _FieldCheck:
    facts: Facts
    languages: tuple[Language, ...]
    allowed: frozenset[int]

    def violations(self, reply: Any) -> list[str]:
        """Return what is wrong with a whole reply, field by field, in words for the model."""
        return [
            f"{field}: {wrong}"
            for field in type(reply).model_fields
            for wrong in self.field(field, getattr(reply, field))
        ]

    def field(self, field: str, value: Any) -> list[str]:
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
        missing = [language for language in self.languages if language not in opinion.reasons]
        return [
            *(f"no reason in {language!r}" for language in missing),
            *self._evidence(opinion.evidence),
            *(
                wrong
                for language in self.languages
                if language in opinion.reasons
                for wrong in self._text(
                    opinion.reasons[language], language=language, longest=prompt.MAX_REASON
                )
            ),
        ]

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
    language: Language, *, passed: Mapping[str, Any], failed: Mapping[str, str], extracted: Summary
) -> Summary:
    def worded(value: prompt.Wording) -> Passage:
        return Passage(
            text=" ".join(value.text.split()),
            language=language,
            evidence=tuple(sorted(set(value.evidence))),
            origin="model",
        )

    main, lights = f"main_work_{language}", f"highlights_{language}"
    terms = passed.get("keywords")
    return Summary(
        main_work=worded(passed[main]) if main in passed else _marked(extracted.main_work, failed[main]),
        highlights=tuple(
            map(worded, passed[lights])
            if lights in passed
            else (_marked(passage, failed[lights]) for passage in extracted.highlights)
        ),
        keywords=extracted.keywords if terms is None else tuple(map(_keyword, terms)),
        scores={
            name: _score(passed[name], language=language)
            if name in passed
            else Score(
                value=extracted.scores[name].value,
                reason=_marked(extracted.scores[name].reason, failed[name]),
            )
            for name in SCORE_NAMES
        },
    )


def _keyword(term: prompt.Term) -> Keyword:
    return Keyword(term=" ".join(term.term.split()), translation=" ".join(term.translation.split()))


def _score(opinion: prompt.Opinion, *, language: Language) -> Score:
    reason = Passage(
        text=" ".join(opinion.reasons[language].split()),
        language=language,
        evidence=tuple(sorted(set(opinion.evidence))),
        origin="model",
    )
    return Score(value=round(opinion.value * 2) / 2, reason=reason)


def _marked(passage: Passage, reason: str) -> Passage:
    return passage.model_copy(update={"note": reason})


def _counts(finding: Finding) -> bool:
    return finding.severity == "error" or (finding.severity == "warning" and finding.verdict in _LOOKED_AT)


def _plain(*texts: str) -> list[str]:
    marks = [match.group().strip() for text in texts if (match := _MARKUP.search(text))]
    return [f"plain text only, without {mark!r}" for mark in marks]


def _all_extracted(extracted: Mapping[Language, Summary], reason: str) -> Written:
    failed = dict.fromkeys(prompt.reply_model(tuple(extracted)).model_fields, reason)
    return Written(
        summaries={
            language: _summary(language, passed={}, failed=failed, extracted=summary)
            for language, summary in extracted.items()
        },
        fallbacks=(f"all fields: {reason}",),
    )

"""Recall and false alarms of the verifier on correct summaries and on summaries made wrong."""

from collections import Counter

import pytest

from digest.mutations import mutants
from digest.pairs import PAIRS, Pair
from sulan.digest import checks
from sulan.digest.facts import Facts
from sulan.digest.finding import Finding

RECALL = 0.95
FALSE_ALARMS = 0.02


def _alarms(text: str, pair: Pair) -> list[Finding]:
    facts = Facts.read("", pair.abstract)
    findings = checks.check(text, facts, language=pair.language)
    return [finding for finding in findings if finding.severity in ("error", "warning")]


def test_correct_summaries_raise_no_alarm(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = {pair.summary: [str(alarm) for alarm in _alarms(pair.summary, pair)] for pair in PAIRS}
    wrong = {summary: alarms for summary, alarms in wrong.items() if alarms}
    with capsys.disabled():
        print(f"\nfalse alarms: {len(wrong)} of {len(PAIRS)} correct summaries")  # noqa: T201
    assert len(PAIRS) >= 40
    assert len(wrong) <= FALSE_ALARMS * len(PAIRS), wrong


def test_wrong_summaries_are_found(capsys: pytest.CaptureFixture[str]) -> None:
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    for mutant in mutants():
        alarms = _alarms(mutant.text, mutant.pair)
        total[mutant.kind] += 1
        found[mutant.kind] += bool(alarms)
        errors[mutant.kind] += any(alarm.severity == "error" for alarm in alarms)
    with capsys.disabled():
        print(f"\nrecall: {found.total()} of {total.total()} mutants, {errors.total()} of them as errors")  # noqa: T201
        for kind, count in sorted(total.items()):
            print(f"  {kind:24} {found[kind]:4} of {count:4}, {errors[kind]:4} as errors")  # noqa: T201
    assert total.total() > 1500
    assert found.total() >= RECALL * total.total()


def test_the_right_number_is_suggested() -> None:
    """Of numbers that are wrong by a power of ten nearly all are met with the right one in their own notation."""
    right = Counter[bool]()
    for mutant in mutants():
        if mutant.kind.startswith("number"):
            suggested = [
                a.suggestion for a in _alarms(mutant.text, mutant.pair) if a.verdict == "scale_error"
            ]
            right[any(_stands_in(suggestion, mutant.pair) for suggestion in suggested)] += 1
    assert right[True] >= 0.8 * right.total(), right


def _stands_in(suggestion: str, pair: Pair) -> bool:
    """The suggestion put into the place of the number is what a reader may write: the verifier agrees with it."""
    facts = Facts.read("", pair.abstract)
    verdicts = [
        finding.verdict
        for finding in checks.check(suggestion, facts, language=pair.language)
        if finding.verdict in ("supported", "approximate_ok", "scale_error", "unit_error", "unsupported")
    ]
    return bool(verdicts) and set(verdicts) <= {"supported", "approximate_ok"}

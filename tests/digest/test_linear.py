"""Hostile text costs no more than its length: CPU of the process, ten times the text against the text.

The bound is generous because machines are busy; a quadratic pattern takes a hundred times as long and fails it.
"""

import time
from collections.abc import Callable

import pytest

from sulan.digest import checks, directions, names, numerals, sentences
from sulan.digest.facts import Facts
from sulan.digest.quantities import MAX_TEXT, find

SHAPES = {
    "list of ones": "1,",
    "digits": "9",
    "Chinese ones": "一",
    "brackets": "( ",
    "number words": "twenty ",
    "hyphens": "a-1-",
    "groups of three": "1 234",
    "dots": ".",
    "dotted numbers": "1.1.",
    "Chinese numerals": "三百 ",
    "parts": "三分之",
    "powers": "10^",
    "comparisons": "A1 beats B2 and ",
    "changes": "increases ",
    "over": "over 5 the ",
    "acronyms": "AB (c d",
    "closing brackets": "(AB)",
    "links": "http://",
    "dollars": "$a. ",
    "steps": "3步",
    "blanks": " ",
}
FACTS = Facts.read(
    "GPT-4 on 3 tasks", "GPT-4 beats A1 by 3% within 400 steps, using 1.3 billion parameters and 20 GPUs."
)


def _check(text: str) -> object:
    return checks.check(text, FACTS, language="zh")


def _facts(text: str) -> object:
    facts = Facts.read("", text)
    return facts.quantities, facts.name_keys, facts.names, facts.expansions, facts.stems, facts.directions


READERS: dict[str, tuple[Callable[[str], object], int]] = {
    "numerals": (lambda text: sum(1 for _ in numerals.scan(text)), 200_000),
    "names": (lambda text: (names.find(text), names.keys(text), names.expansions(text)), 200_000),
    "directions": (directions.find, 200_000),
    "sentences": (sentences.split, 200_000),
    "find": (find, MAX_TEXT),
    "check": (_check, MAX_TEXT),
    "facts": (_facts, MAX_TEXT),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("reader", READERS)
def test_ten_times_the_text_is_not_a_hundred_times_the_work(reader: str, shape: str) -> None:
    read, size = READERS[reader]
    # A fifteenth of a second is noise on a busy machine; below it nothing is worth comparing.
    small = max(_seconds(read, _text(shape, size // 10)), 1 / 150)
    # Another process may slow one try down; a quadratic pattern is slow in all of them.
    assert any(_seconds(read, _text(shape, size)) < 40 * small for _ in range(5))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_megabyte_is_read_up_to_the_limit_and_reported(shape: str) -> None:
    text = _text(shape, 1_000_000)
    findings = checks.check(text, FACTS, language="zh")
    assert "too_long" in {finding.verdict for finding in findings}
    assert find(text, "zh") == find(text[:MAX_TEXT], "zh")


def _text(shape: str, size: int) -> str:
    return (SHAPES[shape] * (size // len(SHAPES[shape]) + 1))[:size]


def _seconds(read: Callable[[str], object], text: str) -> float:
    start = time.process_time()
    read(text)
    return time.process_time() - start

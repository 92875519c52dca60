"""Reading JSON out of replies: all of JSON, plus the mistakes that models make, in linear time."""

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.chat.lenient_json import MAX_CHARACTERS, NoObject, objects, without_reasoning

# Control characters that JSON escapes by a letter are apart: before letters they may be read as LaTeX.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\b\f\n\r\t"), max_size=40)
SCALARS = (
    TEXT
    | st.integers(min_value=-(10**30), max_value=10**30)
    | st.booleans()
    | st.none()
    | st.floats(allow_nan=False, allow_infinity=False)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXT, VALUES, min_size=1, max_size=4)


@given(OBJECTS, st.booleans(), st.sampled_from([None, 2]))
def test_reads_everything_that_json_writes(value: dict[str, Any], ascii: bool, indent: int | None) -> None:
    assert objects(json.dumps(value, ensure_ascii=ascii, indent=indent)) == [value]


@given(st.lists(OBJECTS, min_size=1, max_size=3))
def test_finds_every_object_in_prose(values: list[dict[str, Any]]) -> None:
    text = "The {answer} is:\n" + " and then\n".join(f"```json\n{json.dumps(value)}\n```" for value in values)
    assert objects(text + "\nI hope that helps {you}.") == values


COMMANDS = [
    r"\alpha", r"\beta", r"\bar", r"\boldsymbol", r"\delta", r"\frac", r"\forall", r"\gamma", r"\in",
    r"\cite", r"\mathbb", r"\nabla", r"\neq", r"\nu", r"\not", r"\omega", r"\rho", r"\rightarrow", r"\rm",
    r"\lambda", r"\text", r"\textbf", r"\texttt", r"\theta", r"\times", r"\tau", r"\to", r"\tilde",
    r"\underline",    r"\upsilon", r"\ne", r"\,", r"\%", r"\_", r"\{",
]  # fmt: skip
PIECES = st.sampled_from(COMMANDS) | st.sampled_from([" ", "$", "{x}", "_i", "^2", "，损失", "(", "3"])


@given(st.lists(PIECES, min_size=1, max_size=12).map("".join))
def test_latex_with_single_backslashes_is_read_as_it_was_meant(latex: str) -> None:
    assert objects('{"text": "' + latex + '"}') == [{"text": latex}]


@given(st.lists(PIECES, min_size=1, max_size=12).map("".join))
def test_latex_that_was_escaped_properly_stays(latex: str) -> None:
    assert objects(json.dumps({"text": latex})) == [{"text": latex}]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (r"one\ntwo", "one\ntwo"),
        (r"one\nNew line", "one\nNew line"),
        (r"facts:\nless memory", "facts:\nless memory"),
        (r"two ways,\ne.g. this", "two ways,\ne.g. this"),
        (r"a\tb", "a\tb"),
        (r"a\n\nb", "a\n\nb"),
        (r"a\r\nb", "a\r\nb"),
        (r"\u4e2d\ud83d\ude00", "中😀"),
        (r"\ud83d alone", "\ufffd alone"),
        (r"C:\Users", "C:\\Users"),
        ("raw\nline", "raw\nline"),
        ('他说"你好"。', '他说"你好"。'),
    ],
)
def test_strings(written: str, meant: str) -> None:
    assert objects('{"text": "' + written + '"}') == [{"text": meant}]


@pytest.mark.parametrize(
    "text",
    [
        '<think>maybe {"a": 0}?</think>{"a": 1}',
        'maybe {"a": 0}? It is 1.</think>\n{"a": 1}',
        '```json\n{"a": 1,}\n```',
        '[{"a": 1}]',
        'Sure! {"a" : 1 } Let me know.',
        '\ufeff{"a": 1}',
        '{not json} {"a": 1}',
    ],
)
def test_what_stands_around_the_object_is_left_out(text: str) -> None:
    assert objects(text) == [{"a": 1}]


def test_a_tag_inside_the_answer_is_a_word_of_it() -> None:
    assert objects('{"a": "it ends with </think>."}') == [{"a": "it ends with </think>."}]
    assert without_reasoning("<think>and so on and on") == ""


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON object"),
        ("I cannot do that.", "no JSON object"),
        ('<think>{"a": 1}', "no JSON object"),
        ('{"a": 1', "at the end of the reply: expected a comma or a closing brace"),
        ('{"a": "cut in the mid', "expected a closing quote"),
        ("{'a': 1}", "expected a key in double quotes"),
        ('{"a": NaN}', "before 'NaN}': expected a value"),
        ('{"a": 1e999}', "a number of ordinary size"),
        ('{"a": ' + "[" * 50 + "]" * 50 + "}", "at most 32 levels"),
        ('{"a": "' + "x" * MAX_CHARACTERS + '"}', "more than 200000 characters"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, words: str) -> None:
    with pytest.raises(NoObject, match=words):
        objects(text)


def _steps(text: str) -> int:
    import sys

    steps = 0

    def count(frame: Any, event: str, argument: Any) -> Any:
        nonlocal steps
        steps += event == "line"
        return count

    previous = sys.gettrace()
    sys.settrace(count)
    try:
        objects(text)
    except NoObject:
        pass
    finally:
        sys.settrace(previous)
    return steps


@pytest.mark.parametrize(
    "unit",
    [
        "{",
        '{"',
        '{"a":',
        '{"a":[',
        '" ',
        "\\",
        "\\u",
        "\\n",
        "{}",
        '{"a":1},',
        "<think>",
        '{"a":"b" ',
        "</think>{",
    ],
)
def test_work_grows_with_the_length_and_not_faster(unit: str) -> None:
    small, large = (_steps('{"k": "' * (unit[0] in '"\\') + unit * count) for count in (100, 800))
    assert large < 8.5 * small + 200


@given(st.text(string.punctuation + "abnt019 \n", max_size=200))
def test_no_text_is_too_odd(text: str) -> None:
    try:
        found = objects(text)
    except NoObject:
        return
    assert all(isinstance(one, dict) for one in found)

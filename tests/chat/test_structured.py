"""Objects out of replies: what is accepted, what is repaired, what is kept of attempts that failed."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from sulan import chat
from sulan.chat import structured
from sulan.chat.protocol import Message, Reply, Request
from sulan.errors import BackendError

QUESTION = Request(messages=(Message(role="user", content="Summarise phi-1.5."),), max_tokens=100)
GOOD = {"title": "phi-1.5", "score": 4.5, "words": ["textbooks"]}


class Summary(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    title: str = Field(min_length=1, max_length=40, description="The title of the paper")
    score: float = Field(ge=1, le=5, multiple_of=0.5)
    words: tuple[str, ...] = Field(min_length=1, max_length=3)


def scripted(folder: Path, *rules: dict[str, Any]) -> chat.Chat:
    path = folder / "replies.jsonl"
    path.write_text("\n".join(json.dumps(rule) for rule in rules))
    return chat.open(f"scripted:{path}")


def read(text: str, **more: Any) -> structured.Attempt[Summary]:
    return structured.read(Reply(text=text, finish=more.pop("finish", "stop")), Summary, **more)


def test_a_good_reply_takes_one_call(tmp_path: Path) -> None:
    answer = structured.ask(scripted(tmp_path, {"match": "phi", "reply": GOOD}), QUESTION, Summary)
    assert answer.value == Summary.model_validate(GOOD)
    assert len(answer.attempts) == 1 and answer.violations == ()


def test_a_repair_carries_the_reply_and_what_is_wrong(tmp_path: Path) -> None:
    seen: list[Request] = []

    class Watched:
        model = "watched"
        behind = scripted(
            tmp_path,
            {"match": "phi", "turn": 0, "reply": {**GOOD, "score": 9}},
            {"match": "less than or equal to 5", "turn": 1, "reply": GOOD},
        )

        def reply(self, request: Request) -> Reply:
            seen.append(request)
            return self.behind.reply(request)

        def close(self) -> None: ...

    answer = structured.ask(Watched(), QUESTION, Summary)
    assert answer.value == Summary.model_validate(GOOD)
    first, second = seen
    assert first.schema == second.schema == structured.schema(Summary)
    assert [message.role for message in second.messages] == ["user", "assistant", "user"]
    assert second.messages[1].content == json.dumps({**GOOD, "score": 9})
    assert answer.attempts[0].violations == ("score: Input should be less than or equal to 5",)


def test_fields_that_passed_are_kept_of_an_attempt_that_failed(tmp_path: Path) -> None:
    bad = {"title": "phi-1.5", "score": 9, "words": []}
    answer = structured.ask(scripted(tmp_path, {"match": "phi", "reply": bad}), QUESTION, Summary)
    assert answer.value is None and answer.partial is None
    assert [attempt.fields for attempt in answer.attempts] == [{"title": "phi-1.5"}] * 2
    assert {violation.partition(":")[0] for violation in answer.violations} == {"score", "words"}


def test_a_value_that_the_check_rejects_is_partial(tmp_path: Path) -> None:
    def check(summary: Summary) -> Sequence[str]:
        return ["title: 13亿 is in no sentence"] if "13亿" in summary.title else []

    rules: list[dict[str, Any]] = [
        {"match": "phi", "turn": 0, "reply": {**GOOD, "title": "13亿"}},
        {"match": "13亿 is in no sentence", "turn": 1, "reply": "no object"},
        {"match": "no JSON object", "turn": 1, "reply": "unused"},
        {"match": "no JSON object", "turn": 2, "reply": "no object"},
    ]
    rejected = structured.ask(scripted(tmp_path, *rules[:2]), QUESTION, Summary, check=check, repairs=1)
    assert rejected.value is None
    assert rejected.partial is not None and rejected.partial.title == "13亿"
    rules[1]["reply"] = GOOD
    mended = structured.ask(scripted(tmp_path, *rules), QUESTION, Summary, check=check)
    assert mended.value is not None and mended.value.title == "phi-1.5"


@pytest.mark.parametrize(("temperature", "calls"), [(0.0, 2), (0.7, 3)])
def test_a_model_that_repeats_itself_is_not_asked_the_same_again(
    tmp_path: Path, temperature: float, calls: int
) -> None:
    question = replace(QUESTION, temperature=temperature)
    answer = structured.ask(scripted(tmp_path, {"match": "phi", "reply": "no"}), question, Summary)
    assert len(answer.attempts) == calls
    assert ("repeats" in answer.stopped) == (temperature == 0)


def test_every_repair_is_a_new_question_about_the_original(tmp_path: Path) -> None:
    answer = structured.ask(
        scripted(
            tmp_path,
            {"match": "phi", "turn": 0, "reply": "nothing"},
            {"match": "no JSON object", "turn": 1, "reply": {**GOOD, "score": 0}},
            {"match": "score", "turn": 1, "reply": GOOD},
        ),
        QUESTION,
        Summary,
    )
    assert answer.value is not None and len(answer.attempts) == 3


def test_a_cut_reply_is_a_failure_even_when_it_parses() -> None:
    attempt = read(json.dumps(GOOD), finish="length")
    assert attempt.value is None and attempt.fields == {}
    assert attempt.violations == ("the reply was cut at its token limit; write a shorter one",)


def test_a_refusal_is_not_asked_again(tmp_path: Path) -> None:
    rule = {"match": "phi", "reply": "I cannot", "finish": "content_filter"}
    answer = structured.ask(scripted(tmp_path, rule), QUESTION, Summary)
    assert len(answer.attempts) == 1 and answer.violations == ("the model refused to answer",)


def test_a_failing_first_call_raises_and_a_failing_repair_keeps_what_there_is(tmp_path: Path) -> None:
    down = {"match": "phi", "error": "the server is on fire"}
    with pytest.raises(BackendError, match="on fire"):
        structured.ask(scripted(tmp_path, down), QUESTION, Summary)
    first = {"match": "phi", "turn": 0, "reply": {**GOOD, "score": 9}}
    answer = structured.ask(scripted(tmp_path, first, down), QUESTION, Summary)
    assert answer.stopped == "the server is on fire"
    assert answer.attempts[0].fields == {"title": "phi-1.5", "words": ("textbooks",)}


@pytest.mark.parametrize(
    "text",
    [
        f"<think>Let me see. {{'score': 3}}</think>\n```json\n{json.dumps(GOOD)}\n```\nDone.",
        f'An example: {{"title": "x", "score": 3}}. The answer: {json.dumps(GOOD)}',
        f'{json.dumps(GOOD)} Here {{"title": ...}} was the title.',
        f'{json.dumps(GOOD)}\nSource: {{"id": 1}}',
        '{"title": "phi-1.5", "score": 4.5, "words": ["textbooks",],}',
    ],
)
def test_the_object_that_satisfies_the_model_is_found(text: str) -> None:
    assert read(text).value == Summary.model_validate(GOOD)


def test_latex_survives() -> None:
    found = read('{"title": "$\\nabla_\\theta \\times \\alpha$", "score": 3, "words": ["a"]}').value
    assert found is not None and found.title == r"$\nabla_\theta \times \alpha$"


def test_the_schema_has_no_words_that_only_cost_tokens() -> None:
    class Titled(BaseModel):
        title: str = Field(description="kept as a property, dropped as a word")
        inner: Summary

    schema = structured.schema(Titled)
    assert set(schema["properties"]) == {"title", "inner"}
    assert schema["properties"]["title"] == {"type": "string"}
    assert set(schema["$defs"]["Summary"]["properties"]) == {"title", "score", "words"}
    assert "description" not in json.dumps(schema)


def test_instructions_to_the_model_are_bounded(tmp_path: Path) -> None:
    def check(summary: Summary) -> Sequence[str]:
        return [f"{number} " + "x" * 1000 for number in range(100)]

    seen: list[str] = []

    class Recorder:
        model = "recorder"

        def reply(self, request: Request) -> Reply:
            seen.append(request.messages[-1].content)
            return Reply(text=json.dumps(GOOD), finish="stop")

        def close(self) -> None: ...

    answer = structured.ask(Recorder(), QUESTION, Summary, check=check, repairs=1)
    assert len(answer.violations) == 100
    assert len(seen[1]) < 12 * 310 + 200

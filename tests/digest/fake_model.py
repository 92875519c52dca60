"""A model that is honest and dull: it answers the digest's prompt with fields that pass."""

import json
import re
from typing import Any


def paper(body: dict[str, Any]) -> dict[str, Any]:
    """The paper that a request is about: its title and numbered sentences."""
    return json.loads(next(m["content"] for m in body["messages"] if m["role"] == "user"))


def reply(body: dict[str, Any], **changes: Any) -> str:
    """Return a reply that every check accepts; `changes` replaces fields of it."""
    asked = paper(body)
    number = int(next(iter(asked["sentences"])))
    instructions = body["messages"][0]["content"]
    languages = re.findall(r"main_work_(zh|en) and", instructions)
    texts = {
        "en": "The authors describe their own work on the subject of the title and say what they found.",
        "zh": "作者介绍了围绕题目所做的工作，并说明了得到的结果。",
    }
    said = " ".join([asked["title"], *asked["sentences"].values()])
    word = re.findall(r"\b[a-z]{4,}\b", said)[0]
    fields: dict[str, Any] = {
        "keywords": [{"term": word, "translation": "术语" if "zh" in languages else ""}]
    }
    for name in ("practicality", "novelty", "recommendation"):
        fields[name] = {
            "value": 3.5,
            "evidence": [number],
            **{f"reason_{language}": texts[language] for language in languages},
        }
    for language in languages:
        fields[f"main_work_{language}"] = {"text": texts[language], "evidence": [number]}
        fields[f"highlights_{language}"] = [{"text": texts[language], "evidence": [number]}]
    return json.dumps({**fields, **changes}, ensure_ascii=False)

"""Keywords occur in the text, say different things, and carry the glossary's Chinese."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sulan.digest import sentences, stored
from sulan.digest.keywords import MAX_KEYWORDS, keywords

WORDS = st.text(alphabet="abcdefgXYZ -0123456789.,\\{}$", max_size=120)


def test_the_shipped_day() -> None:
    terms = {
        paper.id: [keyword.term for keyword in keywords(paper.title, sentences.split(paper.abstract))]
        for paper in stored.papers("2023-09-12") or ()
    }
    for paper, name in {
        "2309.05463": "phi-1.5",
        "2309.05519": "NExT-GPT",
        "2309.04662": "MADLAD-400",
        "2309.04663": "FIAT",
    }.items():
        assert name in terms[paper]
    assert "Signed Gradient Descent" in terms["2309.05516"]
    assert all(len(found) == MAX_KEYWORDS for found in terms.values())


def test_translations_are_the_glossary_s() -> None:
    found = {
        k.term: k.translation
        for k in keywords("Quantization of LLMs", ["We quantize LLMs with AbsoluteNet."])
    }
    assert found["LLMs"] == "大语言模型"
    assert found["Quantization"] == "量化"
    assert found["AbsoluteNet"] == ""


@given(title=WORDS, body=st.lists(WORDS, max_size=5))
def test_every_keyword_occurs(title: str, body: list[str]) -> None:
    text = re.sub(r"\\[a-zA-Z]+\s*|[{}$]", "", f"{title} . {' . '.join(body)}").casefold()
    found = keywords(title, body)
    assert len(found) <= MAX_KEYWORDS
    for keyword in found:
        for word in keyword.term.casefold().split():
            assert word in text


def test_one_keyword_a_meaning() -> None:
    found = keywords(
        "Large Language Models", ["Large language models (LLMs) are language models.", "An LLM."]
    )
    translations = [keyword.translation for keyword in found if keyword.translation]
    assert len(translations) == len(set(translations))

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.digest.sentences import split


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("We release phi-1.5. It is small.", 2),
        ("It wins by 3.5% on X, i.e. most tasks, e.g. QA.", 1),
        ("Smith et al. (2023) disagree. So do others, etc. We do not.", 3),
        ("See Fig. 3 and Sec. 2.1. It holds vs. the rest, cf. Eq. 4.", 2),
        ('They say "it ends here." Then it goes on.', 2),
        ("phi-1.5 is good. phi-1.5 exhibits traits of larger models.", 2),
        (r"We use $p < .05. x$ here. \textbf{Both} work.", 2),
        ("A run costs $5. We spent $10 in all.", 2),
        ("Does it work? Yes! It does...  And more.", 4),
        ("J. Smith lives in the U.S. We do not.", 2),
        ("这是一句。“这是两句。”这是三句！还有；最后", 5),
        ("", 0),
        ("  no stop at all ", 1),
    ],
)
def test_number_of_sentences(text: str, sentences: int) -> None:
    language = "zh" if "。" in text else "en"
    assert len(split(text, language=language)) == sentences


@given(
    st.text(alphabet=st.sampled_from(list("aB1 .!?…。；！\n\"'”)$\\{}é中\t")), max_size=200), st.booleans()
)
def test_nothing_is_lost_but_white_space(text: str, chinese: bool) -> None:
    sentences = split(text, language="zh" if chinese else "en")
    assert re.sub(r"\s", "", "".join(sentences)) == re.sub(r"\s", "", text)
    assert all(sentence and sentence == sentence.strip() for sentence in sentences)


@given(st.lists(st.sampled_from(["We do it.", "It wins by 3.5%.", "Why not?", "phi-1.5 works."]), max_size=6))
def test_sentences_survive_joining(sentences: list[str]) -> None:
    assert split(" ".join(sentences)) == tuple(sentences)

"""Text is plain text, and pieces have the tokens of the whole."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.small import TEXTS
from sulan.errors import InputError
from sulan.models import LanguageModel, tiny, tokens

TOKENIZER = tiny.tokenizer([*TEXTS, "one two three\nfour five\n"], vocabulary=320)


def test_special_tokens_in_a_text_are_its_letters() -> None:
    (found,) = tokens.encode(TOKENIZER, ["a <|endoftext|> b"])
    assert TOKENIZER.eos_token_id not in found
    assert TOKENIZER.decode(found) == "a <|endoftext|> b"


@given(st.text())
@settings(deadline=None)
def test_every_text_comes_back(text: str) -> None:
    (found,) = tokens.encode(TOKENIZER, [text])
    assert TOKENIZER.decode(found) == text


@given(
    st.lists(
        st.sampled_from(["one", "two", " ", "\n", "\n\n", "3.14", "，速览", "\t", "...", "é"]), max_size=60
    )
)
@settings(deadline=None)
def test_pieces_have_the_tokens_of_the_whole(parts: list[str]) -> None:
    text = "".join(parts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tokens, "PIECE", 7)
        pieces = list(tokens._pieces(text))
        assert "".join(pieces) == text
        (cut,) = tokens.encode(TOKENIZER, [text])
    (whole,) = tokens.encode(TOKENIZER, [text])
    np.testing.assert_array_equal(cut, whole)


def test_a_text_without_a_place_to_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "PIECE", 100)
    monkeypatch.setattr(tokens, "LONGEST", 1000)
    (found,) = tokens.encode(TOKENIZER, ["x" * 5000])
    assert TOKENIZER.decode(found) == "x" * 5000


def test_half_a_surrogate_pair() -> None:
    with pytest.raises(InputError, match="not Unicode"):
        list(tokens.encode(TOKENIZER, ["a\ud800"]))


@pytest.mark.xdist_group("smollm2")
def test_smollm2_in_pieces(smollm2: LanguageModel, monkeypatch: pytest.MonkeyPatch) -> None:
    from pydoc_data import topics

    text = "".join(topics.topics[name] for name in ("assignment", "strings", "numbers"))
    (whole,) = tokens.encode(smollm2.tokenizer, [text])
    monkeypatch.setattr(tokens, "PIECE", 500)
    (cut,) = tokens.encode(smollm2.tokenizer, [text])
    np.testing.assert_array_equal(cut, whole)
    (found,) = tokens.encode(smollm2.tokenizer, ["<|im_start|>user"])
    assert smollm2.tokenizer.bos_token_id not in found

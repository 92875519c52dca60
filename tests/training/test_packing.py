"""Texts become tokens: nothing in a text is special, long ones are cut where it does not show."""

from pathlib import Path

import numpy
import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from sulan.documents import writer
from sulan.errors import InputError
from sulan.models import tiny
from sulan.training import pack_corpus, packing

END = "<|endoftext|>"
TEXTS = [
    "The cat sat on the mat, and the dog sat on the cat.",
    "def cat(mat):\n    return [mat  for mat in mat]\n\n\n",
    "速览：今天的论文。 The mat’s cat — naïve.\r\n\tTabs and\u00a0spaces  everywhere.   ",
    "",
    "a",
    f"A text that spells {END} out.",
]


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return tiny.tokenizer(TEXTS, vocabulary=400)


@given(
    texts=st.lists(st.text(st.characters(codec="utf-8"), max_size=60) | st.sampled_from(TEXTS), max_size=8)
)
def test_texts_come_back(texts: list[str], tokenizer: PreTrainedTokenizerBase) -> None:
    assert [tokenizer.decode(ids) for ids in packing.encoded(texts, tokenizer)] == texts


def test_a_corpus_is_packed_in_its_order(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    rows = pyarrow.table({"id": [str(n) for n in range(len(TEXTS))], "text": TEXTS})
    writer.write([rows], tmp_path / "corpus")
    packed = pack_corpus(tmp_path / "corpus", tokenizer, tmp_path / "tokens", fingerprint="abc")
    assert (packed.vocabulary, packed.end, packed.tokenizer) == (len(tokenizer), 0, "abc")
    for number, text in enumerate(TEXTS):
        document = packed.documents([number])
        ids = document.sequences(numpy.array([0]), context=document.tokens)[0].tolist()
        assert ids[-1] == 0
        assert 0 not in ids[:-1], "a text became the end token"
        assert tokenizer.decode(ids[:-1]) == text


def test_without_an_end_token(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    without = PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer)
    with pytest.raises(InputError, match="no end-of-text token"):
        pack_corpus(tmp_path, without, tmp_path / "tokens")


@given(text=st.text(alphabet="ab cd.\n\tÄ速", max_size=300), size=st.integers(1, 40))
def test_pieces_are_the_text(text: str, size: int) -> None:
    parts = list(packing.pieces(text, size=size))
    assert "".join(parts) == text
    assert all(len(part) <= 2 * size for part in parts)


def test_cutting_a_long_text_does_not_show(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = " ".join(TEXTS[:3]) * 30
    whole = next(packing.encoded([text], tokenizer)).tolist()
    monkeypatch.setattr(packing, "CHARACTERS", 500)
    cut = [ids.tolist() for ids in packing.encoded(["cat", text, "mat"], tokenizer)]
    assert cut[1] == whole
    assert len(cut) == 3


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_document_of_100_mb(tokenizer: PreTrainedTokenizerBase, tmp_path: Path) -> None:
    text = "The cat sat on the mat. " * (100_000_000 // 24)
    rows = pyarrow.table({"id": ["big"], "text": pyarrow.array([text], type=pyarrow.large_string())})
    writer.write([rows], tmp_path / "corpus")
    packed = pack_corpus(tmp_path / "corpus", tokenizer, tmp_path / "tokens")
    assert packed.tokens > 10_000_000

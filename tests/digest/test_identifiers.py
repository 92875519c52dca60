import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.digest import identifiers

# Forms from arXiv's own description of its identifiers, and the addresses that people paste.
FORMS = {
    "2309.05463": ("2309.05463", None),
    "0704.0001v12": ("0704.0001", 12),
    "arXiv:2309.05463v2": ("2309.05463", 2),
    "ARXIV: 2309.05463": ("2309.05463", None),
    "http://arxiv.org/abs/2309.05463v1": ("2309.05463", 1),
    "https://arxiv.org/pdf/2309.05463v2.pdf": ("2309.05463", 2),
    "https://arxiv.org/pdf/2309.05463?download=1": ("2309.05463", None),
    "export.arxiv.org/abs/2309.05463": ("2309.05463", None),
    "https://huggingface.co/papers/2309.05463#community": ("2309.05463", None),
    "https://doi.org/10.48550/arXiv.2309.05463": ("2309.05463", None),
    "10.48550/ARXIV.2309.05463": ("2309.05463", None),
    "hep-th/9901001v3": ("hep-th/9901001", 3),
    "MATH.ag/0501001": ("math.AG/0501001", None),
}


@pytest.mark.parametrize(("text", "expected"), FORMS.items())
def test_forms(text: str, expected: tuple[str, int | None]) -> None:
    assert identifiers.parse(f"  {text}\n") == expected


@pytest.mark.parametrize(
    "text",
    ["", "phi-1.5", "2309.054", "2309.0546312", "23090.5463", "https://evil.example/abs/2309.05463",
     "https://arxiv.org.evil.example/abs/2309.05463", "2309.05463 2309.05519", "v2", "２309.05463"],
)  # fmt: skip
def test_not_an_identifier(text: str) -> None:
    assert identifiers.parse(text) is None


def test_inside_prose_only_with_its_prefix() -> None:
    assert identifiers.parse_inside("In: arXiv preprint (arXiv:2309.05463v1), 2023") == "2309.05463"
    assert identifiers.parse_inside("pages 2309.05463 to 2309.05519") is None


@given(st.integers(0, 9999), st.integers(0, 99999), st.none() | st.integers(1, 99))
def test_an_id_is_itself(month: int, number: int, version: int | None) -> None:
    paper_id = f"{month:04}.{number:05}"
    assert identifiers.parse(paper_id + (f"v{version}" if version else "")) == (paper_id, version)
    assert identifiers.parse(paper_id) == (paper_id, None)

"""Golden sizes of the paper's system: built from the official code, commit 60d618b, and the paper's "1 %"."""

import pytest

from sulan.anytoany import parameters


def test_the_papers_parts_have_their_sizes_and_one_percent_is_trained() -> None:
    rows = parameters.official()
    trained = {row.part: round(row.count / 1e6, 2) for row in rows if row.trained}
    assert trained == {
        "input projection": 4.20,
        "LoRA": 33.55,
        "output projection image": 31.96,
        "output projection audio": 31.79,
        "output projection video": 32.09,
    }
    # 131 M of 12.275 B and a Llama of 6.74 B counted among them (v1).
    assert parameters.share(rows) == pytest.approx(0.01, abs=0.002)

"""Randomness depends on the seed and the item alone."""

import random

from hypothesis import given
from hypothesis import strategies as st

from sulan.runs import seeds


@given(seed=st.integers(), items=st.lists(st.text(), unique=True, min_size=2, max_size=20))
def test_order_does_not_matter(seed: int, items: list[str]) -> None:
    drawn = {item: seeds.generator(seed, item).random() for item in items}
    shuffled = random.Random(0).sample(items, len(items))
    assert {item: seeds.generator(seed, item).random() for item in shuffled} == drawn
    assert len(set(drawn.values())) == len(items)


def test_same_bytes_as_ever() -> None:
    # Drawn with this house's first version: a change here changes every artefact made so far.
    assert seeds.key(0, "document-1") == 0x4A8E3FAF994260C3819D246845A17959
    assert seeds.generator(0, "document-1").integers(1000, size=4).tolist() == [199, 560, 483, 752]

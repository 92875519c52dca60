"""Progress shows what is done and changes nothing."""

import logging

import pytest

from sulan.runs import progress as module
from sulan.runs.progress import progress


def test_items_pass_through_unchanged() -> None:
    assert list(progress(range(5), label="count")) == [0, 1, 2, 3, 4]


def test_one_line_every_interval(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    # The clock is the test's: ten seconds pass with every item.
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr(module.time, "monotonic", lambda: float(next(clock)))
    with caplog.at_level(logging.INFO, logger="sulan"):
        list(progress(["a", "b"], label="write"))
    assert [record.message for record in caplog.records] == ["write: 0 of 2", "write: 1 of 2"]

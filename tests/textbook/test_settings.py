"""Presets and what is printed of them."""

import pytest

from sulan import textbook
from sulan.errors import InputError
from sulan.textbook import pretraining
from sulan.textbook.presets import SHAPES, Learning, Shape


def test_the_printed_settings_of_phi_are_the_papers() -> None:
    report = textbook.pretrain(preset="phi-1.5", print_config=True)
    model, training = ({row[0]: row[1] for row in table.rows} for table in report.tables)
    assert report.summary["parameters"] == 1_418_270_720  # as transformers counts PhiConfig's defaults
    assert (model["layers"], model["heads"], model["context"]) == (24, 32, 2048)  # 2309.05463, section 2.1
    assert (training["learning_rate"], training["schedule"], training["warmup"]) == (
        2e-4,
        "constant",
        0,
    )  # 2.3
    assert (training["betas"], training["epsilon"], training["weight_decay"]) == ("0.9, 0.98", 1e-7, 0.1)
    assert training["batch"] == 2048
    assert abs(int(str(report.summary["tokens"])) / 150e9 - 1) < 1e-3
    assert all(row[2] for table in report.tables for row in table.rows)


def test_what_is_changed_is_printed_as_changed() -> None:
    shape = Shape(vocabulary=51_200, layers=2, width=2048, heads=32, context=2048)
    report = textbook.pretrain(preset="phi-1.5", shape=shape, learning=Learning(steps=10), print_config=True)
    sources = {row[0]: row[2] for table in report.tables for row in table.rows}
    assert sources["layers"] == sources["steps"] == "changed here"
    assert report.summary["tokens"] == 10 * 2048 * 2048


@pytest.mark.parametrize("wrong", [Learning(steps=0), Learning(learning_rate=0.0), Learning(batch=0)])
def test_a_zero_is_refused_and_not_taken_for_the_presets_value(wrong: Learning) -> None:
    with pytest.raises(InputError, match="cannot be 0"):
        pretraining.settings("phi-5m", wrong, SHAPES["phi-5m"], seed=0)

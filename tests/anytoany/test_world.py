"""The small world as a data folder."""

import hashlib

import numpy as np
import pytest

from sulan.anytoany import captions, dataset, dialogues, drawing, scenes, sounding, world
from sulan.anytoany.media import Audio, Image, Video
from sulan.anytoany.messages import Text
from sulan.anytoany.rendering import Rendering
from sulan.errors import BrokenArtefact, InputError

SMALL = Rendering(size=16, frames=4, seconds=0.5)


def digests(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "run.json"
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("world") / "data"
    report = world(out=out, train=21, test=7, combinations=7, rendering=SMALL, workers=1)
    assert report.summary["train"] == 21
    return out


def test_bytes_do_not_depend_on_the_number_of_workers(folder, tmp_path):
    world(out=tmp_path / "two", train=21, test=7, combinations=7, rendering=SMALL, workers=2)
    assert digests(tmp_path / "two") == digests(folder)
    assert not list(tmp_path.glob(".two*"))


def test_rows_say_what_their_files_hold(folder):
    rows = list(dataset.read(folder))
    assert [row.split for row in rows] == ["train"] * 21 + ["test"] * 7 + ["combinations"] * 7
    for row in rows:
        picture, sound, clip = (dataset.load(folder, file) for file in row.files)
        assert row.scene is not None
        assert isinstance(picture, Image) and isinstance(sound, Audio) and isinstance(clip, Video)
        assert (picture.pixels == drawing.image(row.scene, 16).pixels).all()
        assert (clip.frames == drawing.video(row.scene, 16, 4).frames).all()
        expected = sounding.audio(row.scene, 16000, 0.5).samples
        assert np.abs(sound.samples - expected).max() < 1 / 32767
        assert captions.read(row.text).colour == row.scene.colour
        assert captions.read(row.captions["image"]).motion is None
    assert len(list(dataset.read(folder, split="test"))) == 7


def test_a_conversation_comes_with_its_media(folder):
    row = next(row for row in dataset.read(folder) if len(row.turns) == 6)
    said = dataset.messages(folder, row)
    assert [message.role for message in said] == ["user", "assistant"] * 3
    made = [part for message in said for part in message.parts if not isinstance(part, Text)]
    assert len({medium.kind for medium in made}) == 2


def test_training_has_all_forms_and_no_kept_wording(folder):
    train = list(dataset.read(folder, split="train"))
    assert any(len(row.turns) == 6 for row in train)
    assert any("does not show motion" in str(row.turns[-1].parts) for row in train)
    media = [{type(part) for turn in row.turns[:1] for part in turn.parts} for row in train]
    assert {str} in media
    kept = captions.WORDINGS[-captions.KEPT_WORDINGS :]
    for row in train:
        assert row.scene is not None
        assert row.text not in {wording.format(what=captions.phrase(row.scene)) for wording in kept}


def test_a_damaged_file_and_one_outside_are_named(folder, tmp_path):
    (tmp_path / "cut.wav").write_bytes((folder / "media/train/train-000000.wav").read_bytes()[:400])
    for kind in ("audio", "image", "video"):
        with pytest.raises(BrokenArtefact, match="damaged"):
            dataset.load(tmp_path, dialogues.File(kind=kind, path="cut.wav"))
    with pytest.raises(BrokenArtefact, match="outside"):
        dataset.load(tmp_path, dialogues.File(kind="image", path="../x.png"))


def test_captions_can_be_read_back_in_every_wording():
    assert len(set(captions.WORDINGS)) >= 30
    for wording in range(len(captions.WORDINGS)):
        for number in range(20):
            scene = scenes.sample(1, number)
            said = captions.read(captions.caption(scene, wording=wording))
            assert (said.colour, said.shape, said.count, said.size, said.motion) == (
                scene.colour,
                scene.shape,
                scene.count,
                scene.size,
                scene.motion,
            )


def test_a_message_that_is_none_is_refused():
    for content in ("no json", '[{"type": "smell", "path": "x"}]', '[{"type": "text"}]'):
        with pytest.raises(BrokenArtefact):
            dialogues.turn("user", content)


def test_a_world_without_scenes_is_refused(tmp_path):
    with pytest.raises(InputError, match="train"):
        world(out=tmp_path / "x", train=0)

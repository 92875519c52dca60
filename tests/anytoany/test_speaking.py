"""One reply to words and files, on disk."""

from pathlib import Path

import numpy as np
import pytest

from anytoany.hostile import HTML, picture, silence
from anytoany.scripted import Scripted
from sulan.anytoany import speaking
from sulan.anytoany.delivery import Delivery
from sulan.anytoany.messages import Text
from sulan.anytoany.protocols import Settings
from sulan.anytoany.safety import Unchecked
from sulan.errors import InputError, MissingFile


class NoPictures(Unchecked):
    def request(self, messages):
        return "it is rude" if messages[-1].parts[0] == Text(text="rude") else ""

    def medium(self, media):
        return "of a picture" if media.kind == "image" else ""


def test_files_go_in_and_come_out_in_their_order(tmp_path: Path):
    (tmp_path / "a.png").write_bytes(picture(np.zeros((2, 2, 3), np.uint8)))
    (tmp_path / "b.flac").write_bytes(silence(1))
    said = speaking.turn("hello", image=[tmp_path / "a.png"], audio=[tmp_path / "b.flac"])
    settings = Settings(modalities=("audio", "video"))
    answer = speaking.reply(
        Scripted(), [said], settings=settings, delivery=Delivery(), folder=tmp_path, stem="7-"
    )
    assert answer.text == "I got Text Image Audio"
    assert [path.name for path in answer.paths] == ["7-0-audio.wav", "7-1-video.mp4"]
    assert all(path.stat().st_size for path in answer.paths)


def test_what_is_withheld_is_told_and_a_refused_request_is_an_error(tmp_path: Path):
    delivery = Delivery(checker=NoPictures())
    settings = Settings(modalities=("image",))
    answer = speaking.reply(
        Scripted(), [speaking.turn("draw")], settings=settings, delivery=delivery, folder=tmp_path
    )
    assert answer.paths == () and answer.withheld == ("The image is withheld: of a picture.",)
    with pytest.raises(InputError, match="it is rude"):
        speaking.reply(
            Scripted(), [speaking.turn("rude")], settings=settings, delivery=delivery, folder=tmp_path
        )


def test_a_file_that_is_not_there_or_not_what_it_is_given_as_is_told(tmp_path: Path):
    with pytest.raises(MissingFile):
        speaking.turn("hello", image=[tmp_path / "none.png"])
    (tmp_path / "page.png").write_bytes(HTML)
    with pytest.raises(InputError, match="no format"):
        speaking.turn("hello", image=[tmp_path / "page.png"])


def test_prompts_keep_their_names(tmp_path: Path):
    file = tmp_path / "prompts.jsonl"
    file.write_text('{"id": "a", "say": "draw"}\n{"id": "b", "say": "sing"}\n')
    assert speaking.prompts(file, column="say") == [("a", "draw"), ("b", "sing")]

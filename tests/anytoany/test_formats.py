"""Data of others, and what validate finds in a data folder."""

import base64
import io
import json
import tarfile

import pytest

from sulan.anytoany import convert, dataset, drawing, inspection, scenes, validate, world
from sulan.anytoany.dialogues import File
from sulan.anytoany.rendering import Rendering
from sulan.errors import InputError, MissingFile

PNG = dataset.encoded(drawing.image(scenes.sample(0, 0), 16))


@pytest.fixture
def media(tmp_path):
    folder = tmp_path / "files"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(PNG)
    return folder


def made(tmp_path, form, rows, media=None):
    source = tmp_path / "source.json"
    text = "\n".join(map(json.dumps, rows)) if form == "messages" else json.dumps(rows)
    source.write_text(text)
    report = convert(source, out=tmp_path / "out", form=form, media=media)
    return report, list(dataset.read(tmp_path / "out"))


def test_pairs_of_next_gpt(tmp_path, media):
    rows = [
        {"image_id": 1, "image_name": "a.png", "caption": "one"},
        {"image_name": "gone.png", "caption": "two"},
    ]
    report, items = made(tmp_path, "pairs", rows, media)
    assert (report.summary["rows"], report.summary["missing"]) == (2, 1)
    assert items[0].text == "one"
    assert validate(tmp_path / "out").exit_code == 1
    faults = [row[:2] for row in validate(tmp_path / "out").tables[0].rows]
    assert faults == [("missing", "media/gone.png")]


def test_conversations_of_next_gpt_and_llava_keep_files_in_their_order(tmp_path, media):
    rows = [
        {
            "image": ["a.png", "b.png"],
            "conversations": [
                {"from": "human", "value": "<image>\nand <image>\nwhich is older?"},
                {"from": "gpt", "value": "the first"},
            ],
        },
        {
            "output_image": "a.png",
            "image_captions": "a thing",
            "image_caption_embeddings": "a.npy",
            "conversations": [
                {"from": "human", "value": "draw"},
                {"from": "gpt", "value": "Sure thing! <image>"},
            ],
        },
        {
            "input_image": "b.png",
            "conversations": [{"from": "human", "value": "what?"}, {"from": "gpt", "value": "x"}],
        },
    ]
    _, items = made(tmp_path, "conversations", rows, media)
    first, second = File(kind="image", path="media/a.png"), File(kind="image", path="media/b.png")
    assert items[0].turns[0].parts == (first, "and", second, "which is older?")
    assert items[1].turns[1].parts == ("Sure thing!", first)
    assert items[1].captions == {"image": "a thing"}
    assert items[2].turns[0].parts == (second, "what?")
    assert validate(tmp_path / "out").exit_code == 0


def test_messages_of_openai(tmp_path):
    address = "data:image/png;base64," + base64.b64encode(PNG).decode()
    content = [
        {"type": "text", "text": "what is this?"},
        {"type": "image_url", "image_url": {"url": address}},
    ]
    rows = [{"messages": [{"role": "user", "content": content}, {"role": "assistant", "content": "a dot"}]}]
    _, items = made(tmp_path, "messages", rows)
    assert [turn.role for turn in items[0].turns] == ["user", "assistant"]
    assert (tmp_path / "out" / items[0].files[0].path).read_bytes() == PNG
    assert validate(tmp_path / "out").exit_code == 0


@pytest.mark.parametrize(
    "part",
    [
        {"type": "image_url", "image_url": {"url": "http://169.254.169.254/x.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/svg;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,%%"}},
        {"type": "smell"},
    ],
)
def test_parts_that_are_not_read_are_refused(tmp_path, part):
    with pytest.raises(InputError):
        made(tmp_path, "messages", [{"messages": [{"role": "user", "content": [part]}]}])
    assert not (tmp_path / "out").exists()


def test_archives_of_webdataset_are_read_and_no_path_of_theirs_is_followed(tmp_path):
    source = tmp_path / "shard.tar"
    with tarfile.open(source, "w") as opened:
        for name, data in (
            ("../../x.png", PNG),
            ("../../x.txt", b"a dot"),
            ("y.png", PNG),
            ("y.json", b'{"caption": "b"}'),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            opened.addfile(member, io.BytesIO(data))
    convert(source, out=tmp_path / "out", form="webdataset")
    items = list(dataset.read(tmp_path / "out"))
    assert [item.text for item in items] == ["a dot", "b"]
    assert all(path.is_relative_to(tmp_path) for path in tmp_path.rglob("*"))
    assert validate(tmp_path / "out").exit_code == 0
    source.write_bytes(source.read_bytes()[:700])
    with pytest.raises(InputError):
        convert(source, out=tmp_path / "cut", form="webdataset")


def test_validate_finds_what_was_planted(tmp_path):
    out = tmp_path / "world"
    world(
        out=out,
        train=5,
        test=1,
        combinations=1,
        rendering=Rendering(size=16, frames=2, seconds=0.25),
        workers=1,
    )
    assert validate(out).exit_code == 0
    train = out / "media" / "train"
    (train / "train-000000.png").unlink()
    for name in ("train-000001.png", "train-000002.wav", "train-000003.npz"):
        whole = (train / name).read_bytes()
        (train / name).write_bytes(whole[: len(whole) // 2])
    (train / "train-000004.wav").write_bytes(b"")
    report = validate(out)
    assert report.summary["findings"] == 5
    assert [row[:2] for row in report.tables[0].rows] == [
        ("missing", "media/train/train-000000.png"),
        ("damaged", "media/train/train-000001.png"),
        ("damaged", "media/train/train-000002.wav"),
        ("damaged", "media/train/train-000003.npz"),
        ("empty", "media/train/train-000004.wav"),
    ]


def test_files_of_one_name_and_files_outside_are_findings(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x.png").write_bytes(PNG)
    files = (File(kind="image", path="one/x.png"), File(kind="image", path="two/x.png"))
    outside = File(kind="image", path="../x2.png")
    items = [dataset.Item(id="a", text="-", files=(*files, outside))]
    assert [(found.fault, found.path) for found in inspection.inspect(tmp_path, items)] == [
        ("same name", "one/x.png"),
        ("same name", "two/x.png"),
        ("outside", "../x2.png"),
    ]


def test_html_named_as_a_clip_is_damaged(tmp_path):
    (tmp_path / "x.mp4").write_text("<html></html>")
    assert inspection.look(tmp_path, File(kind="video", path="x.mp4"))[0] == "damaged"


def test_a_source_that_is_not_there_is_one_line(tmp_path):
    with pytest.raises(MissingFile):
        convert(tmp_path / "no.json", out=tmp_path / "out", form="pairs")

"""Three variants with the same model, tokens and seeds."""

import pyarrow as pa
import pytest

from sulan.documents import reader, writer
from sulan.errors import InputError
from sulan.textbook import ablate, findings, glosses, variants
from sulan.textbook.presets import Shape
from sulan.training import stream as streams

SHAPE = Shape(vocabulary=300, layers=1, width=32, heads=2, context=64)


def corpus(folder, word, count):
    texts = [f"{word} number {n} says {word} {n * n} times. " * 3 for n in range(count)]
    table = pa.table(
        {"id": [f"{word}-{n}" for n in range(count)], "text": pa.array(texts, pa.large_string())}
    )
    writer.write([table], folder)
    return folder


def rows(**variants_of_exercises):
    return [
        {
            "variant": variant,
            "seed": seed,
            "exercises": value,
            "cloze": 0.25,
            "textbook": 3 - value,
            "web": 2.0,
        }
        for variant, values in variants_of_exercises.items()
        for seed, value in enumerate(values)
    ]


def test_more_right_answers_and_fewer_bits_are_better():
    found = findings.differences(
        rows(textbook=(0.50, 0.52, 0.51), web=(0.40, 0.41, 0.42)), [("textbook", "web")]
    )
    better = {each.measure: each.better for each in found}
    assert better == {"exercises": "textbook", "textbook": "textbook", "cloze": "", "web": ""}
    assert "textbook is better than web" in found[0].words


def test_the_other_way_round_is_said_and_so_is_what_cannot_be_told():
    lost = findings.differences(
        rows(textbook=(0.40, 0.41, 0.42), web=(0.5, 0.52, 0.51)), [("textbook", "web")]
    )
    assert lost[0].better == "web"
    assert "web is better than textbook" in lost[0].words
    even = findings.differences(rows(textbook=(0.3, 0.5, 0.4), web=(0.5, 0.3, 0.4)), [("textbook", "web")])
    assert even[0].better == ""
    assert "no difference can be told" in even[0].words


def test_variants_have_as_many_tokens_and_no_held_out_text(tmp_path):
    pytest.importorskip("reasoning_gym")
    if not (glosses.FOLDER / glosses.NOUNS).is_file():
        pytest.skip("WordNet is not installed")
    corpora = {"textbook": corpus(tmp_path / "a", "lesson", 200), "web": corpus(tmp_path / "b", "page", 120)}
    out = tmp_path / "prepared"
    out.mkdir()
    made = variants.prepare(0, out, **corpora, share=0.5, held_out=0.2, count=25, shape=SHAPE, seed=3)
    sizes = {name: size["tokens"] for name, size in made["sizes"].items()}
    longest = max(sizes.values()) - min(sizes.values())
    assert longest < 100  # the last document of a part is whole
    assert {name: streams.read(out / f"{name}-tokens").tokens for name in variants.VARIANTS} == sizes
    for name, path in corpora.items():
        held = set(reader.columns(out / f"{name}-held-out", ["id"])["id"].to_pylist())
        kept = set(reader.columns(out / name, ["id"])["id"].to_pylist())
        assert not held & kept
        assert held | kept == set(reader.columns(path, ["id"])["id"].to_pylist())
        assert 0.1 < len(held) / len(held | kept) < 0.3


def test_settings_out_of_range_are_refused_before_anything_is_made(tmp_path):
    with pytest.raises(InputError, match="share and held-out"):
        ablate(tmp_path, tmp_path, out=tmp_path / "out", share=1.0)
    with pytest.raises(InputError, match="seeds"):
        ablate(tmp_path, tmp_path, out=tmp_path / "out", seeds=1)

"""The evaluation, on a small real system that reads and draws by the world's own law."""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from sulan.anytoany import captions as wordings
from sulan.anytoany import dialogues, directions, evaluate, findings, readers, trials
from sulan.anytoany.media import KINDS, Kind, Media
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Condition, Decoder, Event, Features, Made, Said, Settings
from sulan.anytoany.rendering import Rendering, render
from sulan.anytoany.scenes import COLOURS, MOTIONS, SHAPES, SIZES, Scene
from sulan.errors import InputError, MissingFile

TINY = Rendering(size=16, frames=4, seconds=0.5)
FEATURES = Features(tokens=1, width=7)
CONDITION = Condition(tokens=1, width=7)
PLAN = trials.Plan(scenes=8, repeats=2, steps=1, guidance=1.0, prompts=24)


def scene(numbers) -> Scene:
    hue, shape, count, size, x, y, motion = (float(value) for value in numbers)
    return Scene(
        hue=hue % 360,
        shape=SHAPES[int(shape)],
        count=max(1, round(count)),
        size=SIZES[int(size)],
        x=min(0.65, max(0.35, x)),
        y=min(0.65, max(0.35, y)),
        motion=MOTIONS[int(motion)],
    )


@dataclass(kw_only=True)
class ReadingEncoder:
    """Seven numbers of what a reader reads."""

    kind: Kind
    features: Features = FEATURES

    def encode(self, media: Sequence[Media]) -> torch.Tensor:
        rows = []
        for medium in media:
            read = readers.read(medium)
            assert read is not None
            motion = MOTIONS.index(read.motion) if read.motion else 0
            x, y = read.x or 0.5, read.y or 0.5
            row = [read.hue, SHAPES.index(read.shape), read.count, SIZES.index(read.size), x, y, motion]
            rows.append(row)
        return torch.tensor(rows, dtype=torch.float64)[:, None]


@dataclass(kw_only=True)
class LawDecoder:
    """Renders the scene whose seven numbers it is given."""

    kind: Kind
    condition: Condition = CONDITION

    def text_condition(self, captions: Sequence[str]) -> torch.Tensor:
        rows = []
        for text in captions:
            said = wordings.read(text)
            hue = 45.0 * COLOURS.index(said.colour or "red")
            shape = list[str](SHAPES).index(said.shape or "circle")
            size = 1 if said.size == "big" else 0
            motion = list[str](MOTIONS).index(said.motion or "still")
            rows.append([hue, shape, said.count or 1, size, 0.5, 0.5, motion])
        return torch.tensor(rows, dtype=torch.float64)[:, None]

    def latents(self, media):
        raise NotImplementedError

    def denoising_loss(self, latents, condition, *, noise, steps):
        raise NotImplementedError

    def generate(self, condition, *, seeds, steps, guidance, on_step=None) -> list[Media]:
        assert len(seeds) == len(condition)
        return [render(scene(row[0]), self.kind, TINY) for row in condition]


@dataclass(kw_only=True)
class Lawful:
    """Does what it is asked for, and passes on all that it reads."""

    encoders: Mapping[Kind, ReadingEncoder] = field(
        default_factory=lambda: {kind: ReadingEncoder(kind=kind) for kind in KINDS}
    )
    asked: list[tuple[Kind, ...]] = field(default_factory=list)

    def decoder(self, kind: Kind) -> Decoder:
        return LawDecoder(kind=kind)

    def reply(
        self, messages: Sequence[Message], *, settings: Settings, wanted=lambda: True
    ) -> Iterator[Event]:
        self.asked.append(settings.modalities)
        words = " ".join(part.text for part in messages[-1].parts if isinstance(part, Text))
        media = [part for part in messages[-1].parts if not isinstance(part, Text)]
        numbers = [self.encoders[part.kind].encode([part])[0, 0] for part in media]
        if not numbers:
            numbers = [LawDecoder(kind="image").text_condition([words])[0, 0]]
        merged = torch.stack(numbers).amax(0) if len(numbers) > 1 else numbers[0]
        kind = asked(words)
        if kind is None or kind not in settings.modalities:
            yield Said(text=wordings.caption(scene(merged)))
            return
        yield Said(text=dialogues.ANSWER[kind])
        yield Made(index=0, media=render(scene(merged), kind, TINY))


def asked(words: str) -> Kind | None:
    for kind in KINDS:
        for wording in dialogues.OPEN[kind] + dialogues.IMPLICIT[kind]:
            before, after = wording.split("{what}")
            if words.startswith(before) and words.endswith(after):
                return kind
    return None


@pytest.fixture(scope="module")
def found():
    return trials.run(Lawful(), PLAN, TINY)


def test_all_directions_are_there():
    named = [str(direction) for direction in directions.directions()]
    assert len(named) == len(set(named)) == 3 + 12 + 3 + 3
    one = directions.Direction(sources=("image",), target="audio")
    assert one.scored == ("colour", "shape", "count", "size")
    assert one.chance == pytest.approx(1 / (8 * 6 * 4 * 2))


def test_chance_of_a_position_is_that_of_two_draws_of_the_law():
    generator = np.random.default_rng(0)
    a, b = generator.uniform(0.35, 0.65, (2, 100_000, 2))
    assert (abs(a - b).max(axis=1) <= readers.POSITION).mean() == pytest.approx(
        directions.CHANCE["position"], abs=0.004
    )


def test_a_lawful_system_is_right_where_others_are_not(found):
    for trial in found:
        assert findings.whole(trial.system).shape == (2, 8)
        if len(trial.direction.sources) == 1:
            assert findings.whole(trial.system).mean() == 1.0, str(trial.direction)
        for control in (trial.zeroed, trial.shuffled):
            assert control is None or findings.whole(control).mean() < 0.3
    by_name = {str(trial.direction): trial for trial in found}
    across = by_name["video to image"]
    assert across.cascade is not None
    assert findings.whole(across.cascade).mean() < 0.5  # no caption says where
    mine, theirs = findings.hue(across.system), findings.hue(across.cascade)
    assert mine is not None and theirs is not None
    assert mine[0] < 1 < theirs[0] < 22.5


def test_routing_counts_what_is_wanted_and_what_is_made():
    system = Lawful()
    routing = trials.route(system, PLAN, TINY)
    assert (routing.recall, routing.precision, routing.exact) == (1.0, 1.0, 1.0)
    assert set(system.asked) == {KINDS}
    assert {len(kinds) for kinds in routing.wanted} == {0, 1}
    image, audio = frozenset[Kind]({"image"}), frozenset[Kind]({"audio"})
    mixed = trials.Routing(wanted=[image, image, frozenset()], made=[image, audio | image, audio])
    assert (mixed.recall, mixed.precision, mixed.exact) == (1.0, 0.5, pytest.approx(1 / 3))


def test_tables_have_an_interval_and_what_stands_beside(found):
    routing = trials.route(Lawful(), dataclasses.replace(PLAN, prompts=4), TINY)
    main, attributes, hues, routed = findings.tables(found, routing)
    rows = {row[0]: dict(zip(main.columns, row, strict=True)) for row in main.rows}
    assert rows["image to text"]["cascade"] is None
    assert rows["image to text"]["chance"] == pytest.approx(directions.CHANCE["colour"] / 48, rel=1e-3)
    assert rows["text to image"]["upper bound"] == 1.0
    for row in rows.values():
        low, value, high = (float(row[name] or 0) for name in ("low", "all right", "high"))
        assert low <= value <= high
    assert {row[1] for row in attributes.rows} == set(directions.CHANCE)
    assert all(row[-1] == pytest.approx(12.99) for row in hues.rows)
    assert routed.rows[0][0] == 4


def test_a_medium_that_was_not_asked_for_is_not_right():
    one = directions.Direction(sources=("text",), target="image")
    it = PLAN.chosen()[0]
    twice = [render(it, "image", TINY)] * 2
    assert directions.score(one, it, text="", media=twice[:1]).whole
    for media in ([], twice, [render(it, "audio", TINY)]):
        assert not directions.score(one, it, text="", media=media).whole


def test_no_system_and_numbers_out_of_range_are_one_line(tmp_path):
    with pytest.raises(MissingFile, match="no system"):
        evaluate(tmp_path / "none", out=tmp_path / "out")
    with pytest.raises(InputError, match="two scenes"):
        evaluate(tmp_path, out=tmp_path / "out", plan=trials.Plan(scenes=1))
    assert not (tmp_path / "out").exists()

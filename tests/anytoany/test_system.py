"""A system answers in text and media, loads no decoder that is not asked for, and comes back from disk the same."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model

from anytoany.small import CONFIG, folder
from sulan.anytoany import config, prompts, replies, system
from sulan.anytoany.media import Audio, Image, Kind, Media, Video
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Cancelled, Made, Making, Said, Settings
from sulan.errors import BrokenArtefact, InputError

RED = Image(pixels=np.full((20, 24, 3), (255, 0, 0), np.uint8))
BLUE = Image(pixels=np.full((20, 24, 3), (0, 0, 255), np.uint8))
BEEP = Audio(samples=np.sin(np.arange(4000) * 0.3).astype(np.float32), rate=8000)
CLIP = Video(frames=np.zeros((5, 16, 16, 3), np.uint8), rate=8.0)
SETTINGS = Settings(tokens=60, steps=2, guidance=2.0, temperature=1.5)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folder(tmp_path_factory.mktemp("any"))


@pytest.fixture
def eager(place: Path) -> Iterator[system.System]:
    """A system that begins a span of each kind before it says anything else: its embeddings of the first tokens."""
    loaded = system.load(place)
    head: Any = loaded.model.get_output_embeddings()

    def favour(_: torch.nn.Module, __: object, scores: torch.Tensor) -> torch.Tensor:
        scores = scores.clone()
        for span in loaded.spans.values():
            scores[..., span[0]] += 100
        return scores

    handle = head.register_forward_hook(favour)
    yield loaded
    handle.remove()


def asked(*parts: Text | Media) -> list[Message]:
    return [Message(role="user", parts=parts)]


def test_every_kind_goes_in_and_comes_out(eager: system.System) -> None:
    events = list(eager.reply(asked(Text(text="draw it"), RED, BEEP, CLIP), settings=SETTINGS))
    made = [event.media for event in events if isinstance(event, Made)]
    assert {item.kind for item in made} == {"image", "audio", "video"}
    assert len(made) == 3
    assert [event.done for event in events if isinstance(event, Making)] == [1, 2] * 3
    first = next(number for number, event in enumerate(events) if not isinstance(event, Said))
    assert not any(isinstance(event, Said) for event in events[first:])
    assert not any("<image_" in event.text for event in events if isinstance(event, Said))
    again = list(eager.reply(asked(Text(text="draw it"), RED, BEEP, CLIP), settings=SETTINGS))
    image, repeated = (
        next(
            event.media.pixels for event in told if isinstance(event, Made) and isinstance(event.media, Image)
        )
        for told in (events, again)
    )
    assert np.array_equal(image, repeated)


@pytest.mark.parametrize("wanted", [(), ("image",), ("audio", "video")])
def test_a_decoder_that_is_not_asked_for_is_never_loaded(
    eager: system.System, wanted: tuple[Kind, ...]
) -> None:
    list(eager.reply(asked(Text(text="draw")), settings=replace(SETTINGS, modalities=wanted)))
    assert set(eager.loaded) == set(wanted)


def test_the_budget_keeps_room_for_a_whole_span(eager: system.System) -> None:
    told = list(eager.reply(asked(Text(text="draw")), settings=replace(SETTINGS, tokens=5)))
    assert [event.media.kind for event in told if isinstance(event, Made)] == ["image"]
    # 8 tokens are just a whole audio span: the last token's state is computed although no token follows
    only = replace(SETTINGS, tokens=8, modalities=("audio",))
    told = list(eager.reply(asked(Text(text="sing")), settings=only))
    assert [event.media.kind for event in told if isinstance(event, Made)] == ["audio"]


def test_states_of_the_cached_decode_are_those_of_one_pass_without_cache(eager: system.System) -> None:
    messages, decode = asked(Text(text="draw"), RED), replies.Decode()
    greedy = replace(SETTINGS, temperature=0.0)
    list(replies._decoded(eager, messages, decode, settings=greedy, wanted=lambda: True))
    prompt = prompts.prompt(messages, eager.tokenizer, spans=eager.spans)
    with torch.no_grad():
        entering = torch.cat([eager.embedded(prompt), eager.embed(decode.tokens)])
        states = eager.model(inputs_embeds=entering[None], use_cache=False, output_hidden_states=True)
    both = states.hidden_states[-1][0] + entering
    assert len(decode.spans) == 3
    for span in decode.spans:
        begin = len(entering) - len(decode.tokens) + decode.tokens.index(eager.spans[span.kind][0])
        assert torch.allclose(span.states, both[begin : begin + len(span.states)], atol=1e-4)


def test_the_order_of_two_pictures_matters(place: Path) -> None:
    loaded = system.load(place)
    one, other = (
        loaded.embedded(prompts.prompt(asked(*pair), loaded.tokenizer, spans=loaded.spans))
        for pair in ((RED, BLUE), (BLUE, RED))
    )
    assert one.shape == other.shape
    assert not torch.allclose(one, other)


def test_what_a_user_writes_is_never_a_signal(place: Path) -> None:
    loaded = system.load(place)
    made = prompts.prompt(asked(Text(text="<image_00><image_01>")), loaded.tokenizer, spans=loaded.spans)
    signals = {token for span in loaded.spans.values() for token in span}
    assert not signals & {token for piece in made.pieces if isinstance(piece, tuple) for token in piece}


def test_who_leaves_between_tokens_or_steps_ends_the_reply(eager: system.System) -> None:
    with pytest.raises(Cancelled):
        list(eager.reply(asked(Text(text="a")), settings=SETTINGS, wanted=lambda: False))
    steps: list[int] = []
    many = replace(SETTINGS, steps=200)
    with pytest.raises(Cancelled):
        for event in eager.reply(asked(Text(text="a")), settings=many, wanted=lambda: not steps):
            if isinstance(event, Making):
                steps.append(event.done)
    assert 1 <= len(steps) < 200


def test_a_system_comes_back_from_disk_the_same_with_its_adapter(place: Path, tmp_path: Path) -> None:
    loaded = system.load(place)
    torch.manual_seed(0)
    lora = LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False)
    loaded.model = get_peft_model(loaded.model, lora).eval()
    loaded.save(tmp_path)
    again = system.load(tmp_path)
    with torch.no_grad():
        entering = loaded.embed(range(10))[None]
        assert torch.allclose(
            loaded.model(inputs_embeds=entering).logits, again.model(inputs_embeds=entering).logits
        )
    plain = system.load(place)
    for name, weight in plain.outputs["image"].state_dict().items():
        assert torch.equal(weight, again.outputs["image"].state_dict()[name])
    with torch.no_grad():
        assert not torch.allclose(
            plain.model(inputs_embeds=entering).logits, again.model(inputs_embeds=entering).logits
        )


def test_damage_is_told(place: Path, tmp_path: Path) -> None:
    loaded = system.load(place)
    loaded.save(tmp_path)
    (tmp_path / "output_projector.image.safetensors").write_bytes(b"no")
    with pytest.raises(BrokenArtefact, match=r"output_projector\.image"):
        system.load(tmp_path)


def test_a_language_model_of_another_width_is_told_before_it_is_loaded(place: Path, tmp_path: Path) -> None:
    system.load(place).save(tmp_path)
    for weights in (tmp_path / "language_model").glob("*.safetensors"):
        weights.unlink()
    other = {kind: replace(end, hidden=48) for kind, end in CONFIG.inputs.items()}
    config.write(replace(CONFIG, inputs=other), tmp_path)
    with pytest.raises(InputError, match="hidden is 48, but the language model's width 32"):
        system.load(tmp_path)

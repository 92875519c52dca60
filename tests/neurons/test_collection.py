"""Counting in families of models, beside plain transformers with padding, and when activations break."""

from typing import Any

import numpy as np
import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    PreTrainedModel,
)

from neurons.counting import counted, meta_of, text_of
from sulan.errors import BrokenArtefact, InputError
from sulan.models import logprobs, tiny
from sulan.neurons import certificates, collection, families, planting, projection, rules, sequences
from sulan.neurons.planting import BOS, Gate
from sulan.neurons.rules import Rule

SMALL = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 32,
}
GATED = {**SMALL, "num_key_value_heads": 1, "head_dim": 8}
FAMILIES: dict[str, dict[str, Any]] = {
    "opt": {**SMALL, "ffn_dim": 24, "word_embed_proj_dim": 16},
    "opt-350m": {
        **SMALL,
        "model_type": "opt",
        "ffn_dim": 24,
        "word_embed_proj_dim": 8,
        "do_layer_norm_before": False,
    },
    "gpt2": {"vocab_size": 40, "n_embd": 16, "n_inner": 24, "n_layer": 2, "n_head": 2, "n_positions": 32},
    "gpt_neox": SMALL,
    "phi": SMALL,
    "llama": GATED,
    "qwen2": GATED,
    "gemma": GATED,
    "gemma3_text": {**GATED, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 8},
}


def made(name: str) -> PreTrainedModel:
    settings = dict(FAMILIES[name])
    config = AutoConfig.for_model(settings.pop("model_type", name), **settings, pad_token_id=None)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval().requires_grad_(False)
        for parameter in model.parameters():  # norms and biases too, so that none is forgotten by a proof
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.double()  # so that no value is near enough to zero for rounding to matter


def rows_of(windows: int = 5, context: int = 32) -> np.ndarray:
    rows = np.random.default_rng(1).integers(1, 40, (windows, context))
    rows[:, 0] = BOS
    return rows


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_counted_as_its_own_weights_say(name, tmp_path):
    model, rows = made(name), rows_of()
    text = text_of(rows)
    meta = meta_of(model, text)
    found = counted(model, text, meta, tmp_path)
    inputs = {}
    blocks = families.feed_forwards(model)
    for layer, block in enumerate(blocks):
        block.read.register_forward_pre_hook(
            lambda _m, values, layer=layer: inputs.__setitem__(layer, values[0].reshape(*rows.shape, -1))
        )
    model(torch.from_numpy(rows))
    assert meta.rule == ("nonzero" if name.startswith("opt") else "gate-open")
    for layer, block in enumerate(blocks):
        gate = inputs[layer] @ families.rows(block.read).T
        gate = gate + block.read.bias if getattr(block.read, "bias", None) is not None else gate
        active = (gate > 0).numpy()
        assert (found.active[layer] == active[:, 1:].sum((0, 1))).all()
        assert (found.first[layer] == active[:, 0].sum(0)).all()
        assert (found.position[layer] == active.sum(0)).all()
        assert 0 < active.mean() < 1


@pytest.mark.parametrize("name", FAMILIES)
def test_the_whole_of_what_neurons_write_is_what_the_head_sees(name):
    # The logits are linear in the last norm's input but for its length: a neuron's projection is its derivative's
    # direction when the rest of the stream is so long that the length does not change.
    model = made(name)
    head = projection.vocabulary(model)
    width = model.config.get_text_config().hidden_size
    assert head.shape == (40, width)
    written_row = families.columns(families.feed_forwards(model)[-1].write)[3]
    stream = torch.randn(width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    base = model.base_model
    output: Any = model.get_output_embeddings()
    names = families.family(model)
    norm = projection._optional(base, names.final_norm)
    project = projection._optional(base, names.project_out)

    def logits(vector):
        vector = norm(vector) if norm is not None else vector
        vector = project(vector) if project is not None else vector
        return output.weight @ vector

    if norm is None:
        change = logits(stream + written_row) - logits(stream)
        assert torch.allclose(change.float(), head @ written_row.float(), atol=1e-4)
        return
    # Compare in the direction that leaves the norm's length alone: take out what changes it.
    centred = certificates.centred(norm)
    flat = stream - stream.mean() if centred else stream
    row = written_row - written_row.mean() if centred else written_row
    row = row - flat * (flat @ row) / (flat @ flat)
    change = (logits(stream + 1e-4 * row) - logits(stream)) / 1e-4
    expected = (head @ row.float()).double()
    assert torch.nn.functional.cosine_similarity(change, expected, dim=0) > 0.9999


@pytest.mark.parametrize("name", FAMILIES)
def test_a_bound_is_never_passed_and_is_reached(name):
    model = made(name)
    bounds = certificates.bounds(model, (0, 1))
    block = families.feed_forwards(model)[1]
    width = model.config.get_text_config().hidden_size
    gain = certificates.gain(block.norm, one_plus=families.family(model).one_plus, width=width)
    weights = families.rows(block.read).double() * gain
    centred = certificates.centred(block.norm)
    weights = weights - weights.mean(1, keepdim=True) if centred else weights
    # The worst input of each neuron is known in closed form: along its own weights, very long.
    worst = 1e4 * weights
    values = block.read(block.norm(worst)).diagonal()
    assert (values.numpy() <= bounds[1]).all()
    assert values.numpy() == pytest.approx(bounds[1], rel=1e-3, abs=1e-3)
    some = 1e3 * torch.randn(200, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (block.read(block.norm(some)).max(0).values.numpy() <= bounds[1]).all()


def test_a_gradient_cannot_wake_what_is_proved():
    gates = [[Gate(kind="dead", never="proved"), Gate(kind="dead", token=(1, 2), never="impossible")]]
    model = planting.build(gates, vocabulary=6, context=8)
    bounds = certificates.bounds(model, (0,))[0]
    assert bounds[0] < 0 < bounds[1]
    block = families.feed_forwards(model)[0]
    stream = torch.randn(64, model.config.hidden_size, requires_grad=True)
    climb = torch.optim.Adam([stream], lr=0.3)
    for _ in range(150):
        climb.zero_grad()
        values = block.read(block.norm(stream))
        (-values.sum()).backward()
        climb.step()
    assert values[:, 0].max() < 0
    assert values[:, 1].max() > 0  # no text does this, but a vector does: it is not provable


def padded(windows: list[np.ndarray], padding: str) -> tuple[np.ndarray, np.ndarray]:
    """Windows filled up to one length, int64 [windows, longest], and which places are real."""
    longest = max(map(len, windows))
    tokens, real = np.zeros((len(windows), longest), dtype=np.int64), np.zeros((len(windows), longest), bool)
    for row, window in enumerate(windows):
        place = slice(longest - len(window), None) if padding == "left" else slice(len(window))
        tokens[row, place], real[row, place] = window, True
    return tokens, real


@pytest.mark.parametrize("name", ["opt", "gpt2", "gpt_neox", "phi", "llama", "gemma3_text"])
@pytest.mark.parametrize("padding", ["left", "right"])
def test_a_padded_batch_of_plain_transformers_has_the_same_counts(name, padding, tmp_path):
    model = made(name)
    random = np.random.default_rng(0)
    text = sequences.cut([random.integers(1, 40, n) for n in (31, 3, 17, 31, 1, 8)], context=32, bos=BOS)
    tokens, real = padded([text.window(number) for number in range(6)], padding)
    mask = torch.from_numpy(real.astype(np.int64))
    seen = []
    hooks = [
        block.read.register_forward_hook(lambda _m, _i, values: seen.append(values.reshape(*real.shape, -1)))
        for block in families.feed_forwards(model)
    ]
    model(torch.from_numpy(tokens), attention_mask=mask, position_ids=(mask.cumsum(1) - 1).clamp_min(0))
    for hook in hooks:
        hook.remove()
    expected = [(values > 0).numpy()[real].sum(0) for values in seen]
    found = counted(model, text, meta_of(model, text), tmp_path)
    assert (found.active + found.first == np.stack(expected)).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["opt", "gpt2", "gpt_neox", "phi", "llama", "gemma3_text"])
def test_what_is_in_the_row_beside_a_window_changes_no_bit_of_its_values(name, dtype):
    # Values rather than counts: of few neurons is one so near to zero that its last bit decides.
    model = made(name).to(dtype)
    random = np.random.default_rng(0)
    documents = [random.integers(1, 40, n) for n in (31, 3, 17, 31, 1, 8, 31, 31, 2, 30)]
    text = sequences.cut(documents, context=32, bos=BOS)
    lengths = text.lengths.tolist()
    assert logprobs.way_through(model, 32) == "packed"

    def values(batch: int | None) -> list[bytes]:
        kept: list[list[torch.Tensor]] = [[] for _ in lengths]
        runs = iter(collection.groups(text, batch=batch))

        def see(_module: Any, _inputs: Any, found: torch.Tensor) -> None:
            begin, end = next(runs)
            parts = found.reshape(-1, found.shape[-1])[: sum(lengths[begin:end])].split(lengths[begin:end])
            for window, part in zip(range(begin, end), parts, strict=True):
                kept[window].append(part.clone())

        last = families.feed_forwards(model)[-1].read
        hook = last.register_forward_hook(see)
        try:
            collection.collect(
                model,
                text,
                collection.groups(text, batch=batch),
                layers=(0, 1),
                rule=Rule(name="gate-open"),
                bits=False,
            )
        finally:
            hook.remove()
        return [torch.cat(parts).float().numpy().tobytes() for parts in kept]

    alone = values(1)
    assert values(2) == values(3) == values(7) == values(None) == alone


def test_only_wanted_layers_run(tmp_path):
    model, text = made("opt"), text_of(rows_of())
    whole = counted(model, text, meta_of(model, text), tmp_path / "a")
    ran = []
    families.feed_forwards(model)[1].read.register_forward_hook(lambda *_: ran.append(1))
    first = counted(model, text, meta_of(model, text, layers=(0,)), tmp_path / "b")
    assert not ran
    assert (first.active == whole.active[:1]).all()
    last = counted(model, text, meta_of(model, text, layers=(1,)), tmp_path / "c")
    assert (last.active == whole.active[1:]).all()


@pytest.mark.parametrize("layers", [(0,), (0, 1), (1,)])
def test_a_broken_activation_is_named_and_hooks_are_gone(layers):
    model = made("opt").float()
    block = families.feed_forwards(model)[0]
    families.attribute(block.read, "bias")[5] = float("inf")
    text = text_of(rows_of())
    runs = collection.groups(text, batch=1)
    with pytest.raises(BrokenArtefact, match="layer 0, neuron 5"):
        collection.collect(model, text, runs, layers=layers, rule=Rule(name="nonzero"), bits=True)
    for each in families.feed_forwards(model):
        assert not each.read._forward_hooks
        assert not each.write._forward_pre_hooks


def test_output_norm_leaves_out_what_hardly_counts():
    model, text = made("llama").float(), text_of(rows_of())
    windows = [text.window(number) for number in range(5)]
    strict = rules.calibrate(model, windows, target=0.02, layers=(0, 1))
    loose = rules.calibrate(model, windows, target=0.5, layers=(0, 1))
    assert all(0 <= low < high for low, high in zip(strict, loose, strict=True))
    runs = collection.groups(text, batch=1)
    active = [
        collection.collect(
            model, text, runs, layers=(0, 1), rule=Rule(name="output-norm", thresholds=each), bits=False
        ).active.sum()
        for each in (strict, loose)
    ]
    assert active[0] > active[1] > 0


def test_an_unknown_architecture_is_named():
    config = AutoConfig.for_model("bloom", hidden_size=8, n_layer=1, n_head=1, vocab_size=10)
    with pytest.raises(InputError, match="bloom"):
        families.feed_forwards(AutoModelForCausalLM.from_config(config))


def test_tiny_models_of_the_house_are_known():
    for make in (tiny.llama, tiny.opt, tiny.phi):
        assert len(families.feed_forwards(make(layers=2))) == 2

"""An OPT checkpoint built by hand, whose every neuron is known: the oracle of this room.

The residual stream is made of blocks of coordinates, each with exactly one 1 (one-hot): the token, the token
before it, the one before that, the position. Token and position come from the embeddings; two attention heads of
the first layer copy the two earlier tokens. LayerNorm of a vector with k ones is one value where a 1 stands and
another where a 0 does, whatever stands where, so a row of fc1 can be an exact AND of ORs over blocks:

    pre-activation = sum over the gate's coordinates of (1 where hot) - (number of blocks asked - 0.5)

which is 0.5 or more where the gate is open and -0.5 or less elsewhere. Rounding is a millionth of that. What a
neuron writes is a thousandth of a token's 1, so that later layers read the same.

Positions are counted from 0, where the beginning-of-sequence token stands. The token before the first is taken to
be the first. Not covered: anything but OPT with LayerNorm before its blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import OPTConfig, OPTForCausalLM

from sulan.errors import InputError

BOS = 0
"""Token that begins every sequence."""

WRITES = 1e-3
"""What a neuron writes to a token's coordinate. With 64 neurons open at once a gate's margin of 0.5 moves by 0.06."""

_SHARP = 300.0
"""Attention score of the right place above the others: exp(-300) is 0 in float32, so the copy is exact."""


@dataclass(frozen=True, kw_only=True)
class Gate:
    """A planted neuron: open where every condition that is given holds.

    Attributes
    ----------
    kind
        What it is planted as, e.g. `token detector`.
    token, before, before_that
        Tokens allowed at the position, one before it and two before it; empty: any.
    position
        Positions allowed; empty: any.
    never
        `proved`: a bias that no input overcomes. `impossible`: asks for two tokens at once, which no text has,
        though a bound over all vectors cannot know that.
    writes
        Sign of what it adds to the logits of its tokens: -1 suppresses, 1 promotes.
    """

    kind: str
    token: tuple[int, ...] = ()
    before: tuple[int, ...] = ()
    before_that: tuple[int, ...] = ()
    position: tuple[int, ...] = ()
    never: str = ""
    writes: int = -1

    def is_open(self, tokens: np.ndarray) -> np.ndarray:
        """Tell for every position of sequences whether the neuron is active; bool [sequences, positions]."""
        found = np.full(tokens.shape, self.never == "")
        before = np.concatenate([tokens[:, :1], tokens[:, :-1]], axis=1)
        before_that = np.concatenate([tokens[:, :1], before[:, :-1]], axis=1)
        for wanted, there in (
            (self.token, tokens),
            (self.before, before),
            (self.before_that, before_that),
            (self.position, np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)),
        ):
            if wanted:
                found &= np.isin(there, wanted)
        return found


def build(
    gates: Sequence[Sequence[Gate]], *, vocabulary: int, context: int, neurons: int | None = None
) -> OPTForCausalLM:
    """Return the model whose layer `l` has the neurons `gates[l]`, in float32.

    Parameters
    ----------
    gates
        By layer; layers with fewer than the widest are filled with neurons that are proved dead.
    vocabulary
        Tokens, the beginning of sequence among them.
    context
        Longest sequence, the beginning of sequence among it.
    neurons
        Neurons a layer; None: as many as the widest layer has gates.

    Raises
    ------
    InputError
        A gate names a token or position that there is not, or a layer has more gates than neurons.
    """
    width = neurons or max(map(len, gates))
    _check(gates, vocabulary=vocabulary, context=context, width=width)
    half = max(context, vocabulary, (3 * vocabulary + context + 1) // 2)
    size = 2 * half
    config = OPTConfig(
        vocab_size=vocabulary,
        hidden_size=size,
        word_embed_proj_dim=size,
        ffn_dim=width,
        num_hidden_layers=len(gates),
        num_attention_heads=2,
        max_position_embeddings=context,
        dropout=0.0,
        attention_dropout=0.0,
        tie_word_embeddings=True,
        bos_token_id=BOS,
        eos_token_id=BOS,
        pad_token_id=None,
    )
    model = OPTForCausalLM(config).eval().requires_grad_(False)
    for parameter in model.parameters():
        parameter.zero_()
    decoder = model.model.decoder
    block = {
        "token": 0,
        "before": vocabulary,
        "before_that": 2 * vocabulary,
        "position": 3 * vocabulary,
    }
    decoder.embed_tokens.weight[:, :vocabulary] = torch.eye(vocabulary)
    offset = decoder.embed_positions.offset
    decoder.embed_positions.weight[offset:, block["position"] : block["position"] + context] = torch.eye(
        context
    )
    for norm in (each for each in decoder.modules() if isinstance(each, torch.nn.LayerNorm)):
        norm.weight.fill_(1.0)
    _copy_earlier_tokens(decoder.layers[0], block, vocabulary=vocabulary, context=context, size=size)
    low, step = _levels(4, size)
    for layer, planted in zip(decoder.layers, gates, strict=True):
        for neuron in range(width):
            gate = planted[neuron] if neuron < len(planted) else Gate(kind="filler", never="proved")
            _plant(layer, neuron, gate, block=block, low=low, step=step)
    return model


def _levels(ones: int, size: int) -> tuple[float, float]:
    """Return LayerNorm's value where a 0 stands, and how much higher it is where one of the ones stands."""
    mean = ones / size
    deviation = (mean - mean * mean + 1e-5) ** 0.5
    return -mean / deviation, 1 / deviation


def _copy_earlier_tokens(
    layer: Any, block: dict[str, int], *, vocabulary: int, context: int, size: int
) -> None:
    """Let head 0 copy the token one back, head 1 the token two back."""
    attention = layer.self_attn
    half = size // 2
    low, step = _levels(2, size)
    sharp = _SHARP * half**0.5  # scores are divided by the root of the head's width
    places = slice(block["position"], block["position"] + context)
    for head, target in enumerate(("before", "before_that")):
        query = attention.q_proj.weight[head * half : head * half + context, places]
        for position in range(context):
            query[max(0, position - head - 1), position] = sharp / step
        attention.q_proj.bias[head * half : head * half + context] = -low * query.sum(1)
        attention.k_proj.weight[head * half : head * half + context, places] = torch.eye(context) / step
        attention.k_proj.bias[head * half : head * half + context] = -low / step
        values = slice(head * half, head * half + vocabulary)
        attention.v_proj.weight[values, :vocabulary] = torch.eye(vocabulary) / step
        attention.v_proj.bias[values] = -low / step
        attention.out_proj.weight[block[target] : block[target] + vocabulary, values] = torch.eye(vocabulary)


def _plant(layer: Any, neuron: int, gate: Gate, *, block: dict[str, int], low: float, step: float) -> None:
    if gate.never == "proved":
        layer.fc1.bias[neuron] = -1000.0
        return
    asked = 0
    for name, first in block.items():
        wanted = getattr(gate, name)
        asked += bool(wanted)
        layer.fc1.weight[neuron, [first + each for each in wanted]] = 1 / step
    if gate.never == "impossible":
        asked = len(gate.token)
    hot = float((layer.fc1.weight[neuron] != 0).sum())
    layer.fc1.bias[neuron] = -low * hot / step - (asked - 0.5)
    layer.fc2.weight[list(gate.token), neuron] = gate.writes * WRITES


def _check(gates: Sequence[Sequence[Gate]], *, vocabulary: int, context: int, width: int) -> None:
    for planted in gates:
        if len(planted) > width:
            raise InputError(f"{len(planted)} gates do not fit into {width} neurons")
        for gate in planted:
            for tokens in (gate.token, gate.before, gate.before_that):
                if any(not 0 <= token < vocabulary for token in tokens):
                    raise InputError(f"{gate.kind} asks for a token outside 0 to {vocabulary - 1}")
            if any(not 0 <= position < context for position in gate.position):
                raise InputError(f"{gate.kind} asks for a position outside 0 to {context - 1}")

"""One forward pass over windows of tokens, and exact integer counts of which neurons were active.

The body alone runs, without the head, and stops inside the last layer that is wanted. A window is forwarded alone
unless a batch is asked for, so that what else there is cannot change how its values round. Where n-grams are wanted
every neuron leaves one bit a token; nothing else grows with the text.

Not covered: models on several devices. On a GPU the comparison runs there and one byte a neuron and token comes over.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel

from sulan.errors import BrokenArtefact
from sulan.neurons import families, rules
from sulan.neurons.rules import Rule
from sulan.neurons.sequences import Sequences
from sulan.neurons.settings import Padding

_BLOCK = 255
"""Rows that are summed in uint8 before the sum could overflow."""


class _Enough(Exception):
    """Ends a forward pass after the last wanted layer."""


@dataclass(kw_only=True)
class Counts:
    """What was counted of some windows; counts of other windows add to it.

    Attributes
    ----------
    active
        Tokens at which each neuron was active, beginning of sequence left out; int64 [layers, neurons].
    first
        Windows at whose beginning of sequence it was active; int64 [layers, neurons].
    position
        Full windows in which it was active at each position; uint8 or uint16 [layers, context, neurons].
    bits
        One bit a token and neuron, neurons packed eight to a byte from the lowest bit; uint8 [layers, tokens,
        bytes]. Without rows where n-grams are not wanted.
    """

    active: np.ndarray
    first: np.ndarray
    position: np.ndarray
    bits: np.ndarray


def groups(sequences: Sequences, *, batch: int, padding: Padding) -> list[tuple[int, int]]:
    """Return the runs of windows that are forwarded together: of one length each, unless padded."""
    lengths = sequences.lengths
    found = []
    begin = 0
    for window in range(1, len(lengths) + 1):
        if (
            window == len(lengths)
            or window - begin == batch
            or (padding == "none" and lengths[window] != lengths[begin])
        ):
            found.append((begin, window))
            begin = window
    return found


def collect(
    model: PreTrainedModel,
    sequences: Sequences,
    runs: list[tuple[int, int]],
    *,
    layers: tuple[int, ...],
    rule: Rule,
    bits: bool,
    padding: Padding = "none",
) -> Counts:
    """Count over runs of windows that follow one another.

    Parameters
    ----------
    model
        The model, in evaluation mode.
    sequences
        Tokens and windows.
    runs
        First window and the one behind the last of every forward pass; see `groups`.
    layers
        Layers to count, rising.
    rule
        When a neuron is active.
    bits
        Keep the bits that n-grams are counted from.
    padding
        Where shorter windows of a run are filled up: `right` (nothing before can see it), `left` (masked), or
        `none` where all are of one length.

    Raises
    ------
    BrokenArtefact
        An activation is NaN or infinite; the message names layer and neuron.
    """
    counter = _Counter(model, sequences, runs, layers=layers, rule=rule, bits=bits)
    with counter.watching():
        for begin, end in runs:
            tokens, real = padded([sequences.window(number) for number in range(begin, end)], padding)
            counter.forward(tokens, real, padding=padding)
    return counter.counts


def padded(windows: list[np.ndarray], padding: Padding) -> tuple[np.ndarray, np.ndarray]:
    """Return windows as one array, int64 [windows, longest], and which of its places are real."""
    longest = max(map(len, windows))
    tokens = np.zeros((len(windows), longest), dtype=np.int64)
    real = np.zeros((len(windows), longest), dtype=bool)
    for row, window in enumerate(windows):
        place = slice(longest - len(window), None) if padding == "left" else slice(len(window))
        tokens[row, place] = window
        real[row, place] = True
    return tokens, real


class _Counter:
    def __init__(
        self,
        model: PreTrainedModel,
        sequences: Sequences,
        runs: list[tuple[int, int]],
        *,
        layers: tuple[int, ...],
        rule: Rule,
        bits: bool,
    ) -> None:
        self._model, self._first, self._context = model, sequences.first, sequences.context
        self._layers, self._rule = layers, rule
        self._blocks = families.feed_forwards(model)
        neurons = self._blocks[layers[0]].neurons
        begin, end = runs[0][0], runs[-1][1]
        full = int((sequences.lengths[begin:end] == sequences.context).sum())
        tokens = int(sequences.windows[end] - sequences.windows[begin]) if bits else 0
        shape = (len(layers), neurons)
        self.counts = Counts(
            active=np.zeros(shape, dtype=np.int64),
            first=np.zeros(shape, dtype=np.int64),
            position=np.zeros(
                (len(layers), sequences.context if full else 0, neurons),
                dtype=np.uint8 if full < 256 else np.uint16,
            ),
            bits=np.zeros((len(layers), tokens, (neurons + 7) // 8), dtype=np.uint8),
        )
        self._keep_bits = bits
        self._row = 0
        self._looking = False
        self._real = np.zeros((0, 0), dtype=bool)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Keep the hooks for the block; they are gone after it, whatever happens."""
        with ExitStack() as stack:
            for index, layer in enumerate(self._layers):
                block = self._blocks[layer]
                module, output = rules.watched(block, self._rule.name)
                test = rules.tester(block, self._rule, layer)
                last = index == len(self._layers) - 1

                def see(
                    values: torch.Tensor, index: int = index, test: Any = test, last: bool = last
                ) -> None:
                    if not self._looking:
                        self._count(index, test(values))
                    if last:
                        # What is NaN or infinite in an earlier layer is NaN in every later one, by the residual
                        # stream; a sum is not finite where a part of it is not.
                        self._sound = bool(torch.isfinite(values.sum()))
                        raise _Enough

                if output:
                    hook = module.register_forward_hook(lambda _m, _i, found, see=see: see(found))
                else:
                    hook = module.register_forward_pre_hook(lambda _m, found, see=see: see(found[0]))
                stack.callback(hook.remove)
            yield

    def forward(self, tokens: np.ndarray, real: np.ndarray, *, padding: Padding) -> None:
        """Run one batch, int64 [windows, positions], and count it."""
        self._real = real
        self._sound = True
        inputs: dict[str, torch.Tensor] = {"input_ids": torch.from_numpy(tokens)}
        if padding == "left":
            mask = torch.from_numpy(real.astype(np.int64))
            inputs |= {"attention_mask": mask, "position_ids": (mask.cumsum(1) - 1).clamp_min(0)}
        self._run(inputs)
        if not self._sound:
            self._name_what_is_broken(inputs)
        self._row += int(real.sum()) - self._first * len(real)

    def _run(self, inputs: dict[str, torch.Tensor]) -> None:
        device = self._model.device
        with suppress(_Enough), torch.inference_mode():
            self._model.base_model(
                **{name: each.to(device) for name, each in inputs.items()}, use_cache=False
            )

    def _count(self, index: int, active: torch.Tensor) -> None:
        counts, row = self.counts, self._row
        # Some versions of OPT flatten windows and positions into one dimension.
        found = active.reshape(*self._real.shape, -1).cpu().numpy().view(np.uint8)
        for window, real in zip(found, self._real, strict=True):
            values = window if real.all() else window[real]
            if len(values) == self._context:
                counts.position[index] += values
            if self._first:
                counts.first[index] += values[0]
            values = values[self._first :]
            for begin in range(0, len(values), _BLOCK):
                counts.active[index] += np.add.reduce(values[begin : begin + _BLOCK], axis=0, dtype=np.uint8)
            if self._keep_bits:
                counts.bits[index, row : row + len(values)] = np.packbits(values, axis=1, bitorder="little")
            row += len(values)

    def _name_what_is_broken(self, inputs: dict[str, torch.Tensor]) -> None:
        """Run the batch again and say which layer's neuron was the first to be NaN or infinite."""
        seen: list[str] = []

        def see(layer: int, values: torch.Tensor) -> None:
            broken = (~torch.isfinite(values)).reshape(-1, values.shape[-1]).any(0).nonzero()
            if len(broken) and not seen:
                seen.append(f"layer {layer}, neuron {int(broken[0])}")

        self._looking = True
        with ExitStack() as stack:
            for layer, block in enumerate(self._blocks[: self._layers[-1] + 1]):
                module, output = rules.watched(block, self._rule.name)
                if output:
                    hook = module.register_forward_hook(
                        lambda _m, _i, found, layer=layer: see(layer, found), prepend=True
                    )
                else:
                    hook = module.register_forward_pre_hook(
                        lambda _m, found, layer=layer: see(layer, found[0]), prepend=True
                    )
                stack.callback(hook.remove)
            self._run(inputs)
        self._looking = False
        if seen:
            raise BrokenArtefact(
                f"an activation is NaN or infinite: {seen[0]}",
                hint="load the model in float32; where that does not help its weights are damaged",
            )

"""One forward pass over windows of tokens, and exact integer counts of which neurons were active.

The body alone runs, without the head, and stops inside the last layer that is wanted. Windows lie one after another
in a row (`models.packed`), so that nothing is padded and what else is in the row does not change a bit of a window's
values; through a model that does not fit this they go one at a time. Where n-grams are wanted every neuron leaves one
bit a token; nothing else grows with the text.

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
from sulan.models import logprobs, packed
from sulan.neurons import families, rules
from sulan.neurons.rules import Rule
from sulan.neurons.sequences import Sequences

_BLOCK = 255
"""Rows that are summed in uint8 before the sum could overflow."""

ROW = 2048
"""Tokens of one pass, unless a number of windows is asked for; short windows alone would multiply small matrices."""


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


def groups(sequences: Sequences, *, batch: int | None) -> list[tuple[int, int]]:
    """Return the runs of windows that are forwarded together.

    Parameters
    ----------
    sequences
        Tokens and windows.
    batch
        Windows of a run; None: as many as have `ROW` tokens together, or one longer window.

    Examples
    --------
    >>> text = cut([np.arange(5), np.arange(2)], context=4, bos=9)  # windows of 4, 3 and 3 tokens
    >>> groups(text, batch=2), groups(text, batch=None)
    ([(0, 2), (2, 3)], [(0, 3)])
    """
    lengths = sequences.lengths
    found = []
    begin = held = 0
    for window, length in enumerate(lengths):
        if held and (window - begin == batch if batch is not None else held + length > ROW):
            found.append((begin, window))
            begin, held = window, 0
        held += int(length)
    return [*found, (begin, len(lengths))]


def collect(
    model: PreTrainedModel,
    sequences: Sequences,
    runs: list[tuple[int, int]],
    *,
    layers: tuple[int, ...],
    rule: Rule,
    bits: bool,
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

    Raises
    ------
    BrokenArtefact
        An activation is NaN or infinite; the message names layer and neuron.
    """
    counter = _Counter(model, sequences, runs, layers=layers, rule=rule, bits=bits)
    with counter.watching():
        for begin, end in runs:
            counter.forward([sequences.window(number) for number in range(begin, end)])
    return counter.counts


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
        self._lengths: list[int] = []
        self._packed = logprobs.way_through(model, sequences.context) == "packed"

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

    def forward(self, windows: list[np.ndarray]) -> None:
        """Run windows, int64 [length] each, and count them."""
        for together in [windows] if self._packed else [[window] for window in windows]:
            self._lengths = [len(window) for window in together]
            self._sound = True
            self._run(together)
            if not self._sound:
                self._name_what_is_broken(together)
            self._row += sum(self._lengths) - self._first * len(together)

    def _run(self, windows: list[np.ndarray]) -> None:
        with suppress(_Enough), torch.inference_mode():
            if self._packed:
                packed.body(self._model, windows)
            else:
                (window,) = windows
                row = torch.from_numpy(window).to(self._model.device)
                self._model.base_model(input_ids=row[None], use_cache=False)

    def _count(self, index: int, active: torch.Tensor) -> None:
        counts, row = self.counts, self._row
        # Some versions of OPT flatten windows and positions into one dimension; what fills a row up comes last.
        found = active.reshape(-1, active.shape[-1]).cpu().numpy().view(np.uint8)
        end = 0
        for length in self._lengths:
            values = found[end : end + length]
            end += length
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

    def _name_what_is_broken(self, windows: list[np.ndarray]) -> None:
        """Run the windows again and say which layer's neuron was the first to be NaN or infinite."""
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
            self._run(windows)
        self._looking = False
        if seen:
            raise BrokenArtefact(
                f"an activation is NaN or infinite: {seen[0]}",
                hint="load the model in float32; where that does not help its weights are damaged",
            )

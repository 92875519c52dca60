"""A model cut in two: the layers that nothing tunes, run once for every text, and those above, run at every step.

What the lower half gives for a text is the same whatever is tuned above it, so it is computed once and kept. Texts lie
one after another in a row without padding (`models.packed`), and the head sees the places of answers alone, never all
the tokens. A cut model says what the whole one says, which is found out once, on a probe; a model that does not fit
(absolute positions that are added before the layers, attention of another kind) is not cut: its lower half is empty.

Not covered: models on several devices.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from sulan.errors import InputError
from sulan.models import packed

ROW = 2048
"""Tokens of a row where nothing is learnt."""

CLOSE = {torch.float32: 1e-3, torch.bfloat16: 0.2}
"""Mean difference of a logit between the whole and the cut model that is rounding, as a share of the logits' standard
deviation. SmolLM2 has 3e-6 in float32 and 0.08 in bfloat16 on random tokens; a wrong way through a model has 1."""


class _Enough(Exception):
    """Ends a forward pass below the cut."""


class Halves:
    """A causal language model with a cut between two of its layers.

    Parameters
    ----------
    model
        The model, whose layers are at `base_model.layers`.
    top
        Layers above the cut; None: all.
    cast
        Precision of the arithmetic where it is another one than the weights'.
    kept
        What the lower half gave before for this model, cut and precision; it is added to.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        *,
        top: int | None,
        cast: torch.dtype | None = None,
        kept: dict[str, torch.Tensor] | None = None,
    ) -> None:
        self.model, self._cast = model, cast
        self._kept: dict[str, torch.Tensor] = {} if kept is None else kept
        layers: Any = getattr(model.base_model, "layers", None)
        known = isinstance(layers, nn.ModuleList) and packed.fits(model)
        self.cut = max(0, len(layers) - top) if known and top is not None else 0
        if self.cut and not self._agrees():
            self.cut = 0
        if not known or (not self.cut and not self._agrees()):
            raise InputError(
                f"models of the kind {model.config.model_type!r} cannot be tuned here",
                hint="Llama, SmolLM2, Mistral, Qwen and Phi can",
            )

    @property
    def kept_bytes(self) -> int:
        """Bytes of what is kept of the lower half."""
        return sum(each.nbytes for each in self._kept.values())

    def below(self, texts: Sequence[np.ndarray]) -> list[torch.Tensor]:
        """Return what goes into the first layer above the cut, [tokens, width] for each text of tokens."""
        names = [hashlib.sha256(text.astype(np.int64).tobytes()).hexdigest() for text in texts]
        missing = {name: text for name, text in zip(names, texts, strict=True) if name not in self._kept}
        for together in rows(list(missing.items())):
            found = self._lower([text for _, text in together])
            for (name, _), each in zip(together, found, strict=True):
                self._kept[name] = each
        return [self._kept[name] for name in names]

    def above(self, texts: Sequence[np.ndarray], at: Sequence[np.ndarray]) -> torch.Tensor:
        """Return logits at some places of texts, [places of one text after another, vocabulary]; differentiable.

        Parameters
        ----------
        texts
            Tokens of each, int [tokens].
        at
            Places in each text, rising.
        """
        begins = np.cumsum([0, *map(len, texts)])
        places = np.concatenate([begin + each for begin, each in zip(begins, at, strict=False)])
        head: Any = self.model.get_output_embeddings()
        with self._casting():
            hidden = self._upper(texts)[torch.from_numpy(places).to(self.model.device)]
            return head(hidden)

    def _casting(self) -> torch.autocast:
        kind = self.model.device.type
        return torch.autocast(kind, dtype=self._cast or self.model.dtype, enabled=self._cast is not None)

    def _upper(self, texts: Sequence[np.ndarray]) -> torch.Tensor:
        if not self.cut:
            return packed.body(self.model, texts)
        kept = torch.cat(self.below(texts))
        with self._only_above():
            return packed.body(self.model, texts, embedded=kept)

    @torch.no_grad()
    def _lower(self, texts: Sequence[np.ndarray]) -> list[torch.Tensor]:
        layers: Any = self.model.base_model.layers
        seen: list[torch.Tensor] = []

        def see(_module: nn.Module, given: tuple[torch.Tensor, ...], named: dict[str, Any]) -> None:
            seen.append((given[0] if given else named["hidden_states"])[0])
            raise _Enough

        hook = layers[self.cut].register_forward_pre_hook(see, with_kwargs=True)
        try:
            with suppress(_Enough), self._casting():
                packed.body(self.model, texts)
        finally:
            hook.remove()
        lengths = [len(text) for text in texts]
        return [each.clone() for each in seen[0][: sum(lengths)].split(lengths)]

    @contextmanager
    def _only_above(self) -> Iterator[None]:
        base: Any = self.model.base_model
        layers = base.layers
        base.layers = nn.ModuleList(layers[self.cut :])
        try:
            yield
        finally:
            base.layers = layers

    @torch.no_grad()
    def _agrees(self) -> bool:
        draw = np.random.default_rng(0)
        size = self.model.config.get_text_config().vocab_size
        texts = [draw.integers(0, size, length) for length in (3, 17)]
        at = [np.arange(len(text)) for text in texts]
        kept, self._kept = self._kept, {}
        try:
            cut = self.above(texts, at).float()
        except (packed.Unsupported, KeyError, RuntimeError):
            return False
        finally:
            self._kept = kept
        whole = torch.cat(
            [self.model(torch.from_numpy(text)[None].to(self.model.device)).logits[0] for text in texts]
        ).float()
        allowed = CLOSE.get(self._cast or self.model.dtype, CLOSE[torch.bfloat16])
        return bool((cut - whole).abs().mean() <= allowed * whole.std())


def rows(
    named: Sequence[tuple[str, np.ndarray]], *, tokens: int = ROW
) -> Iterator[list[tuple[str, np.ndarray]]]:
    """Divide texts into runs of so many tokens at most, or one longer text."""
    together: list[tuple[str, np.ndarray]] = []
    held = 0
    for name, text in named:
        if together and held + len(text) > tokens:
            yield together
            together, held = [], 0
        together.append((name, text))
        held += len(text)
    if together:
        yield together

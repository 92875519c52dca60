"""The loss of a model some of whose neurons are set to zero."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from transformers import PreTrainedModel

from sulan import models
from sulan.errors import InputError
from sulan.evaluation.perplexity import Perplexity, perplexity
from sulan.evaluation.significance import paired_bootstrap
from sulan.neurons import families
from sulan.neurons.tables import Tables
from sulan.reports.report import Cell
from sulan.runs import seeds

_COLUMNS = {
    "token detectors": "detector_1",
    "bigram detectors": "detector_2",
    "trigram detectors": "detector_3",
    "positional": "positional",
}
_TYPES = ("oscillatory", "both extremes", "one extreme", "other")
CLASSES = ("never", "rare", "always", *_COLUMNS, *_TYPES)


@dataclass(frozen=True, kw_only=True)
class Ablated:
    """What leaving classes out costs.

    Attributes
    ----------
    loss
        Of the whole model, nats a token.
    tokens, documents
        What it was measured on.
    rows
        By class: neurons; change of the loss with its interval; that of as many others with its interval.
    measured
        For the run's record.
    """

    loss: float
    tokens: int
    documents: int
    rows: tuple[tuple[Cell, ...], ...]
    measured: dict[str, float]


def ablate(
    name: str, tables: Tables, documents: Sequence[str], *, classes: Sequence[str], seed: int
) -> Ablated:
    """Measure the loss with and without each class.

    Raises
    ------
    InputError
        No such class, or the model is another one.
    """
    for wanted in classes:
        if wanted not in CLASSES:
            raise InputError(f"no class {wanted!r}", hint=", ".join(CLASSES))
    language_model = models.load(name, dtype="float32")
    if language_model.fingerprint != tables.meta.fingerprint:
        raise InputError(f"{name} is not the model that was classified")
    context = tables.meta.context
    whole = perplexity(language_model, documents, context=context, label="loss of the whole model")
    rows: list[tuple[Cell, ...]] = []
    measured: dict[str, float] = {"loss": whole.nll / whole.tokens}
    for wanted in classes:
        members = _members(tables, wanted)
        row: list[Cell] = [wanted, int(members.sum())]
        for label, zeroed in (
            (wanted, members),
            (f"as many as {wanted}", _others(tables, members, seed=seed)),
        ):
            if not zeroed.any():
                row += [None, None, None]
                continue
            with _zeroed(language_model.model, zeroed, tables.meta.layers):
                without = perplexity(
                    language_model, documents, context=context, label=f"loss without {label}"
                )
            change = _change(without, whole, seed=seed)
            row += change
            measured[f"change.{label.replace(' ', '_')}"] = change[0]
        rows.append(tuple(row))
    return Ablated(
        loss=whole.nll / whole.tokens,
        tokens=whole.tokens,
        documents=len(whole.document_nll),
        rows=tuple(rows),
        measured=measured,
    )


def _change(without: Perplexity, whole: Perplexity, *, seed: int) -> list[float]:
    used = whole.document_tokens > 0
    if used.sum() < 2:
        mean = (without.nll - whole.nll) / whole.tokens
        return [mean, float("-inf"), float("inf")]  # one document says nothing about others
    found = paired_bootstrap(
        without.document_nll[used], whole.document_nll[used], weights=whole.document_tokens[used], seed=seed
    )
    return [found.mean, found.low, found.high]


def _members(tables: Tables, wanted: str) -> np.ndarray:
    """Tell which neurons are of a class; bool [layers, neurons]."""
    neurons = tables.neurons

    def column(name: str) -> np.ndarray:
        return neurons[name].to_numpy(zero_copy_only=False)

    if wanted in _TYPES:
        found = column("type") == wanted
    elif wanted == "never":
        found = column("proof") != ""
    elif wanted in ("rare", "always"):
        found = column("status") == wanted
    elif _COLUMNS[wanted] in neurons.column_names:
        found = column(_COLUMNS[wanted])
    else:
        raise InputError(f"the scan did not count {wanted}", hint="sulan neurons scan --ngrams 1,2,3")
    return found.reshape(len(tables.meta.layers), tables.meta.neurons)


def _others(tables: Tables, members: np.ndarray, *, seed: int) -> np.ndarray:
    """Draw as many neurons of every layer that are active and not of the class; fewer where there are fewer."""
    silent = tables.neurons["proof"].to_numpy(zero_copy_only=False).reshape(members.shape) != ""
    found = np.zeros_like(members)
    for index, layer in enumerate(tables.meta.layers):
        free = np.flatnonzero(~members[index] & ~silent[index])
        count = min(int(members[index].sum()), len(free))
        drawn = seeds.generator(seed, f"as many others, layer {layer}").permutation(len(free))[:count]
        found[index, free[drawn]] = True
    return found


@contextmanager
def _zeroed(model: PreTrainedModel, zeroed: np.ndarray, layers: tuple[int, ...]) -> Iterator[None]:
    blocks = families.feed_forwards(model)
    with ExitStack() as stack:
        for index, layer in enumerate(layers):
            if zeroed[index].any():
                keep = torch.from_numpy(~zeroed[index]).to(model.device)
                hook = blocks[layer].write.register_forward_pre_hook(
                    lambda _module, values, keep=keep: (values[0] * keep, *values[1:])
                )
                stack.callback(hook.remove)
        yield

"""The counters of a scan on disk: integers in safetensors, and what they were counted with in `meta.json`.

A whole scan holds `counters.safetensors`, `ngrams.safetensors`, `examples.safetensors` and the sequences; the same
bytes however the work was divided. A part of one (`--shard`) holds its units as they were counted, for `merge`.
Not covered: adding scans of different texts; covering numbers do not add.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.neurons.sequences import Grams
from sulan.neurons.triggers import Triggers
from sulan.runs import outputs

if TYPE_CHECKING:
    from sulan.neurons.collection import Counts

SCHEMA_VERSION = 1
META, COUNTERS, NGRAMS, EXAMPLES = (
    "meta.json",
    "counters.safetensors",
    "ngrams.safetensors",
    "examples.safetensors",
)


@dataclass(frozen=True, kw_only=True)
class Meta:
    """What a scan counted, and how. Two parts belong together where all but `model` and `shard` agree.

    Attributes
    ----------
    model
        What was asked for.
    fingerprint, tokenizer
        SHA-256 of the model, and of its tokenizer.
    architecture, activation
        `model_type` and activation function, as transformers has them.
    depth, neurons
        Layers of the model, and neurons in each.
    layers
        Layers counted, from 0.
    rule, thresholds
        See `rules.Rule`.
    dtype
        Precision that the model ran in.
    context, bos
        Longest window in tokens, and the token before each; -1: none.
    packed
        Whether windows were cut from the documents laid end to end.
    ngrams, most
        The n counted, and the highest covering number that is exact.
    sequences
        SHA-256 of tokens and windows.
    tokens, windows, full
        How many there are in the whole scan, beginnings of sequence left out; `full`: as long as the context.
    shard
        Which part of how many.
    """

    model: str
    fingerprint: str
    tokenizer: str
    architecture: str
    activation: str
    depth: int
    neurons: int
    layers: tuple[int, ...]
    rule: str
    thresholds: tuple[float, ...]
    dtype: Literal["float32", "bfloat16"]
    context: int
    bos: int
    packed: bool
    ngrams: tuple[int, ...]
    most: int
    sequences: str
    tokens: int
    windows: int
    full: int
    shard: tuple[int, int] = (1, 1)

    @property
    def scale(self) -> str:
        """The scale of what is measured from these counters, for run records."""
        return (
            f"{self.architecture}, {len(self.layers)} of {self.depth} layers of {self.neurons} neurons, "
            f"{self.tokens:,} tokens, {self.full:,} full windows of {self.context}, rule {self.rule}"
        )

    def write(self, folder: Path) -> None:
        """Write `meta.json`."""
        text = json.dumps({"schema_version": SCHEMA_VERSION, **asdict(self)}, indent=1, ensure_ascii=False)
        outputs.write_text(folder / META, text + "\n")

    @classmethod
    def read(cls, folder: Path) -> "Meta":
        """Read the `meta.json` of a scan.

        Raises
        ------
        MissingFile
            The folder holds no scan.
        BrokenArtefact
            It is damaged or of another schema.
        """
        try:
            document = json.loads((folder / META).read_text())
            if document.pop("schema_version") != SCHEMA_VERSION:
                raise BrokenArtefact(f"{folder / META} is not of schema {SCHEMA_VERSION}")
            lists = {name: tuple(value) for name, value in document.items() if isinstance(value, list)}
            return cls(**(document | lists))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise MissingFile(f"no scan at {folder}", hint="sulan neurons scan makes one") from error
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise BrokenArtefact(f"{folder / META} is damaged: {error}") from error

    def check_same(self, other: "Meta", *, where: Path) -> None:
        """Check that another part was counted from the same model and text in the same way.

        Raises
        ------
        InputError
            It was not; the message names the first difference.
        """
        for field in fields(self):
            if field.name in ("model", "shard"):
                continue
            mine, theirs = getattr(self, field.name), getattr(other, field.name)
            if mine != theirs:
                what = {
                    "fingerprint": "the model is another one",
                    "sequences": "the text, or how it was cut, is another one",
                    "tokenizer": "the tokenizer is another one",
                }.get(field.name, f"{field.name} is {theirs}, not {mine}")
                raise InputError(f"{where} does not belong to this scan: {what}")


@dataclass(frozen=True, kw_only=True)
class Table:
    """The n-grams that trigger neurons, for one n, as flat arrays.

    Attributes
    ----------
    covering
        Covering number of every neuron; 0: none, `Meta.most + 1`: more than `Meta.most`. int32 [layers, neurons].
    tokens, totals
        The n-grams, int32 [n-grams, n], and how often each occurs in the text, int64 [n-grams].
    neuron
        Neurons that have a table, as layer index * neurons + neuron, rising; int32 [tables].
    start
        Where each one's rows begin, and behind the last where they end; int64 [tables + 1].
    gram, count
        Row of `tokens`, and how often it went with an activation, the commonest first; int32 and int64 [rows].
    """

    covering: np.ndarray
    tokens: np.ndarray
    totals: np.ndarray
    neuron: np.ndarray
    start: np.ndarray
    gram: np.ndarray
    count: np.ndarray

    @classmethod
    def of(cls, layers: list[Triggers], grams: Grams) -> "Table":
        """Lay the triggers of all layers out flat; n-grams that trigger nothing are left out."""
        neurons = len(layers[0].covering)
        tables = {
            index * neurons + neuron: table
            for index, triggers in enumerate(layers)
            for neuron, table in sorted(triggers.tables.items())
        }
        numbers = np.concatenate([numbers for numbers, _ in tables.values()] or [np.zeros(0, np.int64)])
        used, rows = np.unique(numbers, return_inverse=True)
        return cls(
            covering=np.stack([triggers.covering for triggers in layers]).astype(np.int32),
            tokens=grams.tokens[used],
            totals=grams.totals[used],
            neuron=np.asarray([*tables], dtype=np.int32),
            start=np.cumsum([0, *(len(numbers) for numbers, _ in tables.values())], dtype=np.int64),
            gram=rows.astype(np.int32),
            count=np.concatenate([times for _, times in tables.values()] or [np.zeros(0, np.int64)]),
        )

    def rows(self, table: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the rows of a table: n-grams and counts, the commonest first."""
        place = slice(int(self.start[table]), int(self.start[table + 1]))
        return self.gram[place], self.count[place]


@dataclass(frozen=True, kw_only=True)
class Counters:
    """Everything a whole scan counted.

    Attributes
    ----------
    active, first
        See `collection.Counts`; int64 [layers, neurons].
    position
        Full windows in which each neuron was active at each position; int32 [layers, context, neurons].
    tables
        By n.
    examples
        Tokens of the text at which the neuron was active, -1 where there are no more; int32 [layers, neurons, few].
    """

    active: np.ndarray
    first: np.ndarray
    position: np.ndarray
    tables: Mapping[int, Table]
    examples: np.ndarray

    def write(self, folder: Path) -> None:
        """Write the three files."""
        save_file({"active": self.active, "first": self.first, "position": self.position}, folder / COUNTERS)
        flat = {
            f"{n}.{field.name}": np.ascontiguousarray(getattr(table, field.name))
            for n, table in self.tables.items()
            for field in fields(Table)
        }
        save_file(flat, folder / NGRAMS)
        save_file({"examples": self.examples}, folder / EXAMPLES)

    @classmethod
    def read(cls, folder: Path, meta: Meta) -> "Counters":
        """Read the counters of a whole scan.

        Raises
        ------
        InputError
            The folder holds a part of a scan.
        BrokenArtefact
            A file is missing or damaged.
        """
        if meta.shard[1] > 1:
            raise InputError(
                f"{folder} is part {meta.shard[0]} of {meta.shard[1]} of a scan",
                hint=f"sulan neurons merge {folder} OTHERS --out DIR",
            )
        counters, flat, examples = (loaded(folder / name) for name in (COUNTERS, NGRAMS, EXAMPLES))
        try:
            return cls(
                active=counters["active"],
                first=counters["first"],
                position=counters["position"],
                tables={
                    n: Table(**{field.name: flat[f"{n}.{field.name}"] for field in fields(Table)})
                    for n in meta.ngrams
                },
                examples=examples["examples"],
            )
        except KeyError as error:
            raise BrokenArtefact(f"{folder} lacks the counters {error}") from error


def loaded(path: Path) -> dict[str, np.ndarray]:
    """Read a safetensors file.

    Raises
    ------
    BrokenArtefact
        It is missing or damaged.
    """
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BrokenArtefact(f"{path} is missing or damaged: {error}") from error


def write_unit(counts: "Counts", windows: tuple[int, int], path: Path) -> None:
    """Write what was counted of the windows from the first to the one behind the last."""
    save_file(
        {
            "active": counts.active,
            "first": counts.first,
            "position": counts.position,
            "bits": counts.bits,
            "windows": np.asarray(windows, dtype=np.int64),
        },
        path,
    )


class Unit:
    """A unit's file, read piece by piece; it is opened for each piece, since what stays mapped stays in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._open() as file:
            self.windows: tuple[int, int] = tuple(file.get_tensor("windows").tolist())

    def whole(self, name: str) -> np.ndarray:
        """Return `active` or `first`."""
        with self._open() as file:
            return file.get_tensor(name)

    def position(self, layer: int) -> np.ndarray:
        """Return the position counters of a layer, [context or 0, neurons]."""
        with self._open() as file:
            return file.get_slice("position")[layer]

    def bits(self, layer: int, begin: int, end: int) -> np.ndarray:
        """Return bytes `begin` to `end` of a layer's bits, [tokens, bytes]."""
        with self._open() as file:
            found = file.get_slice("bits")
            return found[layer, :, begin : min(end, found.get_shape()[2])]

    @contextmanager
    def _open(self) -> Iterator[Any]:
        try:
            with safe_open(self._path, framework="numpy") as file:
                yield file
        except (SafetensorError, OSError, ValueError) as error:
            raise BrokenArtefact(f"{self._path} is missing or damaged: {error}") from error

"""One frozen configuration of a whole system, checked for shapes that do not meet before anything is loaded.

Not covered: how a system is trained, which belongs to the verb that trains it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from sulan.anytoany.media import Kind
from sulan.anytoany.protocols import Condition, Features
from sulan.errors import InputError, MissingFile

FILE = "config.json"
_STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The squares of numbers that the own encoders read and the own decoders make.

    Attributes
    ----------
    size
        Rows and columns. Of sound: mel bands and moments. 16: what a denoising step takes 0.1 s for on one core
        with a batch of 32.
    frames
        Of a clip, at equal distances in time.
    seconds
        Of a clip or a sound.
    rate
        Of a sound, samples a second.
    """

    size: int = 16
    frames: int = 4
    seconds: float = 0.512
    rate: int = 8000
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def channels(self, kind: Kind) -> int:
        """Return the channels of a kind: colours, one of loudness, or the colours of every frame.

        Examples
        --------
        >>> [Grid(frames=4).channels(kind) for kind in ("image", "audio", "video")]
        [3, 1, 12]
        """
        return {"image": 3, "audio": 1, "video": 3 * self.frames}[kind]


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """An own small encoder: its patches, through a transformer, beside one pooled vector.

    Attributes
    ----------
    patch
        Rows and columns of a patch.
    width, layers, heads
        Of the transformer.
    """

    patch: int = 4
    width: int = 64
    layers: int = 2
    heads: int = 4
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT

    def features(self, grid: Grid) -> Features:
        """Return what it gives for one item: every patch, and their mean first.

        Examples
        --------
        >>> EncoderConfig(patch=4, width=64).features(Grid(size=16))
        Features(tokens=17, width=64)
        """
        return Features(tokens=(grid.size // self.patch) ** 2 + 1, width=self.width)


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """An own small diffusion decoder.

    Attributes
    ----------
    condition
        What steers it.
    channels
        Of the U-Net's levels, from the finest.
    letters
        Bytes of a caption that its text encoder reads.
    """

    condition: Condition = field(default_factory=lambda: Condition(tokens=4, width=32))
    channels: tuple[int, ...] = (16, 32)
    letters: int = 96
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True, kw_only=True)
class InputConfig:
    """A projection from an encoder into the language model.

    Attributes
    ----------
    form
        `linear`: every vector is one soft token (the paper's first version); `grouping`: patches gather round
        `groups` learned concepts (its third version, appendix C.1).
    width
        Of the encoder's vectors.
    hidden
        Of the language model.
    groups
        Concepts of each stage of `grouping`; the last is the number of soft tokens. Official code: 64 and 8.
    layers, heads
        Of each stage's transformer. Official code: 6, 3 and 3 layers, 8 heads.
    """

    form: Literal["linear", "grouping"] = "linear"
    width: int
    hidden: int
    groups: tuple[int, ...] = (64, 8)
    layers: int = 3
    heads: int = 8
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True, kw_only=True)
class OutputConfig:
    """A projection from the language model into a decoder; the defaults are the official code's.

    Attributes
    ----------
    signals
        Signal tokens of its kind.
    hidden
        Width of the language model.
    tokens, width
        Of the decoder's condition.
    inner, layers, heads, feedforward
        Of its transformer.
    """

    signals: int
    hidden: int
    tokens: int
    width: int
    inner: int = 512
    layers: int = 4
    heads: int = 4
    feedforward: int = 2048
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """Everything that decides the shapes of a system.

    Attributes
    ----------
    grid
        Of the own encoders and decoders.
    encoders, inputs
        For every kind that can be read.
    decoders, outputs
        For every kind that can be made.
    """

    grid: Grid = field(default_factory=Grid)
    encoders: Mapping[Kind, EncoderConfig]
    inputs: Mapping[Kind, InputConfig]
    decoders: Mapping[Kind, DecoderConfig]
    outputs: Mapping[Kind, OutputConfig]
    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT


def check(config: SystemConfig, *, hidden: int) -> None:
    """Check that all parts meet.

    Parameters
    ----------
    config
        Of the system.
    hidden
        Width of the language model, from its own configuration.

    Raises
    ------
    InputError
        A part is missing, or two parts that meet differ in shape; the message has both numbers.
    """
    for whole, ends, what in (
        (config.encoders, config.inputs, "encoders and inputs"),
        (config.decoders, config.outputs, "decoders and outputs"),
    ):
        if set(whole) != set(ends):
            kinds = f"{sorted(whole)} and {sorted(ends)}"
            raise InputError(f"{what} are of different kinds: {kinds}", hint="give each kind both")
    for kind, encoder in config.encoders.items():
        _divides(f"encoders.{kind}.patch", encoder.patch, "grid.size", config.grid.size)
        _divides(f"encoders.{kind}.heads", encoder.heads, f"encoders.{kind}.width", encoder.width)
        given, read = encoder.features(config.grid), config.inputs[kind]
        _equal(f"inputs.{kind}.width", read.width, f"encoders.{kind} gives", given.width)
        _equal(f"inputs.{kind}.hidden", read.hidden, "the language model's width", hidden)
        if read.form == "grouping":
            _divides(f"inputs.{kind}.heads", read.heads, f"inputs.{kind}.width", read.width)
    for kind, decoder in config.decoders.items():
        read, condition = config.outputs[kind], decoder.condition
        _equal(f"outputs.{kind}.hidden", read.hidden, "the language model's width", hidden)
        _equal(f"outputs.{kind}.width", read.width, f"decoders.{kind} needs", condition.width)
        _equal(f"outputs.{kind}.tokens", read.tokens, f"decoders.{kind} needs", condition.tokens)
        _divides(f"outputs.{kind}.heads", read.heads, f"outputs.{kind}.inner", read.inner)
        _divides("heads of the caption encoder", 4, f"decoders.{kind}.condition.width", condition.width)
        for channels in decoder.channels:
            _divides("groups of the U-Net's norms", 8, f"decoders.{kind}.channels", channels)
        _divides("halvings of the U-Net", 2 ** (len(decoder.channels) - 1), "grid.size", config.grid.size)


def write(config: SystemConfig, folder: Path) -> None:
    """Write a system's configuration into its folder."""
    import json

    from sulan.runs import outputs

    outputs.write_text(folder / FILE, json.dumps(asdict(config), indent=2, sort_keys=True) + "\n")


def read(folder: Path) -> SystemConfig:
    """Read a system's configuration.

    Raises
    ------
    MissingFile
        The folder holds none.
    InputError
        It is not one; the message names the key.
    """
    from pydantic import TypeAdapter, ValidationError

    path = folder / FILE
    if not path.is_file():
        raise MissingFile(f"{folder} is not a system: it has no {FILE}")
    try:
        return TypeAdapter(SystemConfig).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(key) for key in first["loc"])
        raise InputError(f"{path}: {where}: {first['msg']}") from error


def _equal(name: str, value: int, other: str, wanted: int) -> None:
    if value != wanted:
        raise InputError(f"{name} is {value}, but {other} {wanted}", hint=f"set {name} to {wanted}")


def _divides(name: str, value: int, other: str, whole: int) -> None:
    if value < 1 or whole % value:
        raise InputError(f"{name} {value} does not divide {other} {whole}")

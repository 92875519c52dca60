"""A quantised model on disk: compressed-tensors' packed layout, and beside it what every matrix is.

`X.weight_packed` int32 [rows, ceil(columns bits / 32)] holds the codes as a dense stream, `X.weight_scale`
float16 [rows, groups], `X.weight_shape` int64 [2]; asymmetric grids add `X.weight_zero_point` int32 [ceil(rows
bits / 32), groups], packed down the rows. The layout counts codes from -2^(b-1), so what is stored is our code
itself.

transformers (with the package compressed-tensors) and vLLM load that folder as it is where grids are symmetric
and only matrices of blocks are packed. Where not - transformers 5.23 refuses packed zero points and packed
embeddings - the packed weights lie in `packed.safetensors`, and `model.safetensors` holds the same values as
plain numbers. Not covered: writing other formats, see `formats`.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.models.saving import CONFIG, readable_everywhere
from sulan.quantize import packing
from sulan.quantize.grid import Quantised, Scheme
from sulan.quantize.layers import Layer
from sulan.quantize.streamed import INDEX, Checkpoint
from sulan.runs import outputs

DESCRIPTION = "quantization.json"
PACKED, DENSE = "packed.safetensors", "model.safetensors"
SHARD_BYTES = 4 << 30
"""Bytes of a weight file after which a further one is begun; what is being written is held in memory."""

Source = Callable[[str], Quantised]


@dataclass(frozen=True, kw_only=True)
class Description:
    """What a quantised model is.

    Attributes
    ----------
    teacher
        The model it was made from, as it was named, and what its weights are.
    teacher_fingerprint
        SHA-256 over the teacher's weights.
    group_size
        The group that was asked for; -1: a whole row.
    layers
        Every matrix of the blocks, and the embedding where it is packed.
    """

    teacher: str
    teacher_fingerprint: str
    group_size: int
    layers: tuple[Layer, ...]

    @property
    def packed(self) -> tuple[Layer, ...]:
        """The layers that are quantised."""
        return tuple(layer for layer in self.layers if layer.scheme)

    def average_bits(self) -> float:
        """Return the stored bits per quantised weight, scales and zero points included."""
        weights = sum(layer.weights for layer in self.packed)
        return (
            sum(layer.weights * layer.scheme.bits_per_weight() for layer in self.packed if layer.scheme)
            / weights
        )


class Artefact:
    """A quantised model that is being read; see `read`."""

    def __init__(self, folder: Path, description: Description) -> None:
        self.folder, self.description = folder, description
        self._schemes = {layer.name: layer.scheme for layer in description.layers if layer.scheme}
        self._files, self._stack = _weight_files(folder), ExitStack()

    def tensor(self, name: str) -> Tensor:
        """Read one stored tensor."""
        from safetensors import SafetensorError, safe_open

        if name not in self._files:
            raise BrokenArtefact(f"{self.folder} has no tensor {name}")
        try:
            with safe_open(self._files[name], framework="pt") as file:
                return file.get_tensor(name)
        except SafetensorError as error:
            raise BrokenArtefact(f"{self._files[name]} is damaged: {error}") from error

    def names(self) -> list[str]:
        """Return the names of all stored tensors."""
        return list(self._files)

    def kept(self) -> Iterator[tuple[str, Tensor]]:
        """Give the tensors that are not quantised."""
        owned = {f"{layer}.{part}" for layer in self._schemes for part in PARTS}
        for name in self._files:
            if name not in owned:
                yield name, self.tensor(name)

    def matrix(self, name: str) -> Quantised:
        """Read one quantised matrix."""
        scheme = self._schemes[name]
        return unpacked({part: self.tensor(f"{name}.{part}") for part in parts(scheme)}, scheme)


PARTS = ("weight_packed", "weight_scale", "weight_shape", "weight_zero_point")


def parts(scheme: Scheme) -> tuple[str, ...]:
    """Return the names of the tensors that a matrix is stored in."""
    return PARTS[:3] if scheme.symmetric else PARTS


def packed(matrix: Quantised) -> dict[str, Tensor]:
    """Return the tensors that a matrix is stored in."""
    scheme = matrix.scheme
    found = {
        "weight_packed": packing.pack(matrix.codes, scheme.bits),
        "weight_scale": matrix.scale.contiguous(),
        "weight_shape": torch.tensor(matrix.codes.shape, dtype=torch.int64),
    }
    if not scheme.symmetric:
        found["weight_zero_point"] = packing.pack(matrix.zero.t().contiguous(), scheme.bits).t().contiguous()
    return found


def unpacked(tensors: Mapping[str, Tensor], scheme: Scheme) -> Quantised:
    """Undo `packed`."""
    rows, columns = tensors["weight_shape"].tolist()
    scale = tensors["weight_scale"]
    if scheme.symmetric:
        zero = torch.full(scale.shape, scheme.middle, dtype=torch.uint8)
    else:
        zero = (
            packing.unpack(tensors["weight_zero_point"].t().contiguous(), scheme.bits, rows).t().contiguous()
        )
    return Quantised(
        codes=packing.unpack(tensors["weight_packed"], scheme.bits, columns),
        scale=scale,
        zero=zero,
        scheme=scheme,
    )


def read(folder: Path) -> Artefact:
    """Open a quantised model.

    Raises
    ------
    MissingFile
        There is nothing at this path.
    InputError
        It is not what `quantize run` makes.
    """
    if not folder.is_dir():
        raise MissingFile(f"no quantised model at {folder}")
    try:
        document = json.loads((folder / DESCRIPTION).read_text())
        layers = tuple(
            Layer(
                name=layer["name"],
                rows=layer["rows"],
                columns=layer["columns"],
                scheme=Scheme(**layer["scheme"]) if layer["scheme"] else None,
                note=layer["note"],
            )
            for layer in document["layers"]
        )
    except FileNotFoundError as error:
        raise InputError(
            f"{folder} is not a quantised model: it has no {DESCRIPTION}", hint="sulan quantize run makes one"
        ) from error
    except (ValueError, KeyError, TypeError) as error:
        raise BrokenArtefact(f"{folder / DESCRIPTION} is damaged: {error}") from error
    return Artefact(
        folder,
        Description(
            teacher=document["teacher"],
            teacher_fingerprint=document["teacher_fingerprint"],
            group_size=document["group_size"],
            layers=layers,
        ),
    )


def write(folder: Path, checkpoint: Checkpoint, description: Description, matrices: Source) -> int:
    """Write a quantised model, without its tokenizer, and return the bytes of its packed weights.

    Parameters
    ----------
    folder
        What `outputs.folder` gave.
    checkpoint
        The unquantised model; what is not quantised is taken from it unchanged.
    description
        What is written.
    matrices
        Gives a quantised matrix by name.
    """
    layers = {layer.name: layer for layer in description.packed}
    loadable = is_loadable(description.packed)
    stored = _tensors(checkpoint, layers, lambda name: packed(matrices(name)))
    size = save(folder, DENSE if loadable else PACKED, stored)
    if not loadable:
        dtype = checkpoint.dtype
        dense = _tensors(checkpoint, layers, lambda name: {"weight": matrices(name).weight(dtype)})
        save(folder, DENSE, dense)
    config = json.loads((checkpoint.folder / CONFIG).read_text())
    if loadable:
        config["quantization_config"] = quantization_config(description.packed)
    write_json(folder / CONFIG, readable_everywhere(config))
    write_json(folder / DESCRIPTION, asdict(description))
    return size


def is_loadable(layers: Sequence[Layer]) -> bool:
    """Tell whether transformers reads the packed layout of these layers; see the module."""
    return all(layer.scheme and layer.scheme.symmetric and "embed" not in layer.name for layer in layers)


def quantization_config(layers: Iterable[Layer]) -> dict[str, Any]:
    """Return the `quantization_config` of compressed-tensors, one group a scheme."""
    targets: dict[tuple[int, int | None, bool], list[str]] = {}
    for layer in layers:
        if layer.scheme:
            group = None if layer.scheme.group == layer.columns else layer.scheme.group
            targets.setdefault((layer.scheme.bits, group, layer.scheme.symmetric), []).append(layer.name)
    groups = {
        f"group_{number}": {
            "targets": names,
            "weights": {
                "num_bits": bits,
                "type": "int",
                "symmetric": symmetric,
                "strategy": "channel" if group is None else "group",
                "group_size": group,
                "dynamic": False,
            },
        }
        for number, ((bits, group, symmetric), names) in enumerate(targets.items())
    }
    return {
        "quant_method": "compressed-tensors",
        "format": "pack-quantized",
        "quantization_status": "compressed",
        "ignore": ["lm_head"],
        "config_groups": groups,
    }


def _tensors(
    checkpoint: Checkpoint, layers: Mapping[str, Layer], matrix: Callable[[str], dict[str, Tensor]]
) -> Iterator[tuple[str, Tensor]]:
    for name in checkpoint.names:
        owner, _, part = name.rpartition(".")
        if part == "weight" and owner in layers:
            for own, tensor in matrix(owner).items():
                yield f"{owner}.{own}", tensor
        else:
            yield name, checkpoint.tensor(name)


def save(folder: Path, name: str, tensors: Iterator[tuple[str, Tensor]]) -> int:
    """Write tensors in one file, or in several with an index; return the bytes written."""
    from safetensors.torch import save_file

    stem = name.removesuffix(".safetensors")
    shards: list[list[str]] = []
    held: dict[str, Tensor] = {}

    def write() -> None:
        path = folder / f"{stem}-{len(shards):05d}.safetensors"
        save_file(held, path, metadata={"format": "pt"})
        path.chmod(0o644)  # safetensors makes files that only their owner can read
        shards.append(list(held))
        held.clear()

    for own, tensor in tensors:
        if held and sum(t.nbytes for t in held.values()) + tensor.nbytes > SHARD_BYTES:
            write()
        held[own] = tensor.contiguous()
    write()
    files = [folder / f"{stem}-{number:05d}.safetensors" for number in range(len(shards))]
    total = sum(file.stat().st_size for file in files)
    if len(files) == 1:
        files[0].rename(folder / name)
        return total
    weight_map = {}
    for number, (file, names) in enumerate(zip(files, shards, strict=True), 1):
        final = f"{stem}-{number:05d}-of-{len(files):05d}.safetensors"
        file.rename(folder / final)
        weight_map.update(dict.fromkeys(names, final))
    index = INDEX if name == DENSE else f"{name}.index.json"
    write_json(folder / index, {"metadata": {"total_size": total}, "weight_map": weight_map})
    return total


def _weight_files(folder: Path) -> dict[str, Path]:
    from safetensors import SafetensorError, safe_open

    stem = PACKED if list(folder.glob("packed*.safetensors")) else DENSE
    found: dict[str, Path] = {}
    for path in sorted(folder.glob(f"{stem.removesuffix('.safetensors')}*.safetensors")):
        try:
            with safe_open(path, framework="pt") as file:
                found.update(dict.fromkeys(file.keys(), path))
        except SafetensorError as error:
            raise BrokenArtefact(f"{path} is damaged: {error}") from error
    if not found:
        raise BrokenArtefact(f"{folder} has no weights")
    return found


def write_json(path: Path, document: object) -> None:
    """Write a JSON file with sorted keys."""
    outputs.write_text(path, json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n")


EMPTY = Description(teacher="", teacher_fingerprint="", group_size=-1, layers=())
"""Describes nothing: tensors are read by name only."""

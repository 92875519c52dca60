"""ONNX files for ONNX Runtime: `MatMulNBits` with 2, 4 or 8 bits and a key-value cache, for models of Llama's shape.

`MatMulNBits` holds B uint8 [rows, blocks, bytes], codes low bits first, scales float32 [rows blocks] and a zero
point of 2^(b-1) where none is given. Its blocks are powers of two from 16 to 256: a larger group repeats its
scale. 3-bit codes are stored in 4 bits, which changes no value. The embedding is packed at 8 bit and serves as
the head as well where the two are tied, from one copy in the file. Activations are rounded to 8 bit inside the
product (accuracy level 4), which is what makes it fast on a CPU. Not covered: other architectures, batches,
files above 2 GB.
"""

import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy
import torch

from sulan.errors import InputError, MissingExtra
from sulan.quantize import grid, packing
from sulan.quantize.artefact import Artefact
from sulan.quantize.formats import Check, checkpoint
from sulan.quantize.grid import Quantised, Scheme

FILE = "model.onnx"
BITS = {2: 2, 3: 4, 4: 4, 8: 8}
LARGEST_BLOCK = 256
ACCURACY_LEVEL = 4
EMBEDDING = Scheme(bits=8, group=64)
MICROSOFT = "com.microsoft"

MATRIX_LIMIT, EXACT_LIMIT, LOGITS_LIMIT = 0.01, 1e-3, 0.05


def block_of(group: int) -> int:
    """Return the block that a group is stored in: the largest power of two that divides it, at most 256.

    Examples
    --------
    >>> block_of(576), block_of(128), block_of(1024)
    (64, 128, 256)
    """
    return min(group & -group, LARGEST_BLOCK)


def arrays(matrix: Quantised) -> tuple[dict[str, numpy.ndarray], dict[str, int]]:
    """Return the inputs of MatMulNBits (`B`, `scales`, and `zero_points` where they are needed), and its attributes."""
    scheme, (rows, columns) = matrix.scheme, matrix.codes.shape
    bits, block = BITS[scheme.bits], block_of(scheme.group)
    codes = matrix.codes.int()
    if scheme.symmetric:
        codes = codes - scheme.middle + 2 ** (bits - 1)
    count, repeats = columns // block, scheme.group // block
    stream = packing.pack(codes.to(torch.uint8).view(rows * count, block), bits).numpy()
    found = {
        "B": stream.view(numpy.uint8).reshape(rows, count, block * bits // 8),
        "scales": matrix.scale.float().repeat_interleave(repeats, 1).numpy().reshape(-1),
    }
    if not scheme.symmetric:
        zeros = packing.pack(matrix.zero.repeat_interleave(repeats, 1), bits).numpy().view(numpy.uint8)
        found["zero_points"] = numpy.ascontiguousarray(zeros[:, : -(-count * bits // 8)]).reshape(-1)
    return found, {
        "K": columns,
        "N": rows,
        "bits": bits,
        "block_size": block,
        "accuracy_level": ACCURACY_LEVEL,
    }


class _Graph:
    """Nodes and constants as they are added."""

    def __init__(self) -> None:
        from onnx import helper, numpy_helper

        self._helper, self._arrays = helper, numpy_helper
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.table: dict[str, int] = {}  # the embedding's attributes, which a tied head shares

    def constant(self, name: str, value: numpy.ndarray) -> str:
        self.constants.append(self._arrays.from_array(numpy.ascontiguousarray(value), name))
        return name

    def node(
        self, kind: str, inputs: Sequence[str], outputs: Sequence[str], domain: str = "", **attributes: Any
    ) -> str:
        made = self._helper.make_node(
            kind, list(inputs), list(outputs), outputs[0], domain=domain, **attributes
        )
        self.nodes.append(made)
        return outputs[0]

    def product(self, name: str, value: str, matrix: Quantised) -> str:
        found, attributes = arrays(matrix)
        inputs = [value, *(self.constant(f"{name}.{part}", array) for part, array in found.items())]
        return self.node("MatMulNBits", inputs, [f"{name}.out"], MICROSOFT, **attributes)


def write(artefact: Artefact, folder: Path) -> list[str]:
    """Write `model.onnx` and return what a user should know of it."""
    try:
        import onnx
        from onnx import TensorProto, helper
    except ImportError as error:
        raise MissingExtra("onnx", extra="quantize") from error
    config = json.loads((artefact.folder / "config.json").read_text())
    if config.get("model_type") != "llama" or config.get("hidden_act") != "silu":
        raise InputError(f"onnx is written for llama, not for {config.get('model_type')}")
    heads, kept = config["num_attention_heads"], dict(artefact.kept())
    pairs = config.get("num_key_value_heads") or heads
    head = config.get("head_dim") or config["hidden_size"] // heads
    graph = _Graph()
    hidden = _embed(graph, artefact, kept)
    cosines, sines = (graph.constant(name, table) for name, table in _rotary(config, head).items())
    inputs = [helper.make_tensor_value_info("input_ids", TensorProto.INT64, [1, "tokens"])]
    inputs.append(helper.make_tensor_value_info("last", TensorProto.INT32, [1]))
    inputs.append(helper.make_tensor_value_info("total", TensorProto.INT32, []))
    outputs = [
        helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, "tokens", config["vocab_size"]])
    ]
    norm = float(config["rms_norm_eps"])
    for number in range(config["num_hidden_layers"]):
        own = f"model.layers.{number}"
        past = [f"past.{number}.{part}" for part in ("key", "value")]
        present = [f"present.{number}.{part}" for part in ("key", "value")]
        for name in past:
            inputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, pairs, "past", head]))
        for name in present:
            outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, pairs, "total", head]))
        normed = _norm(graph, f"{own}.input_layernorm", hidden, kept, norm)
        parts = [
            _linear(graph, artefact, kept, f"{own}.self_attn.{name}", normed)
            for name in ("q_proj", "k_proj", "v_proj")
        ]
        attended = graph.node(
            "GroupQueryAttention",
            [*parts, *past, "last", "total", cosines, sines],
            [f"{own}.attended", *present],
            MICROSOFT,
            num_heads=heads,
            kv_num_heads=pairs,
            do_rotary=1,
        )
        added = _linear(graph, artefact, kept, f"{own}.self_attn.o_proj", attended)
        hidden = graph.node("Add", [hidden, added], [f"{own}.after_attention"])
        normed = _norm(graph, f"{own}.post_attention_layernorm", hidden, kept, norm)
        gate = _linear(graph, artefact, kept, f"{own}.mlp.gate_proj", normed)
        up = _linear(graph, artefact, kept, f"{own}.mlp.up_proj", normed)
        bent = graph.node("Mul", [gate, graph.node("Sigmoid", [gate], [f"{own}.sigmoid"])], [f"{own}.silu"])
        inner = graph.node("Mul", [bent, up], [f"{own}.inner"])
        hidden = graph.node(
            "Add", [hidden, _linear(graph, artefact, kept, f"{own}.mlp.down_proj", inner)], [f"{own}.out"]
        )
    normed = _norm(graph, "model.norm", hidden, kept, norm)
    _head(graph, kept, normed)
    made = helper.make_model(
        helper.make_graph(graph.nodes, "sulan", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)],
        ir_version=10,
    )
    onnx.save_model(made, folder / FILE)
    checkpoint.copy_beside(artefact, folder)
    return ["activations are rounded to 8 bit inside the products (accuracy level 4)"]


def _linear(graph: _Graph, artefact: Artefact, kept: Mapping[str, Any], name: str, value: str) -> str:
    if any(layer.name == name for layer in artefact.description.packed):
        found = graph.product(name, value, artefact.matrix(name))
    else:
        weight = graph.constant(f"{name}.weight", kept[f"{name}.weight"].float().t().numpy())
        found = graph.node("MatMul", [value, weight], [f"{name}.out"])
    if f"{name}.bias" in kept:
        bias = graph.constant(f"{name}.bias", kept[f"{name}.bias"].float().numpy())
        found = graph.node("Add", [found, bias], [f"{name}.with_bias"])
    return found


def _norm(graph: _Graph, name: str, value: str, kept: Mapping[str, Any], epsilon: float) -> str:
    weight = graph.constant(f"{name}.weight", kept[f"{name}.weight"].float().numpy())
    return graph.node(
        "SimplifiedLayerNormalization",
        [value, weight],
        [f"{name}.out"],
        axis=-1,
        epsilon=epsilon,
        stash_type=1,
    )


def embedding(artefact: Artefact, kept: Mapping[str, Any]) -> Quantised:
    """Return the embedding as it is stored: packed already, or rounded to 8 bit here."""
    name = "model.embed_tokens"
    if any(layer.name == name for layer in artefact.description.packed):
        return artefact.matrix(name)
    table = kept[f"{name}.weight"].float()
    group = EMBEDDING.group
    while table.shape[1] % group:
        group //= 2
    return grid.nearest(table, Scheme(bits=8, group=group))


def _embed(graph: _Graph, artefact: Artefact, kept: Mapping[str, Any]) -> str:
    table = embedding(artefact, kept)
    rows, columns = table.codes.shape
    found, attributes = arrays(table)
    graph.table = attributes
    data = graph.constant("embedding.codes", found["B"].reshape(rows, columns))
    scales = graph.constant("embedding.scales", found["scales"].reshape(rows, -1))
    return graph.node(
        "GatherBlockQuantized",
        [data, "input_ids", scales],
        ["embedded"],
        MICROSOFT,
        gather_axis=0,
        quantize_axis=1,
        block_size=attributes["block_size"],
        bits=8,
    )


def _head(graph: _Graph, kept: Mapping[str, Any], value: str) -> None:
    if "lm_head.weight" in kept:
        head = grid.nearest(kept["lm_head.weight"].float(), EMBEDDING)
        found = graph.product("lm_head", value, head)
        graph.node("Identity", [found], ["logits"])
        return
    attributes = graph.table
    rows, block = attributes["N"], attributes["block_size"]
    shape = graph.constant("head.shape", numpy.array([rows, attributes["K"] // block, block], numpy.int64))
    flat = graph.constant("head.flat", numpy.array([-1], numpy.int64))
    codes = graph.node("Reshape", ["embedding.codes", shape], ["head.codes"])
    scales = graph.node("Reshape", ["embedding.scales", flat], ["head.scales"])
    graph.node("MatMulNBits", [value, codes, scales], ["logits"], MICROSOFT, **attributes)


def _rotary(config: Mapping[str, Any], head: int) -> dict[str, numpy.ndarray]:
    rope = config.get("rope_parameters") or {}
    if rope.get("rope_type", "default") != "default":
        raise InputError(f"onnx is written for plain rotary positions, not {rope['rope_type']}")
    base = rope.get("rope_theta") or config.get("rope_theta", 10000.0)
    speeds = base ** (-numpy.arange(0, head, 2, dtype=numpy.float64) / head)
    angles = numpy.arange(config["max_position_embeddings"])[:, None] * speeds
    return {
        "cosines": numpy.cos(angles).astype(numpy.float32),
        "sines": numpy.sin(angles).astype(numpy.float32),
    }


class Session:
    """A written file, loaded in ONNX Runtime on the CPU, with its cache.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra("onnxruntime", extra="quantize") from error
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._cache: dict[str, numpy.ndarray] = {}
        self._length = 0

    def logits(self, tokens: Sequence[int] | numpy.ndarray, *, fresh: bool = False) -> numpy.ndarray:
        """Return float32 [tokens, vocabulary] after further tokens; `fresh`: after none before them."""
        shapes = {
            entry.name: entry.shape for entry in self._session.get_inputs() if entry.name.startswith("past.")
        }
        if fresh or not self._cache:
            self._length = 0
            self._cache = {
                name: numpy.zeros((1, shape[1], 0, shape[3]), numpy.float32) for name, shape in shapes.items()
            }
        total = self._length + len(tokens)
        given = {
            "input_ids": numpy.asarray(tokens, numpy.int64)[None],
            "last": numpy.array([total - 1], numpy.int32),
            "total": numpy.array(total, numpy.int32),
        }
        found: Any = self._session.run(None, {**given, **self._cache})
        self._cache = dict(zip(shapes, found[1:], strict=True))
        self._length = total
        return found[0][0]


def check(artefact: Artefact, folder: Path) -> list[Check]:
    """Run single products and the whole file in ONNX Runtime: exactly, as it is, at once and token by token."""
    model = checkpoint.dense(artefact)
    model.get_input_embeddings().weight.data = embedding(artefact, dict(artefact.kept())).weight()
    window = checkpoint.held_out(artefact, checkpoint.TOKENS)
    with torch.inference_mode():
        expected = model(window[None]).logits[0].numpy()
    with tempfile.TemporaryDirectory() as name:
        exact = Session(_in_float(folder / FILE, Path(name))).logits(window.numpy(), fresh=True)
    session = Session(folder / FILE)
    at_once = session.logits(window.numpy(), fresh=True)
    one_by_one = [session.logits([int(token)], fresh=number == 0) for number, token in enumerate(window)]
    product = max(_product_error(artefact.matrix(layer.name)) for layer in artefact.description.packed[:7])
    compared = (
        ("logits with activations in float32", exact, EXACT_LIMIT),
        ("logits of a whole prompt", at_once, LOGITS_LIMIT),
        ("logits token by token", numpy.concatenate(one_by_one), LOGITS_LIMIT),
    )
    return [
        Check(reader="ONNX Runtime", what="relative error of one product", error=product, limit=MATRIX_LIMIT),
        *(
            Check(
                reader="ONNX Runtime",
                what=f"relative difference of {what}",
                error=_difference(found, expected),
                limit=limit,
            )
            for what, found, limit in compared
        ),
    ]


def _in_float(path: Path, folder: Path) -> Path:
    """Write the same file with products that leave activations in float32: what is stored shows exactly."""
    import onnx

    made = onnx.load_model(path)
    for node in made.graph.node:
        for attribute in node.attribute:
            if attribute.name == "accuracy_level":
                attribute.i = 0
    onnx.save_model(made, folder / FILE)
    return folder / FILE


def _difference(found: numpy.ndarray, expected: numpy.ndarray) -> float:
    return float(numpy.linalg.norm(found - expected) / numpy.linalg.norm(expected))


def _product_error(matrix: Quantised) -> float:
    """Return the relative error of one product in ONNX Runtime, for normal inputs drawn from a fixed seed."""
    import onnxruntime
    from onnx import TensorProto, helper

    graph = _Graph()
    rows, columns = matrix.codes.shape
    out = graph.product("product", "value", matrix)
    given = helper.make_tensor_value_info("value", TensorProto.FLOAT, [16, columns])
    got = helper.make_tensor_value_info(out, TensorProto.FLOAT, [16, rows])
    made = helper.make_model(
        helper.make_graph(graph.nodes, "product", [given], [got], graph.constants),
        opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid(MICROSOFT, 1)],
        ir_version=10,
    )
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    value = numpy.random.default_rng(0).standard_normal((16, columns)).astype(numpy.float32)
    (found,) = session.run(None, {"value": value})
    return _difference(numpy.asarray(found), value @ matrix.weight().numpy().T)

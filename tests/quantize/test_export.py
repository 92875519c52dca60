"""Exports: bit for bit what was tuned, and refused where a format cannot hold it."""

from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy
import pytest
import torch

from quantize.checkpoints import llama
from sulan import quantize
from sulan.errors import InputError, MissingFile
from sulan.quantize import artefact, grid
from sulan.quantize.formats import awq, gguf, gptq, onnx
from sulan.quantize.grid import Quantised, Scheme


def drawn(scheme: Scheme, *, rows: int = 32, columns: int = 64) -> Quantised:
    weight = torch.randn(rows, columns, generator=torch.Generator().manual_seed(scheme.bits))
    return grid.nearest(weight, scheme)


def rounded(
    folder: Path, model: Path, *, bits: Literal[2, 3, 4, 8], sym: bool = True, group: int = 32
) -> Path:
    quantize.run(model, out=folder, bits=bits, group_size=group, sym=sym, recipe="rtn")
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return llama(tmp_path_factory.mktemp("models") / "llama")


@pytest.fixture(scope="module")
def four(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return rounded(tmp_path_factory.mktemp("four") / "out", model, bits=4)


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_tensors_read_back_bit_by_bit(bits, symmetric):
    matrix = drawn(Scheme(bits=bits, group=32, symmetric=symmetric))
    for version in (1, 2):
        if version == 1 and not matrix.zero.min():
            continue
        stored = gptq.tensors(matrix, version=version)
        assert stored["qweight"].shape == (64 * bits // 32, 32)
        assert stored["qzeros"].shape == (2, 32 * bits // 32)
        assert torch.equal(gptq.decoded(stored, bits=bits, version=version), matrix.weight())


def test_gptq_zero_points_are_stored_minus_one():
    # As auto-round 0.16.1 writes them: 8 - 1 in every nibble, 2 - 1 in every pair of bits.
    for bits, word in ((4, 0x77777777), (2, 0x55555555)):
        stored = gptq.tensors(drawn(Scheme(bits=bits, group=32)), version=1)
        assert (stored["qzeros"] == word).all()


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_awq_tensors_read_back_nibble_by_nibble(bits):
    matrix = drawn(Scheme(bits=bits, group=32, symmetric=False))
    assert torch.equal(awq.decoded(awq.tensors(matrix), group=32), matrix.weight())


def linear_of(matrix: Quantised) -> torch.nn.Linear:
    rows, columns = matrix.codes.shape
    made = torch.nn.Linear(columns, rows, bias=False)
    made.weight.data = matrix.weight()
    return made


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_gptq_bytes_are_those_that_auto_round_writes(bits, symmetric):
    peer = pytest.importorskip(
        "auto_round_extension.torch.qlinear_torch_zp", reason="the extra bench is absent"
    )
    matrix = drawn(Scheme(bits=bits, group=32, symmetric=symmetric))
    if not matrix.zero.min():
        matrix = replace(matrix, zero=matrix.zero.clamp(min=1))  # which version 1 can hold
    theirs = peer.QuantLinear(bits, 32, 64, 32, bias=False)
    theirs.pack(linear_of(matrix), matrix.scale.float(), matrix.zero.float())
    ours = gptq.tensors(matrix, version=1)
    for part in ("qweight", "qzeros", "scales"):
        assert torch.equal(getattr(theirs, part), ours[part]), part


def test_awq_bytes_are_those_that_auto_round_writes():
    peer = pytest.importorskip("auto_round.export.export_to_awq.utils", reason="the extra bench is absent")
    matrix = drawn(Scheme(bits=4, group=32, symmetric=False))
    theirs = peer.WQLinear_GEMM.from_linear(
        linear_of(matrix), 4, 32, scales=matrix.scale.float().t(), zeros=matrix.zero.float().t()
    )
    ours = awq.tensors(matrix)
    for part in ("qweight", "qzeros", "scales"):
        assert torch.equal(getattr(theirs, part), ours[part]), part


@pytest.mark.parametrize(("bits", "kind"), [(2, "Q4_0"), (3, "Q4_0"), (4, "Q4_0"), (8, "Q8_0")])
def test_gguf_blocks_are_exact(bits, kind):
    package = pytest.importorskip("gguf")
    matrix = drawn(Scheme(bits=bits, group=64))
    data, found = gguf.encoded(matrix)
    assert found == kind
    read = package.quants.dequantize(data, package.GGMLQuantizationType[kind])
    assert numpy.array_equal(read, matrix.weight().numpy())


def test_gguf_asymmetric_blocks_differ_by_the_rounding_of_their_minimum():
    package = pytest.importorskip("gguf")
    matrix = drawn(Scheme(bits=4, group=32, symmetric=False))
    data, kind = gguf.encoded(matrix)
    assert kind == "Q4_1"
    read = package.quants.dequantize(data, package.GGMLQuantizationType[kind])
    steps = matrix.scale.float().repeat_interleave(32, 1).numpy()
    assert (numpy.abs(read - matrix.weight().numpy()) <= 0.01 * steps).all()


@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("bits", [2, 3, 4, 8])
@pytest.mark.parametrize("group", [32, 96])
def test_onnx_products_are_within_one_percent(bits, symmetric, group):
    pytest.importorskip("onnxruntime")
    matrix = drawn(Scheme(bits=bits, group=group, symmetric=symmetric), columns=192)
    assert onnx._product_error(matrix) < 0.01


@pytest.mark.parametrize("format", ["gptq", "awq", "compressed-tensors", "gguf", "onnx"])
def test_exports_agree_with_their_source(format, four, tmp_path):
    report = quantize.export(four, format=format, out=tmp_path / "out")
    assert report.tables[0].rows
    for _, _, found, limit in report.tables[0].rows:
        assert float(str(found)) <= float(str(limit))


@pytest.mark.parametrize("format", ["gptq", "compressed-tensors", "onnx"])
def test_exports_of_asymmetric_two_bits(format, model, tmp_path):
    source = rounded(tmp_path / "source", model, bits=2, sym=False)
    assert quantize.export(source, format=format, out=tmp_path / "out").tables[0].rows


@pytest.mark.parametrize(("bits", "sym", "kind"), [(4, False, "14 x Q4_1"), (8, True, "15 x Q8_0")])
def test_llama_reads_the_other_types_and_predicts_the_same(bits, sym, kind, model, tmp_path):
    pytest.importorskip("xllamacpp", reason="the extra gguf is not installed")
    source = rounded(tmp_path / "source", model, bits=bits, sym=sym)
    report = quantize.export(source, format="gguf", out=tmp_path / "out")
    assert any(kind in note for note in report.notes)
    (found,) = [row for row in report.tables[0].rows if row[0] == "llama.cpp"]
    assert float(str(found[2])) <= 0.01


def test_rows_of_one_group_are_exported(model, tmp_path):
    source = rounded(tmp_path / "source", model, bits=4, group=-1)
    for format in ("onnx", "gguf"):
        assert quantize.export(source, format=format, out=tmp_path / format).tables[0].rows


def test_what_a_format_cannot_hold_is_refused(model, tmp_path):
    source = rounded(tmp_path / "source", model, bits=8)
    with pytest.raises(InputError, match="awq holds at most 4 bits"):
        quantize.export(source, format="awq", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    with pytest.raises(InputError, match="is not a quantised model"):
        quantize.export(model, format="gptq", out=tmp_path / "out")
    with pytest.raises(MissingFile):
        quantize.export(tmp_path / "nowhere", format="gptq", out=tmp_path / "out")


def test_a_written_file_that_differs_is_found(four, tmp_path):
    """What `export` asks before it calls a file done says no to a flipped bit."""
    from safetensors.torch import load_file, save_file

    quantize.export(four, format="gptq", out=tmp_path / "out")
    path = tmp_path / "out" / "model.safetensors"
    tensors = load_file(path)
    tensors["model.layers.0.mlp.up_proj.qweight"][0, 0] ^= 1
    save_file(tensors, path)
    assert not gptq.check(artefact.read(four), tmp_path / "out")[0].passed

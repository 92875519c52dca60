"""Codes to bits and back."""

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sulan.quantize import packing


@given(st.integers(1, 9), st.integers(1, 101), st.sampled_from([2, 3, 4, 8]), st.integers(0, 2**32 - 1))
def test_unpacking_undoes_packing(rows, columns, bits, seed):
    drawn = numpy.random.default_rng(seed).integers(0, 2**bits, (rows, columns), numpy.uint8)
    codes = torch.from_numpy(drawn)
    words = packing.pack(codes, bits)
    assert words.shape == (rows, -(-columns * bits // 32))
    assert torch.equal(packing.unpack(words, bits, columns), codes)


@pytest.mark.parametrize("bits", [2, 3, 4, 8])
def test_same_words_as_compressed_tensors(bits):
    helpers = pytest.importorskip("compressed_tensors.compressors.pack_quantized.helpers")
    codes = torch.from_numpy(numpy.random.default_rng(0).integers(0, 2**bits, (5, 96), numpy.uint8))
    signed = (codes.int() - 2 ** (bits - 1)).to(torch.int8)
    assert torch.equal(packing.pack(codes, bits), helpers.pack_to_int32(signed, bits))


def test_three_bits_straddle_words():
    # Codes 10 and 21 lie across two words: bits 30-32 and 63-65.
    codes = torch.zeros(1, 32, dtype=torch.uint8)
    codes[0, 10], codes[0, 21] = 7, 7
    words = [word & 0xFFFFFFFF for word in packing.pack(codes, 3)[0].tolist()]
    assert words == [0b11 << 30, 1 | 1 << 31, 0b11]

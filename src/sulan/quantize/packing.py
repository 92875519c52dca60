"""Codes to bits and back: dense little-endian streams, the order that compressed-tensors, GPTQ and ONNX share.

Code i of a row takes bits i b ... i b + b - 1 of the row's stream, low bits first; 32-bit words follow one another, and
with 3 bits some codes straddle two words. Formats differ in what a row is and in how they permute it.
Not covered: big-endian machines.
"""

import numpy
import torch
from torch import Tensor

AWQ_ORDER = (0, 2, 4, 6, 1, 3, 5, 7)
"""Columns of eight in the order in which AWQ's "gemm" layout puts them into a word, lowest bits first."""


def pack(codes: Tensor, bits: int) -> Tensor:
    """Pack uint8 codes [rows, columns] into int32 [rows, ceil(columns bits / 32)].

    Examples
    --------
    Four 2-bit codes 1, 2, 3, 0 are 0b00111001:

    >>> pack(torch.tensor([[1, 2, 3, 0]], dtype=torch.uint8), 2).tolist()
    [[57]]
    """
    rows, columns = codes.shape
    words = -(-columns * bits // 32)
    data = numpy.ascontiguousarray(codes.numpy())
    if bits == 8:
        stream = data
    elif bits in (2, 4):
        each = 8 // bits
        data = numpy.pad(data, ((0, 0), (0, -columns % each)))
        stream = data[:, 0::each].copy()
        for place in range(1, each):
            stream |= data[:, place::each] << (place * bits)
    else:
        unpacked = numpy.unpackbits(data[..., None], axis=2, count=bits, bitorder="little")
        stream = numpy.packbits(unpacked.reshape(rows, -1), axis=1, bitorder="little")
    padded = numpy.zeros((rows, words * 4), numpy.uint8)
    padded[:, : stream.shape[1]] = stream
    return torch.from_numpy(padded.view("<i4"))


def unpack(words: Tensor, bits: int, columns: int) -> Tensor:
    """Undo `pack`: int32 [rows, words] to uint8 [rows, columns].

    Examples
    --------
    >>> unpack(torch.tensor([[57]], dtype=torch.int32), 2, 4).tolist()
    [[1, 2, 3, 0]]
    """
    rows = words.shape[0]
    stream = numpy.ascontiguousarray(words.numpy()).view(numpy.uint8)
    if bits == 8:
        return torch.from_numpy(stream[:, :columns].copy())
    if bits in (2, 4):
        each = 8 // bits
        data = numpy.empty((rows, stream.shape[1] * each), numpy.uint8)
        for place in range(each):
            data[:, place::each] = (stream >> (place * bits)) & (2**bits - 1)
        return torch.from_numpy(data[:, :columns].copy())
    unpacked = numpy.unpackbits(stream, axis=1, count=columns * bits, bitorder="little")
    weights = (1 << numpy.arange(bits)).astype(numpy.uint8)
    return torch.from_numpy(unpacked.reshape(rows, columns, bits) @ weights)


def awq(codes: Tensor) -> Tensor:
    """Pack 4-bit codes [inputs, outputs] as AWQ's gemm layout has them: int32 [inputs, outputs / 8].

    Examples
    --------
    >>> awq(torch.tensor([[0, 1, 2, 3, 4, 5, 6, 7]], dtype=torch.uint8))[0, 0].item() == 0x75316420
    True
    """
    ordered = codes.unflatten(1, (-1, 8))[..., list(AWQ_ORDER)]
    return pack(ordered.flatten(1), 4)

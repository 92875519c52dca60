"""Where a model runs and in which precision, told from the machine and never from a flag file.

Covered: the CPU in float32 and bfloat16, and one CUDA card. Not covered: several cards (training shards a
model itself), float16 (it overflows where bfloat16 does not).
"""

from typing import Literal

import torch

from sulan.errors import InputError

Precision = Literal["auto", "float32", "bfloat16"]


def device(name: str = "auto") -> torch.device:
    """Return the device that a name means.

    Parameters
    ----------
    name
        `auto` (the first CUDA card, else the CPU), `cpu`, `cuda` or `cuda:N`.

    Raises
    ------
    InputError
        No such device, or this torch cannot reach it.
    """
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    kind, _, number = name.partition(":")
    if kind not in ("cpu", "cuda") or (number and not number.isdigit()):
        raise InputError(f"no device {name!r}", hint="auto, cpu, cuda or cuda:N")
    cards = torch.cuda.device_count() if kind == "cuda" else 1
    if int(number or 0) >= cards:
        raise InputError(
            f"no device {name!r}: torch sees {cards} CUDA cards", hint="device cpu works everywhere"
        )
    return torch.device(f"cuda:{number or 0}" if kind == "cuda" else "cpu")


def dtype(name: Precision, device: torch.device) -> torch.dtype:
    """Return the precision that a name means on a device.

    Parameters
    ----------
    name
        `float32`, `bfloat16`, or `auto`: bfloat16 where the device multiplies it in hardware, else float32. On
        a CPU without AVX512-BF16 or AMX, bfloat16 is emulated and slower than float32.
    device
        Where the model will be.

    Raises
    ------
    InputError
        Another name.
    """
    if name == "auto":
        return torch.bfloat16 if multiplies_bfloat16(device) else torch.float32
    if name not in ("float32", "bfloat16"):
        raise InputError(f"no precision {name!r}", hint="auto, float32 or bfloat16")
    return torch.float32 if name == "float32" else torch.bfloat16


def multiplies_bfloat16(device: torch.device) -> bool:
    """Tell whether the device has instructions that multiply bfloat16 matrices."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)  # since Ampere
    found = torch.cpu.get_capabilities()
    return bool(found.get("avx512_bf16") or found.get("amx_bf16") or found.get("bf16"))


def describe(device: torch.device) -> str:
    """Return one line that names the device and what it computes with, for logs and run records."""
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        return f"{properties.name}, {properties.total_memory / 2**30:.0f} GiB"
    kind = "bfloat16 in hardware" if multiplies_bfloat16(device) else "bfloat16 emulated"
    return f"CPU, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}, {kind}"

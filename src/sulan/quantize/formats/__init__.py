"""File formats that other tools read: one module each, with `write` and `check`.

`write` arranges the tuned codes as the format has them; nothing is rounded anew where the format can hold them.
`check` reads the written files back, with the format's own reader where one is installed, and says how far the
result is from the source.
"""

from dataclasses import dataclass
from typing import Literal

Format = Literal["gptq", "awq", "compressed-tensors", "gguf", "onnx"]

MODULES: dict[str, str] = {
    "gptq": "gptq",
    "awq": "awq",
    "compressed-tensors": "compressed",
    "gguf": "gguf",
    "onnx": "onnx",
}


@dataclass(frozen=True, kw_only=True)
class Check:
    """What reading back found.

    Attributes
    ----------
    reader
        Who read it.
    what
        What was compared.
    error
        The largest difference, in the unit that `what` names; 0 is bit for bit.
    limit
        What passes.
    """

    reader: str
    what: str
    error: float
    limit: float

    @property
    def passed(self) -> bool:
        """Whether the error is within its limit; NaN is not."""
        return self.error <= self.limit

"""How a chat model is asked for texts; imports nothing heavy."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Asking:
    """How a chat model writes.

    Parameters
    ----------
    max_tokens
        Longest text. Default: 2500, as in Cosmopedia.
    temperature
        Of the sampling. Default: 0.6, as in Cosmopedia.
    """

    max_tokens: int = 2500
    temperature: float = 0.6

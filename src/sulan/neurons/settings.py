"""How a scan reads its text; a group of knobs that few change."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How text becomes what the model reads.

    Attributes
    ----------
    context
        Longest window in tokens. None: the longest that the model takes, as the paper's 2,048 are for OPT.
    bos
        `auto`: the tokenizer's beginning-of-sequence token stands before every window. `none`: nothing does.
    packed
        Cut the documents laid end to end, which gives full windows where documents are short. The paper takes
        full-length sequences only for positions (section on positional neurons).
    tokens
        Read so many tokens at most.
    batch
        Windows forwarded together, which changes memory and time and no count. None: as many as have 2,048 tokens,
        from where on CPUs gain nothing.
    """

    context: int | None = None
    bos: Literal["auto", "none"] = "auto"
    packed: bool = False
    tokens: int | None = None
    batch: int | None = None

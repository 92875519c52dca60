"""How a scan reads its text; a group of knobs that few change."""

from dataclasses import dataclass
from typing import Literal

Padding = Literal["none", "left", "right"]


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
        Windows forwarded together. 1 by default: what else is in a batch changes how values round, and with it
        now and then the sign of one near 0. More is faster for short windows and on a GPU.
    padding
        With a batch: `none` puts windows of one length together, `right` and `left` fill shorter ones up.
    """

    context: int | None = None
    bos: Literal["auto", "none"] = "auto"
    packed: bool = False
    tokens: int | None = None
    batch: int = 1
    padding: Padding = "none"

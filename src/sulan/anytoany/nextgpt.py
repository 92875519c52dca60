"""Projections out of official NExT-GPT checkpoints, with the names that ours have.

Both layouts: the legacy one (`pytorch_model.pt` with `llama_proj` and `gen_text_hidden_fcs...`) and the newer
(`mm_input_projector.bin`, `mm_output_...projector`). Not covered: their LoRA weights, the grouping and Q-Former
projections, and official weights themselves, which have never been read here: what the names are was read in the code.
"""

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from sulan.anytoany.media import Kind
from sulan.errors import BrokenArtefact, InputError, MissingFile

_INPUT = re.compile(r"(?:^|\.)(?:llama_proj|mm_input_projector(?:\.layer\.0)?)\.(weight|bias)$")
_OUTPUTS: Mapping[Kind, re.Pattern[str]] = {
    "image": re.compile(r"(?:^|\.)(?:gen_text_hidden_fcs\.0|mm_output_img_projector)\.(.+)$"),
    "audio": re.compile(r"(?:^|\.)(?:gen_text_hidden_fcs_audio\.0|mm_output_aud_projector)\.(.+)$"),
    "video": re.compile(r"(?:^|\.)(?:gen_text_hidden_fcs_video\.0|mm_output_vid_projector)\.(.+)$"),
}
_NAMES = {
    "fc": "inward",
    "in_fc": "inward",
    "tfm": "transformer",
    "model": "outward",
    "out_fc": "outward",
    "query_embs": "queries",
}
"""The first word of a name, legacy and newer, and ours."""


@dataclass(frozen=True, kw_only=True)
class Projections:
    """What a checkpoint holds.

    Attributes
    ----------
    inward
        State of a `LinearInput`; empty where there is none.
    outputs
        State of a `TransformerOutput` for each kind that is there.
    """

    inward: dict[str, torch.Tensor]
    outputs: dict[Kind, dict[str, torch.Tensor]]


def read(path: Path) -> Projections:
    """Read the projections of one checkpoint file; no code of it runs.

    Raises
    ------
    MissingFile
        It is not there.
    BrokenArtefact
        It is not a file of tensors, or holds more than tensors.
    InputError
        It holds no projection that is known; the message names what it holds.
    """
    if not path.is_file():
        raise MissingFile(f"{path} is missing")
    try:
        weights = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise BrokenArtefact(f"{path} is not a file of tensors alone") from error
    if not isinstance(weights, dict) or not all(
        isinstance(value, torch.Tensor) for value in weights.values()
    ):
        raise BrokenArtefact(f"{path} is not a table of tensors")
    inward = {found[1]: value.float() for name, value in weights.items() if (found := _INPUT.search(name))}
    outputs: dict[Kind, dict[str, torch.Tensor]] = {}
    for kind, pattern in _OUTPUTS.items():
        for name, value in weights.items():
            if found := pattern.search(name):
                first, dot, rest = found[1].partition(".")
                if first not in _NAMES:
                    raise InputError(f"{path}: {name} is of no transformer projection")
                outputs.setdefault(kind, {})[_NAMES[first] + dot + rest] = value.float()
    if not inward and not outputs:
        raise InputError(f"{path} holds no projection, but {', '.join(sorted(weights)[:3]) or 'nothing'}")
    return Projections(inward=inward, outputs=outputs)

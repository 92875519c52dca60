"""Checkpoints with the official names, legacy and newer, fill our projections; anything else is told.

The peer is a module built here with the official names and shapes; official weights are not to be had.
"""

from pathlib import Path

import pytest
import torch
from torch import nn

from sulan.anytoany import nextgpt
from sulan.anytoany.projections import LinearInput, TransformerOutput
from sulan.errors import BrokenArtefact, InputError, MissingFile

KINDS = {
    "image": ("gen_text_hidden_fcs.0", "mm_output_img_projector"),
    "audio": ("gen_text_hidden_fcs_audio.0", "mm_output_aud_projector"),
    "video": ("gen_text_hidden_fcs_video.0", "mm_output_vid_projector"),
}


class Official(nn.Module):
    """The official projection's computation under its names."""

    def __init__(self, names: tuple[str, str]) -> None:
        super().__init__()
        self.names = names
        self.add_module(names[0], nn.Linear(8, 16))
        self.tfm = nn.Transformer(
            batch_first=True,
            norm_first=True,
            d_model=16,
            num_encoder_layers=2,
            num_decoder_layers=2,
            dim_feedforward=64,
            dropout=0.0,
            nhead=4,
        )
        self.add_module(names[1], nn.Linear(16, 6))
        self.query_embs = nn.Parameter(torch.randn(1, 5, 16))

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        inward, outward = (self.get_submodule(name) for name in self.names)
        return outward(self.tfm(inward(states), self.query_embs.repeat(len(states), 1, 1)))


@pytest.mark.parametrize(
    ("layout", "names", "inward"),
    [(0, ("fc", "model"), "llama_proj"), (1, ("in_fc", "out_fc"), "model.mm_input_projector.layer.0")],
)
@pytest.mark.filterwarnings("ignore:enable_nested_tensor")
def test_projections_of_both_layouts_compute_the_same(
    tmp_path: Path, layout: int, names: tuple[str, str], inward: str
) -> None:
    torch.manual_seed(0)
    peers = {kind: Official(names) for kind in KINDS}
    weights = {f"{inward}.weight": torch.randn(8, 4), f"{inward}.bias": torch.randn(8)}
    for kind, peer in peers.items():
        weights |= {f"{KINDS[kind][layout]}.{name}": value for name, value in peer.state_dict().items()}
    torch.save(weights, tmp_path / "weights.pt")
    found = nextgpt.read(tmp_path / "weights.pt")
    LinearInput(4, 8).load_state_dict(found.inward)
    states = torch.randn(2, 4, 8)
    for kind, state in found.outputs.items():
        ours = TransformerOutput(hidden=8, tokens=5, width=6, inner=16, layers=2, feedforward=64)
        ours.load_state_dict(state)
        assert torch.allclose(ours(states), peers[kind](states), atol=1e-6)
    assert set(found.outputs) == set(KINDS)


def test_what_is_no_checkpoint_is_told(tmp_path: Path) -> None:
    with pytest.raises(MissingFile):
        nextgpt.read(tmp_path / "none.pt")
    path = tmp_path / "weights.pt"
    torch.save({"lm_head.weight": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"lm_head\.weight"):
        nextgpt.read(path)
    path.write_bytes(b"no")
    with pytest.raises(BrokenArtefact):
        nextgpt.read(path)
    torch.save({"llama_proj.weight": Path("/")}, path)
    with pytest.raises(BrokenArtefact):
        nextgpt.read(path)

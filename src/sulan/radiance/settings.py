"""Groups of knobs that verbs take in one: nothing is imported here that help would have to wait for."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """How a field is trained.

    Attributes
    ----------
    rays
        A step; instant-ngp's batches are of this order.
    rate
        Adam's learning rate on the dense grid, in the grid's units: a lamp's log radiance has to travel 4 of them, a
        wall's raw density some 8, in the hundred steps of a stage.
    rate_last
        Factor on the rate at the last step, reached exponentially.
    smoothness
        Weight of the total variation. Measured, 49 views of 64 x 64: none 24.1 dB, 1e-3 29.8 dB, 2e-3 30.7 dB.
    isotropy
        Weight that pulls the part of the radiance that depends on direction to nothing: without it what stands in a
        room is painted, by direction, onto the walls behind. Measured at 32 nodes and 300 steps: 0.3 gives 31.0 dB and
        objects that take a twentieth of the light that crosses a voxel, 30 gives 32.9 dB and a third.
    clearing
        Weight that pushes what is met first away from the camera: fog before a plain wall costs no image error.
        Measured there: 0.1 leaves a median opacity of 0.1 % a voxel in the empty room, 0.02 0.6 %, none 1.4 %.
    step
        Length of a march's step in voxels.
    degree
        Of the spherical harmonics.
    scale
        See `Field.scale`.
    start
        Raw density that training starts from. Measured there: from -5 (nearly empty) objects stay mist, at 0 no ray
        passes the first voxels and nothing is learnt.
    checkpoint
        Steps between two checkpoints.
    """

    rays: int = 4096
    rate: float = 0.3
    rate_last: float = 0.1
    smoothness: float = 2e-3
    step: float = 1.0
    degree: int = 1
    scale: float = 20.0
    isotropy: float = 30.0
    clearing: float = 5e-2
    start: float = -2.0
    checkpoint: int = 100


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """How frames are rendered.

    Attributes
    ----------
    bounces
        Scatterings at surfaces. Default: 8, enough for glass; the paper measures its frame rate with 2.
    step
        Length of a march's step in voxels.
    shadow_floor
        Least share of light that a shadow leaves.
    aim
        Aim at the field's lights as well as where the BSDF scatters to.
    device
        `auto`, `cpu` or `cuda`.
    """

    bounces: int = 8
    step: float = 0.5
    shadow_floor: float = 0.0
    aim: bool = True
    device: Literal["auto", "cpu", "cuda"] = "auto"


@dataclass(frozen=True, kw_only=True)
class SimulateSettings:
    """What bodies are made of and how finely time is cut.

    Attributes
    ----------
    substeps
        A frame. Default: 20; the paper's demo has 1 (official code), which lets thin things pass each other. XPBD gains
        more from substeps than from iterations (Macklin 2019).
    gravity
        Along z, world units / s^2.
    damping
        Share of the velocity lost a second: the official demo's 0.1.
    friction, restitution
        Coulomb's coefficient, and the share of the normal speed that comes back. The official demo has neither.
    margin
        Distance that cloth and soft bodies keep from surfaces, in voxels of the collider.
    stretch, bend
        Compliances of cloth, m/N.
    squash
        Compliance of soft bodies, m/N.
    cells
        Cells along a soft body's longest side.
    resolution
        Nodes along the longest side of a rigid body's distance grid.
    engine
        `numba`: one core, everything. `warp`: cloth and soft bodies against the field, on a CUDA card where there is
        one. `newton`: everything but movable pieces of the field, in NVIDIA's Newton. `auto`: Warp where it is
        installed, finds a card and nothing rigid is in the scene, else numba.
    """

    substeps: int = 20
    gravity: float = -9.81
    damping: float = 0.1
    friction: float = 0.5
    restitution: float = 0.0
    margin: float = 0.25
    stretch: float = 1e-6
    bend: float = 1e-2
    squash: float = 1e-5
    cells: int = 8
    resolution: int = 32
    engine: Literal["auto", "numba", "warp", "newton"] = "auto"

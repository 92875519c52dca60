"""Newton beside the solver in numba, on this processor: another method, so nearly the same places at rest.

Newton compiles for a minute of CPU before its first step on a machine, so what moves is `slow`.
"""

import importlib.util
import subprocess
import sys

import numpy
import pytest

import sulan
from radiance import measured_motion, places
from radiance.measured_motion import FRAME, body, box_pose, floor
from radiance.test_motion import ball_grid
from sulan.errors import InputError
from sulan.radiance import bodies, collider, meshes, motion, scenes
from sulan.radiance.bodies import Loose
from sulan.radiance.settings import SimulateSettings
from sulan.radiance.simulator import Simulator

pytestmark = pytest.mark.xdist_group("radiance")

moving = pytest.mark.usefixtures("newton_installed")


@pytest.fixture
def newton_installed() -> None:
    if importlib.util.find_spec("newton") is None:
        pytest.skip("newton is of the extra `newton`")


def cloth() -> Loose:
    return bodies.cloth(
        "cloth",
        meshes.transformed(meshes.sheet(10), scale=0.8),
        pose=box_pose(0, 0, 0.7),
        mass=0.2,
        velocity=(0, 0, 0),
        stretch=1e-6,
        bend=1e-2,
    )


def jelly() -> Loose:
    mesh = meshes.transformed(meshes.made("lowball"), scale=0.5)
    return bodies.soft(
        "soft", mesh, pose=box_pose(0, 0, 0.5), mass=1.0, velocity=(0, 0, 0), squash=1e-5, cells=5
    )


def both(world, rigids, looses, *, seconds: float) -> tuple[Simulator, Simulator, float, float]:
    """Run a scene in numba and in Newton; return both, Newton's last speed and deepest penetration."""
    solvers = [
        Simulator(world, rigids, looses, settings=SimulateSettings(engine=engine))
        for engine in ("numba", "newton")
    ]
    deepest = speed = 0.0
    for _ in range(round(seconds / FRAME)):
        solvers[0].advance(FRAME)
        state = solvers[1].advance(FRAME)
        deepest, speed = max(deepest, state.penetration), state.speed
    return solvers[0], solvers[1], speed, deepest


@pytest.mark.slow
@pytest.mark.timeout(600)
@moving
class TestAtRest:
    @pytest.mark.parametrize("name", ["ball", "cube", "bunny"])
    def test_a_rigid_body_lies_as_high_as_in_numba(self, name):
        """On the collider of a field: the same height to 1 % of the body's size."""
        grid = collider.collider(places.room(resolution=33), smallest=0.05).grid
        start = body(name, at=(0.1, 0.1, 0.7), scale=0.4)
        ours, theirs, speed, deepest = both(grid, [start], [], seconds=2)
        assert ours.position[0, 2] < start.centre[2] - 0.1
        assert theirs.position[0, 2] == pytest.approx(ours.position[0, 2], abs=0.004)
        assert speed < 0.02
        assert deepest < 0.2 * grid.voxel

    def test_a_cloth_hangs_over_a_ball_as_in_numba(self):
        grid = ball_grid()
        ours, theirs, speed, deepest = both(grid, [], [cloth()], seconds=2)
        assert theirs.x == pytest.approx(ours.x, abs=0.02)
        assert theirs.x[:, 2].mean() == pytest.approx(ours.x[:, 2].mean(), abs=0.002)
        assert speed < 0.02
        assert deepest < 0.5 * grid.voxel

    def test_a_cloth_lies_on_something_fixed(self):
        post = bodies.rigid(
            "post",
            meshes.transformed(meshes.made("cube"), scale=0.3),
            pose=box_pose(0, 0, 0.15),
            mass=1.0,
            velocity=(0, 0, 0),
            moves=False,
            resolution=24,
        )
        ours, theirs, _, deepest = both(floor(), [post], [cloth()], seconds=2)
        heights = []
        for solver in (ours, theirs):
            above = numpy.abs(solver.x[:, :2]).max(axis=1) < 0.12
            heights.append(solver.x[above, 2])
            assert above.sum() == 9
            assert solver.x[above, 2].min() > 0.3
        assert heights[1] == pytest.approx(heights[0], abs=0.03)
        assert deepest < 0.02

    def test_a_soft_body_lands_and_keeps_its_shape(self):
        ours, theirs, speed, deepest = both(floor(), [], [jelly()], seconds=3)
        assert theirs.vertices(0) == pytest.approx(ours.vertices(0), abs=0.02)
        assert speed < 0.1
        assert deepest < 0.02


@pytest.mark.slow
@pytest.mark.timeout(600)
@moving
class TestKept:
    def test_a_free_body_keeps_its_momenta(self):
        """Momentum as the issue asks; a bar that tumbles for ten seconds gains two hundredths of its spin."""
        found = measured_motion.free_body(seconds=10, engine="newton")
        assert found["free.momentum"] < 1e-6
        assert found["free.spin"] < 0.03

    def test_an_elastic_ball_comes_back(self):
        elastic = SimulateSettings(damping=0.0, friction=0.0, restitution=1.0, substeps=40, engine="newton")
        solver = Simulator(floor(), [body("ball", at=(0.0, 0.0, 1.0))], [], settings=elastic)
        heights = []
        for _ in range(24):
            solver.advance(FRAME)
            heights.append(solver.position[0, 2])
        lowest = int(numpy.argmin(heights))
        assert min(heights) < 0.3
        assert max(heights[lowest:]) > 0.95

    @pytest.mark.parametrize("made", [cloth, jelly])
    def test_a_ball_and_what_is_loose_push_each_other(self, made):
        """Their sum stays to 1 %: what VBD gives two that move is equal when it has converged."""
        free = SimulateSettings(gravity=0.0, damping=0.0, friction=0.0, engine="newton")
        ball = body("lowball", at=(0.02, 0.01, 1.2), scale=0.3, velocity=(0, 0, -2))
        solver = Simulator(None, [ball], [made()], settings=free)
        first = solver.state().momentum
        for _ in range(12):
            last = solver.advance(FRAME).momentum
        assert solver.v[:, 2].mean() < -0.1
        assert last == pytest.approx(first, abs=0.02)

    def test_the_same_input_gives_the_same_bits(self):
        ends = []
        for _ in range(2):
            settings = SimulateSettings(engine="newton")
            solver = Simulator(ball_grid(), [body("cube", at=(0.1, 0, 1.4))], [cloth()], settings=settings)
            for _ in range(12):
                solver.advance(FRAME)
            ends.append(numpy.concatenate([solver.position.ravel(), solver.x.ravel()]))
        assert (ends[0] == ends[1]).all()


@pytest.mark.slow
@pytest.mark.timeout(600)
@moving
def test_the_verb_writes_the_motion_that_the_renderer_reads(made, tmp_path):
    for engine in ("numba", "newton"):
        settings = SimulateSettings(engine=engine, substeps=5)
        sulan.radiance.simulate(made / "cloth", out=tmp_path / engine, frames=3, settings=settings)
    ours, theirs = (motion.load(tmp_path / engine / scenes.MOTION) for engine in ("numba", "newton"))
    assert theirs.poses["lowball"] == pytest.approx(ours.poses["lowball"], abs=1e-3)
    assert theirs.vertices["cloth"] == pytest.approx(ours.vertices["cloth"], abs=1e-3)
    assert theirs.vertices["cloth"].dtype == numpy.float32


@moving
def test_restitution_of_cloth_is_refused():
    with pytest.raises(InputError, match="gives no speed back"):
        Simulator(ball_grid(), [], [cloth()], settings=SimulateSettings(engine="newton", restitution=0.5))


def test_a_piece_of_the_field_is_refused(made, tmp_path):
    scene, out = tmp_path / "piece", tmp_path / "out"
    sulan.radiance.insert(
        made / "solid", mesh="field", name="lamp", at=places.LAMP_CENTRE, scale=0.6, out=scene
    )
    with pytest.raises(InputError, match="moves no piece of the field: lamp") as caught:
        sulan.radiance.simulate(scene, out=out, settings=SimulateSettings(engine="newton"))
    assert "\n" not in str(caught.value)
    assert not out.exists()


def test_without_newton_the_extra_is_named():
    code = (
        "import sys; sys.modules['newton'] = None\n"
        "from sulan.errors import MissingExtra\n"
        "from sulan.radiance.settings import SimulateSettings\n"
        "from sulan.radiance.simulator import Simulator\n"
        "try: Simulator(None, [], [], settings=SimulateSettings(engine='newton'))\n"
        "except MissingExtra as error: print(error, error.hint)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == 'newton is not installed pip install -c constraints.txt -e ".[newton]"\n'

"""The solver in Warp beside the one in numba, on this processor: the same steps, so the same places."""

import itertools

import numpy
import pytest

from radiance.measured_motion import FRAME, body, box_pose
from radiance.test_motion import ball_grid
from sulan.errors import InputError
from sulan.radiance import bodies, meshes
from sulan.radiance.bodies import Loose
from sulan.radiance.coloured import coloured
from sulan.radiance.settings import SimulateSettings
from sulan.radiance.simulator import Simulator

pytestmark = pytest.mark.xdist_group("radiance")


def cloth() -> Loose:
    return bodies.cloth(
        "cloth",
        meshes.transformed(meshes.sheet(8), scale=0.8),
        pose=box_pose(0.05, 0.02, 0.56),
        mass=0.2,
        velocity=(0.3, 0, 0),
        stretch=1e-6,
        bend=1e-2,
    )


def jelly() -> Loose:
    mesh = meshes.transformed(meshes.made("lowball"), scale=0.4)
    return bodies.soft(
        "soft", mesh, pose=box_pose(0, 0, 0.75), mass=1.0, velocity=(0, 0, -1), squash=1e-5, cells=4
    )


@pytest.mark.parametrize("made", [cloth, jelly])
@pytest.mark.parametrize("restitution", [0.0, 0.5])
def test_warp_and_numba_take_the_same_steps(made, restitution):
    pytest.importorskip("warp", reason="warp-lang is of the extra `warp`")
    solvers = [
        Simulator(
            ball_grid(), [], [made()], settings=SimulateSettings(engine=engine, restitution=restitution)
        )
        for engine in ("numba", "warp")
    ]
    start = solvers[0].x.copy()
    for _ in range(6):
        ours, theirs = (solver.advance(FRAME) for solver in solvers)
    assert numpy.abs(solvers[0].x - start).max() > 0.03
    assert ours.speed > 0.05
    assert solvers[1].x == pytest.approx(solvers[0].x, abs=1e-9)
    assert solvers[1].v == pytest.approx(solvers[0].v, abs=1e-6)
    assert theirs.penetration == pytest.approx(ours.penetration, abs=1e-9)
    free = solvers[0].looses[0].velocity[2] - 9.81 * 6 * FRAME
    assert solvers[0].v[:, 2].mean() > 0.7 * free  # it has landed: contacts are compared too


def test_warp_in_empty_space_falls_freely():
    pytest.importorskip("warp", reason="warp-lang is of the extra `warp`")
    ends = []
    for engine in ("numba", "warp"):
        solver = Simulator(None, [], [cloth()], settings=SimulateSettings(engine=engine))
        solver.advance(FRAME)
        ends.append(solver.x)
    assert ends[1] == pytest.approx(ends[0], abs=1e-12)


def test_warp_refuses_what_is_rigid():
    pytest.importorskip("warp", reason="warp-lang is of the extra `warp`")
    with pytest.raises(InputError, match="something rigid"):
        Simulator(None, [body("cube", at=(0, 0, 1))], [cloth()], settings=SimulateSettings(engine="warp"))


def test_no_two_constraints_of_a_colour_share_a_particle():
    made = jelly()
    for constraints in (cloth().edges, made.edges, made.tetrahedra):
        order, starts = coloured(constraints)
        assert sorted(order) == list(range(len(constraints)))
        for first, end in itertools.pairwise(starts):
            members = constraints[order[first:end]].ravel()
            assert len(set(members.tolist())) == len(members) > 0

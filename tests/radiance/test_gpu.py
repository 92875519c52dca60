"""Line 9 of the issue: a CUDA card's image is that of the processor, within Monte-Carlo error."""

import numpy
import pytest

from radiance import places
from sulan.radiance import backend, frames, integrator, lighting
from sulan.radiance.volume import GridVolume

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.xdist_group("radiance"),
    pytest.mark.skipif(not backend.has_card(), reason="no NVIDIA card with OptiX is here"),
]


def test_a_card_s_image_is_the_processor_s():
    field, shots = places.room(resolution=25), []
    ball = {"type": "sphere", "center": [0.1, 0.0, 0.7], "radius": 0.35}
    for device in ("cpu", "cuda"):
        mi = backend.mitsuba(device)
        hybrid = integrator.hybrid(mi, volume=GridVolume.of(mi, field), bounces=2)
        view = places.camera(side=48, place=(0.0, -0.8, 1.2))
        scene = mi.load_dict({"type": "scene", "ball": ball})
        shots.append(frames.picture(mi, scene, hybrid, view, samples=256, seed=1))
    one, other = shots
    apart = lighting.luminance(one.beauty.astype(float)) - lighting.luminance(other.beauty.astype(float))
    error = numpy.sqrt(one.error**2 + other.error**2) + 1e-5
    assert (numpy.abs(apart) < 4 * error).mean() > 0.99
    assert abs(float(apart.mean())) < 4 * float(numpy.sqrt((error**2).mean() / error.size))

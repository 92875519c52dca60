"""The radiance room beside its peers and its issue's limits, in one run on this machine; `make bench` keeps it.

A studio is captured in HDR and its field trained; then, on that field: held-out quality and CPU seconds to 30 dB beside
a torch `grid_sample` field; equal error on meshes alone beside Mitsuba's `path`, and with the field beside plain delta
tracking; insertion against the room really rendered with the meshes; lamps; motion; distance queries beside Warp's.
Times are CPU seconds of this process with one thread.

    python benchmarks/radiance.py [--out FOLDER] [--work FOLDER]
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[0] = str(ROOT / "tests")  # in place of this folder, whose file names would hide packages
os.environ.setdefault("OMP_NUM_THREADS", "1")

from radiance import measured_light, measured_motion  # noqa: E402
from sulan.radiance import backend  # noqa: E402
from sulan.runs import outputs  # noqa: E402
from sulan.runs.record import record  # noqa: E402

STUDIO = "studio, 56 HDR views 64x64 of 512 spp, one thread"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "records" / "radiance")
    parser.add_argument("--work", type=Path, help="keep what is made here, and take what is there already")
    arguments = parser.parse_args()
    mi = backend.mitsuba("cpu")
    import drjit

    drjit.set_thread_count(1)
    with (
        outputs.folder(arguments.out) as folder,
        record(verb="benchmark radiance", folder=folder, config={}) as run,
        tempfile.TemporaryDirectory() as name,
    ):
        work = arguments.work or Path(name)
        work.mkdir(parents=True, exist_ok=True)
        field = f"{measured_light.RESOLUTION} nodes, {measured_light.STEPS} steps"
        parts: list[tuple[str, Callable[[], Mapping[str, float]]]] = [
            (f"{STUDIO}, {field}", lambda: measured_light.held_out(work)),
            (
                f"{STUDIO}; 32 nodes, 4096 rays a step, to 30 dB held out",
                lambda: measured_light.beside_torch(mi, work),
            ),
            ("studio with a bunny, 64x64, 128 spp, median of 3 turns", lambda: measured_light.mesh_only(mi)),
            (
                "field with two balls, 32x32, to an MSE of 1e-4, 12 renderings of about the spp it takes",
                lambda: measured_light.hybrid_scene(mi, work),
            ),
            (f"{field}; 6 views 80x60, 128 spp against 512 spp", lambda: measured_light.insertion(work)),
            (f"{field}; distance over the room's 2 units", lambda: measured_light.lamps(work)),
            ("courtyard, 48 views 48x48, 32 nodes, 300 steps", lambda: measured_light.no_lamp(work)),
            ("bar of 1 x 0.4 x 0.15, 10 s", measured_motion.free_body),
            ("ball from 1 unit, restitution 1, 3 s", measured_motion.elastic_bounce),
            ("ball of 1 kg at 2 units/s, piece of 2 kg, 1 s", measured_motion.two_way),
            (
                "25 x 25 particles on the studio's collider, 10 s",
                lambda: measured_motion.cloth_on_field(work / "solid"),
            ),
            (
                f"collider of {measured_light.RESOLUTION} nodes (field), ball of 65 nodes; points even in the box",
                lambda: measured_motion.queries(work / "solid"),
            ),
        ]
        for scale, part in parts:
            for metric, value in part().items():
                print(f"{metric:<36} {value:>12.5g}   {scale}", flush=True)
                run.metric(metric, float(f"{value:.5g}"), scale=scale)


if __name__ == "__main__":
    main()

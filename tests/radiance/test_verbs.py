"""The verbs from the outside: a scene from field to video, frames that are killed, mistakes that cost one line."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import trimesh

import sulan
from radiance import places
from sulan.errors import BrokenArtefact, InputError, MissingFile, SulanError
from sulan.radiance import arrays, cameras, images, meshes, motion, scenes
from sulan.radiance.settings import RenderSettings
from sulan.runs import record

pytestmark = pytest.mark.xdist_group("radiance")

LAYERS = {"R", "G", "B", "depth.Z", "coverage.A", "error.A"} | {
    f"{name}.{letter}" for name in ("field", "mesh", "shadow") for letter in "RGB"
}

RENDERING: dict[str, Any] = {"samples": 4, "workers": 1, "settings": RenderSettings(bounces=2, device="cpu")}


@pytest.fixture(scope="session")
def clip(made: Path) -> Path:
    """The scene rendered, with all layers."""
    sulan.radiance.render(
        made / "moved", camera_path=made / "moved", out=made / "clip", aov=True, **RENDERING
    )
    return made / "clip"


def test_frames_have_their_layers_and_a_video(clip):
    frames = sorted((clip / "frames").glob("*.exr"))
    assert len(frames) == 3
    found = images.read_layers(frames[0])
    assert set(found) == LAYERS
    assert ((clip / "frames" / "frame-00000.png").read_bytes())[:4] == b"\x89PNG"
    import av

    with av.open(str(clip / "video.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 3
    beauty = numpy.stack([found[letter] for letter in "RGB"], axis=-1)
    parts = {
        name: numpy.stack([found[f"{name}.{letter}"] for letter in "RGB"], axis=-1)
        for name in ("field", "mesh", "shadow")
    }
    assert numpy.allclose(beauty, parts["field"] * parts["shadow"] + parts["mesh"], atol=1e-2)
    assert found["coverage.A"].max() > 0.999
    assert 0.1 < found["depth.Z"].max() < 4


def test_things_move_from_frame_to_frame(made, clip):
    moves = motion.load(made / "moved" / scenes.MOTION)
    assert moves.frames == 3
    assert moves.poses["lowball"][2][2, 3] < moves.poses["lowball"][0][2, 3] - 0.01
    assert moves.vertices["cloth"].shape == (3, 625, 3)
    assert moves.vertices["cloth"][2, :, 2].mean() < moves.vertices["cloth"][0, :, 2].mean() - 0.01


def test_a_render_killed_after_a_frame_does_the_missing_ones_in_the_same_bytes(made, clip, tmp_path):
    out, work = tmp_path / "clip", tmp_path / ".clip.frames"
    words = [sys.executable, "-m", "sulan", "radiance", "render", str(made / "moved")]
    words += ["--camera-path", str(made / "moved"), "--samples", "4", "--workers", "1", "--aov"]
    words += ["--settings.bounces", "2", "--settings.device", "cpu", "--out", str(out)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        while not list(work.glob("shard-*/done.json")) and process.poll() is None:
            time.sleep(0.005)
        os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not out.exists()
    done = {path: path.stat().st_mtime_ns for path in work.glob("shard-*/frame.exr")}
    assert 1 <= len(done) < 3
    kept = tmp_path / "kept"
    shutil.copytree(work, kept, copy_function=os.link)  # the same files under a second name
    subprocess.run(words, check=True, capture_output=True)
    assert not work.exists()
    for path, stamp in done.items():
        same = kept / path.relative_to(work)
        assert same.stat().st_mtime_ns == stamp  # never written again
    for name in ("frames/frame-00000", "frames/frame-00001", "frames/frame-00002"):
        for suffix in (".exr", ".png"):
            assert (out / f"{name}{suffix}").read_bytes() == (clip / f"{name}{suffix}").read_bytes()
    assert (out / "video.mp4").read_bytes() == (clip / "video.mp4").read_bytes()


def test_another_run_on_a_whole_clip_leaves_it_untouched(made, clip):
    before = {path: path.stat().st_mtime_ns for path in clip.rglob("*")}
    sulan.radiance.render(made / "moved", camera_path=made / "moved", out=clip, aov=True, **RENDERING)
    assert {path: path.stat().st_mtime_ns for path in clip.rglob("*")} == before


def test_one_path_a_pixel_gives_no_negative_light(made, tmp_path):
    one: dict[str, Any] = {**RENDERING, "samples": 1}
    sulan.radiance.render(made / "moved", camera_path=made / "moved", out=tmp_path / "clip", **one)
    for path in (tmp_path / "clip" / "frames").glob("*.exr"):
        assert images.read(path).min() >= 0
    names = {metric["name"] for metric in record.read(tmp_path / "clip")["metrics"]}
    assert "cpu_seconds.frame" in names
    assert "error" not in names  # one sample tells nothing of its error


def test_a_piece_of_the_field_falls_and_is_seen_to_have_moved(mi, tmp_path):
    """The lamp in the air as a piece: taken out of the collider, dropped, rendered where it went."""
    scene = places.folder(tmp_path / "room", places.room(resolution=33), views=2)
    sulan.radiance.geometry(scene, out=tmp_path / "solid")
    sulan.radiance.insert(
        tmp_path / "solid",
        mesh="field",
        name="lamp",
        at=places.LAMP_CENTRE,
        scale=0.6,
        out=tmp_path / "piece",
    )
    sulan.radiance.simulate(tmp_path / "piece", out=tmp_path / "fallen", frames=2, frames_per_second=4.0)
    pose = motion.load(tmp_path / "fallen" / scenes.MOTION).poses["lamp"]
    assert pose[1][2, 3] == pytest.approx(-0.5 * 9.81 / 16, rel=0.1)
    view = places.camera(side=16, place=(0.2, -0.85, 1.3), target=(0.2, 0.1, 1.3))
    path = tmp_path / "path.json"
    cameras.write([replace(view, name=f"frame-{n}") for n in range(2)], path)
    sulan.radiance.render(tmp_path / "fallen", camera_path=path, out=tmp_path / "clip", **RENDERING)
    rows = []
    for number in range(2):
        bright = images.read(tmp_path / "clip" / "frames" / f"frame-{number:05d}.exr").mean(axis=2)
        rows.append((bright * numpy.arange(16)[:, None]).sum() / bright.sum())
    assert rows[1] > rows[0] + 1  # lower in the picture


@pytest.fixture(scope="session")
def exported(made: Path) -> Path:
    """The simulated scene in all formats."""
    sulan.radiance.export(made / "moved", out=made / "export")
    return made / "export"


class TestExport:
    def test_surface_and_distances(self, exported):
        surface = trimesh.load(exported / "field.ply", force="mesh")
        assert len(surface.faces) > 100
        assert surface.visual.vertex_colors.shape[1] == 4
        found = arrays.read(exported / "sdf.npz")
        assert found["distances"].ndim == 3
        assert tuple(found["low"]) == places.LOW

    def test_gltf_moves_as_the_simulation_did(self, made, exported):
        scene = trimesh.load(exported / "animation.glb")
        assert len(scene.geometry) == 3
        data = (exported / "animation.glb").read_bytes()
        length = int.from_bytes(data[12:16], "little")
        document = json.loads(data[20 : 20 + length])
        [animation] = document["animations"]
        paths = sorted(channel["target"]["path"] for channel in animation["channels"])
        assert paths == ["rotation", "translation", "weights"]
        cloth = next(mesh for mesh in document["meshes"] if mesh["name"] == "cloth")
        assert len(cloth["primitives"][0]["targets"]) == 2
        placed = next(node for node in document["nodes"] if node["name"] == "lowball")
        pose = numpy.asarray(scenes.read(made / "moved").things[1].pose)
        x, y, z = pose[:3, 3]
        assert placed["translation"] == pytest.approx([x, z, -y])  # glTF is y up

    def test_usd_is_a_stage_of_all_frames(self, exported):
        text = (exported / "animation.usda").read_text()
        assert text.startswith("#usda 1.0")
        assert text.count('def Mesh "') == 3
        assert "endTimeCode = 2" in text
        assert text.count("xformOp:transform.timeSamples") == 1
        assert text.count("point3f[] points.timeSamples") == 1
        assert text.count("{") == text.count("}")


def test_the_browser_gets_a_page(made):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shown: list[Any] = []
    worker = threading.Thread(
        target=lambda: shown.append(sulan.radiance.view(made / "moved", port=port, seconds=1.5))
    )
    worker.start()
    page = b""
    for _ in range(60):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=2) as reply:
                page = reply.read()
            break
        except OSError:
            time.sleep(0.05)
    worker.join()
    assert b"<html" in page.lower()
    assert shown[0].summary["frames"] == 3
    assert shown[0].summary["meshes"] == 3


class TestMistakes:
    """Line 8 of the issue: each is one of our errors, whose message is one line; the command line prints it as such."""

    def refused(self, kind: type[SulanError], says: str, call: Any, *arguments: Any, **more: Any) -> None:
        with pytest.raises(kind, match=says) as caught:
            call(*arguments, **more)
        assert "\n" not in str(caught.value)
        assert caught.value.exit_code == 2

    def test_a_camera_inside_a_mesh(self, made, tmp_path):
        scene = made / "moved"
        path = tmp_path / "cameras.json"
        cameras.write([places.camera(side=8, place=(0.3, 0.3, 0.42), target=(0.0, 0.0, 0.4))], path)
        self.refused(
            InputError,
            "the camera view is inside the mesh bunny",
            sulan.radiance.render,
            scene,
            camera_path=path,
            out=tmp_path / "out",
            **RENDERING,
        )

    def test_cameras_of_several_sizes(self, made, tmp_path):
        view = places.camera(side=8)
        cameras.write([view, replace(view, name="other", width=9)], tmp_path / "cameras.json")
        self.refused(
            InputError,
            "different sizes",
            sulan.radiance.render,
            made / "moved",
            camera_path=tmp_path / "cameras.json",
            out=tmp_path / "out",
        )

    def test_a_material_that_mitsuba_does_not_know(self, made, tmp_path):
        (tmp_path / "odd.json").write_text('{"type": "no-such-bsdf"}')
        sulan.radiance.insert(made / "solid", material=str(tmp_path / "odd.json"), out=tmp_path / "odd")
        self.refused(
            InputError,
            "the material of ball is not a BSDF of Mitsuba",
            sulan.radiance.render,
            tmp_path / "odd",
            camera_path=made / "solid",
            out=tmp_path / "out",
            **RENDERING,
        )

    @pytest.mark.parametrize(
        ("content", "kind", "says"),
        [
            (b"v 0 0 0\nv 1 0 0\nv 0 1 0\n", InputError, "has no triangles"),
            (b"v 0 0 0\nv 1 0 0\nv 2 0 0\nf 1 2 3\n", InputError, "no triangle with an area"),
            (b"v nan 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", InputError, "not finite"),
        ],
    )
    def test_meshes_that_are_none(self, made, tmp_path, content, kind, says):
        (tmp_path / "odd.obj").write_bytes(content)
        self.refused(
            kind,
            says,
            sulan.radiance.insert,
            made / "solid",
            mesh=str(tmp_path / "odd.obj"),
            out=tmp_path / "out",
        )

    def test_a_file_that_is_no_mesh(self, made, tmp_path):
        (tmp_path / "odd.glb").write_bytes(b"no mesh at all")
        self.refused(
            BrokenArtefact,
            "cannot be read as a mesh",
            sulan.radiance.insert,
            made / "solid",
            mesh=str(tmp_path / "odd.glb"),
            out=tmp_path / "out",
        )

    def test_an_open_mesh_may_stand_but_not_fall(self, made, tmp_path):
        sheet = meshes.sheet(2)
        trimesh.Trimesh(sheet.vertices, sheet.faces).export(tmp_path / "sheet.ply")
        self.refused(
            InputError,
            "is open: a rigid body needs an inside",
            sulan.radiance.insert,
            made / "solid",
            mesh=str(tmp_path / "sheet.ply"),
            body="rigid",
            out=tmp_path / "out",
        )
        report = sulan.radiance.insert(
            made / "solid", mesh=str(tmp_path / "sheet.ply"), out=tmp_path / "stands"
        )
        assert any("open" in note for note in report.notes)

    def test_images_that_are_missing_or_not_light(self, tmp_path):
        scene = places.folder(tmp_path / "capture")
        self.refused(MissingFile, "no image at", sulan.radiance.train, scene, out=tmp_path / "out")
        for view in cameras.read(scene):
            layer = numpy.full((16, 16, 3), numpy.nan)
            images.write_exr(scene / f"{view.name}.exr", {"": layer})
        self.refused(InputError, "not finite", sulan.radiance.train, scene, out=tmp_path / "out")

    def test_a_pose_that_is_no_rotation(self, tmp_path):
        scene = places.folder(tmp_path / "capture")
        document = json.loads((scene / "transforms.json").read_text())
        document["frames"][0]["transform_matrix"][0][0] = 3.0
        (scene / "transforms.json").write_text(json.dumps(document))
        self.refused(
            InputError, "the pose is not a rotation", sulan.radiance.train, scene, out=tmp_path / "out"
        )

    def test_steps_that_come_too_early(self, made, tmp_path):
        scene = places.folder(tmp_path / "bare")
        out = tmp_path / "out"
        self.refused(MissingFile, "no field.safetensors", sulan.radiance.light, scene, out=out)
        self.refused(InputError, "nothing in .* moves", sulan.radiance.simulate, scene, out=out)
        self.refused(InputError, "neither a field nor a mesh", sulan.radiance.export, scene, out=out)
        self.refused(
            InputError, "neither a field nor a mesh", sulan.radiance.render, scene, camera_path=scene, out=out
        )
        sulan.radiance.insert(made / "room", mesh="lowball", body="rigid", out=tmp_path / "no-collider")
        self.refused(
            MissingFile, "no collider.npz", sulan.radiance.simulate, tmp_path / "no-collider", out=out
        )

    def test_scene_files_that_are_damaged(self, made, tmp_path):
        scene = places.folder(tmp_path / "scene", places.room())
        for text, kind, says in (
            ("{", BrokenArtefact, "not JSON"),
            ('{"version": 2}', InputError, "version"),
            ('{"things": [{"name": "a", "mesh": "../b.glb", "material": {}}]}', InputError, "mesh"),
        ):
            (scene / "scene.json").write_text(text)
            self.refused(kind, says, sulan.radiance.export, scene, out=tmp_path / "out")
        (scene / "scene.json").write_text("{}")
        (scene / scenes.MOTION).write_bytes(b"torn")
        sulan.radiance.insert(scene, mesh="cube", out=tmp_path / "cube")  # motion is not carried along
        shutil.copy(scene / scenes.MOTION, tmp_path / "cube" / scenes.MOTION)
        self.refused(
            BrokenArtefact, "motion.npz", sulan.radiance.export, tmp_path / "cube", out=tmp_path / "out"
        )

    def test_the_command_line_prints_two_lines(self, tmp_path):
        words = [sys.executable, "-m", "sulan", "radiance", "train", str(tmp_path / "nowhere"), "--out", "x"]
        done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=tmp_path)
        assert done.returncode == 2
        error, hint = done.stderr.splitlines()
        assert error.startswith("error: no capture at ")
        assert hint.startswith("hint: sulan radiance capture")

    def test_a_port_that_is_taken(self, made):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            self.refused(
                InputError, "cannot listen", sulan.radiance.view, made / "moved", port=port, seconds=0.1
            )

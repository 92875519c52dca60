"""Cameras, images and photographs from the formats people have, and what is refused of them."""

import json
import struct
from pathlib import Path
from typing import Any

import numpy
import PIL.Image
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.radiance import brackets, cameras, captures, coordinates, images

pytestmark = pytest.mark.xdist_group("radiance")

numbers = st.floats(-5, 5, allow_nan=False)
turns = st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: sum(x * x for x in q) > 0.05)


def pose_of(turn: tuple[float, ...], place: tuple[float, ...]) -> numpy.ndarray:
    pose = numpy.eye(4)
    pose[:3, :3] = coordinates.rotation(turn)
    pose[:3, 3] = place
    return pose


class TestCoordinates:
    @given(turns, st.tuples(numbers, numbers, numbers))
    def test_every_convention_has_its_way_back(self, turn, place):
        pose = pose_of(turn, place)
        for name in ("opengl", "opencv", "mitsuba"):
            there = coordinates.converted(pose, source="opengl", target=name)
            assert numpy.linalg.det(there[:3, :3]) == pytest.approx(1)
            assert numpy.allclose(coordinates.converted(there, source=name, target="opengl"), pose)
        assert numpy.allclose(coordinates.from_colmap(*coordinates.to_colmap(pose)), pose, atol=1e-9)
        assert numpy.allclose(coordinates.from_ngp(coordinates.to_ngp(place)), place)
        assert numpy.allclose(coordinates.inverted(pose) @ pose, numpy.eye(4), atol=1e-9)

    def test_axes_are_what_the_conventions_say(self):
        """A camera at the origin that looks along +y, z up."""
        pose = coordinates.looking([0, 0, 0], [0, 1, 0])
        assert numpy.allclose(pose[:3, :3] @ [0, 0, -1], [0, 1, 0])
        cv = coordinates.converted(pose, source="opengl", target="opencv")
        assert numpy.allclose(cv[:3, :3] @ [0, 0, 1], [0, 1, 0])
        assert numpy.allclose(cv[:3, :3] @ [0, 1, 0], [0, 0, -1])
        mitsuba = coordinates.converted(pose, source="opengl", target="mitsuba")
        assert numpy.allclose(mitsuba[:3, :3] @ [1, 0, 0], [-1, 0, 0])

    @pytest.mark.parametrize(
        "wrong",
        [
            numpy.diag([1, 1, -1, 1]),
            numpy.diag([2, 2, 2, 1]),
            numpy.full((4, 4), numpy.nan),
            numpy.eye(2),
            [["a"]],
        ],
    )
    def test_what_is_no_pose_is_refused(self, wrong):
        with pytest.raises(InputError, match="view 7: the pose"):
            coordinates.checked(wrong, name="view 7")


def frame(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"file_path": name, "transform_matrix": numpy.eye(4).tolist(), **more}


def capture(folder: Path, **document: Any) -> Path:
    (folder / "transforms.json").write_text(json.dumps(document))
    return folder


class TestCameras:
    def test_transforms_with_intrinsics_for_all_and_for_one(self, tmp_path):
        folder = capture(
            tmp_path,
            w=8,
            h=6,
            fl_x=7.0,
            k1=0.1,
            frames=[frame("a.png"), frame("b.png", fl_x=9.0, w=4, cx=1.0)],
        )
        first, second = cameras.read(folder)
        assert (first.name, first.width, first.focal, first.centre) == ("a", 8, (7.0, 7.0), (4.0, 3.0))
        assert first.distortion == (0.1, 0.0, 0.0, 0.0)
        assert (second.width, second.focal, second.centre) == (4, (9.0, 9.0), (1.0, 3.0))

    def test_nerf_synthetic_has_an_angle_and_no_suffix(self, tmp_path):
        (tmp_path / "train").mkdir()
        PIL.Image.new("RGBA", (20, 10), (255, 255, 255, 0)).save(tmp_path / "train" / "r_0.png")
        document = {"camera_angle_x": 1.0, "frames": [frame("./train/r_0")]}
        (tmp_path / "transforms_train.json").write_text(json.dumps(document))
        [view] = captures.read(tmp_path)
        assert view.camera.focal[0] == pytest.approx(10 / numpy.tan(0.5))
        assert view.image.shape == (10, 20, 3)
        assert view.alpha is not None
        assert view.alpha.max() == 0
        assert captures.rays([view])[2].max() == 0  # transparent: over black

    def test_camera_path_of_nerfstudio(self, tmp_path):
        path = tmp_path / "path.json"
        key = {"fov": 90, "camera_to_world": numpy.eye(4).ravel().tolist()}
        path.write_text(json.dumps({"render_width": 8, "render_height": 6, "camera_path": [key]}))
        [view] = cameras.read(path)
        assert view.focal == pytest.approx((3.0, 3.0))

    def test_colmap_as_text_and_binary(self, tmp_path):
        pose = pose_of((0.7, 0.1, -0.3, 0.4), (1.0, 2.0, 3.0))
        quaternion, translation = coordinates.to_colmap(pose)
        text, binary = tmp_path / "t" / "sparse" / "0", tmp_path / "b" / "sparse" / "0"
        for folder in (text, binary):
            folder.mkdir(parents=True)
        words = " ".join(map(str, [*quaternion, *translation]))
        (text / "cameras.txt").write_text("# comment\n3 OPENCV 8 6 7 7.5 4 3 0.1 0 0 0\n")
        (text / "images.txt").write_text(f"# comment\n1 {words} 3 a.jpg\n\n")
        (binary / "cameras.bin").write_bytes(
            struct.pack("<Q", 1) + struct.pack("<iiQQ8d", 3, 4, 8, 6, 7, 7.5, 4, 3, 0.1, 0, 0, 0)
        )
        (binary / "images.bin").write_bytes(
            struct.pack("<Q", 1)
            + struct.pack("<i7di", 1, *quaternion, *translation, 3)
            + b"a.jpg\0"
            + struct.pack("<Q", 0)
        )
        for folder in ("t", "b"):
            [view] = cameras.read(tmp_path / folder)
            assert (view.name, view.focal, view.distortion[0]) == ("images/a", (7.0, 7.5), 0.1)
            assert numpy.allclose(view.pose, pose)

    def test_rays_undo_the_lens(self):
        """A point seen through the lens is found again: project with OpenCV's formula, then trace."""
        lens = (0.1, -0.05, 0.002, 0.001)
        x, y = 0.3, -0.2
        square = x * x + y * y
        radial = 1 + lens[0] * square + lens[1] * square**2
        seen = numpy.asarray(
            [
                [
                    x * radial + 2 * lens[2] * x * y + lens[3] * (square + 2 * x * x),
                    y * radial + lens[2] * (square + 2 * y * y) + 2 * lens[3] * x * y,
                ]
            ]
        )
        assert cameras.undistorted(seen, lens)[0] == pytest.approx([x, y], abs=1e-6)

    @pytest.mark.parametrize(
        ("document", "says"),
        [
            ({"frames": []}, "no frames"),
            ({"w": 4, "h": 4, "frames": [frame()]}, "no focal length"),
            ({"fl_x": 4, "frames": [frame()]}, "no image size"),
            ({"w": 4, "h": 4, "fl_x": -1, "frames": [frame()]}, "not positive"),
            ({"w": 4, "h": 4, "fl_x": 4, "frames": [frame(), frame()]}, "two frames"),
            ({"w": 4, "h": 4, "fl_x": 4, "frames": [frame("../../etc/passwd")]}, "leads out"),
            (
                {"w": 4, "h": 4, "fl_x": 4, "camera_model": "OPENCV_FISHEYE", "frames": [frame()]},
                "not a pinhole",
            ),
            ({"w": 1 << 20, "h": 4, "fl_x": 4, "frames": [frame()]}, "1048576 x 4"),
        ],
    )
    def test_what_is_wrong_is_named(self, tmp_path, document, says):
        with pytest.raises(InputError, match=says):
            cameras.read(capture(tmp_path, **document))

    def test_images_of_another_size_than_stated_are_refused(self, tmp_path):
        PIL.Image.new("RGB", (5, 4)).save(tmp_path / "a.png")
        with pytest.raises(InputError, match="5 x 4 pixels, its camera 4 x 4"):
            captures.read(capture(tmp_path, w=4, h=4, fl_x=4, frames=[frame("a.png")]))

    @pytest.mark.parametrize("box", [(1.0, 2.0), (0.0, 0.0, 0.0, 1.0, 0.0, 1.0)])
    def test_a_box_that_is_none_is_refused(self, tmp_path, box):
        with pytest.raises(InputError, match="box"):
            captures.corners(tmp_path, box)


class TestImages:
    @given(st.floats(0, 1))
    def test_srgb_has_its_way_back(self, value):
        assert float(images.from_srgb(images.to_srgb(value))) == pytest.approx(value, abs=1e-6)

    def test_png_is_decoded_and_comes_back(self, tmp_path):
        linear = numpy.linspace(0, 1, 48).reshape(4, 4, 3)
        (tmp_path / "a.png").write_bytes(images.png(linear))
        back = images.read(tmp_path / "a.png")
        assert abs(images.to_srgb(back) - images.to_srgb(linear)).max() <= 1 / 255

    def test_exr_keeps_layers_and_light_above_one(self, tmp_path):
        layers = {"": numpy.full((2, 3, 3), 40.0), "field": numpy.ones((2, 3, 3)), "depth": numpy.eye(2, 3)}
        for name in ("a.exr", "b.exr"):
            images.write_exr(tmp_path / name, layers)
        assert (tmp_path / "a.exr").read_bytes() == (tmp_path / "b.exr").read_bytes()
        assert images.read(tmp_path / "a.exr").max() == 40
        found = images.read_layers(tmp_path / "a.exr")
        assert set(found) == {"R", "G", "B", "field.R", "field.G", "field.B", "depth.Z"}
        assert (found["depth.Z"] == numpy.eye(2, 3)).all()

    @pytest.mark.parametrize(
        ("value", "says"), [(numpy.nan, "not finite"), (numpy.inf, "not finite"), (-1, "negative")]
    )
    def test_what_cannot_be_light_is_refused(self, tmp_path, value, says):
        layer = numpy.ones((2, 2, 3))
        layer[0, 0, 0] = value
        images.write_exr(tmp_path / "a.exr", {"": layer})
        with pytest.raises(InputError, match=says):
            images.read(tmp_path / "a.exr")

    def test_damaged_files_are_named(self, tmp_path):
        for name in ("a.exr", "a.png", "a.hdr"):
            (tmp_path / name).write_bytes(b"not an image")
            with pytest.raises(BrokenArtefact, match=name):
                images.read(tmp_path / name)
        with pytest.raises(MissingFile):
            images.read(tmp_path / "b.png")


class TestBrackets:
    def test_merged_brackets_are_in_proportion_to_the_light(self):
        """Photographs by a known response and shifts: light comes back up to one factor, four decades of it."""
        random = numpy.random.default_rng(0)
        smooth = numpy.kron(random.normal(size=(8, 8)), numpy.ones((8, 8)))
        light = numpy.exp(1.6 * smooth + 0.3 * random.normal(size=(64, 64)))[..., None] * [1.0, 0.8, 0.5]
        times = (1 / 512, 1 / 64, 1 / 8, 1.0)
        bracket = []
        for number, time in enumerate(times):
            encoded = 255 * numpy.clip(light * time, 0, 1) ** (1 / 2.2)
            bracket.append(numpy.roll(encoded.round().astype(numpy.uint8), (number, -number), axis=(0, 1)))
        moved, shifts = brackets.aligned(bracket)
        assert [(y - shifts[0][0], x - shifts[0][1]) for y, x in shifts] == [
            (0, 0),
            (-1, 1),
            (-2, 2),
            (-3, 3),
        ]
        merged = brackets.merge(moved, times, brackets.response(moved, times))
        merged = numpy.roll(merged, (-2, 2), axis=(0, 1))
        # Where a photograph is neither black nor white.
        told = (light < 200) & (light > 0.02)
        ratio = numpy.log(merged / light)
        for channel in range(3):
            part = ratio[..., channel][told[..., channel]]
            assert numpy.std(part) < 0.1
        assert merged.max() / merged.min() > 1e3

    def test_one_exposure_says_nothing(self):
        with pytest.raises(InputError, match="two different exposure times"):
            brackets.response([numpy.zeros((4, 4, 3), numpy.uint8)] * 2, (0.1, 0.1))

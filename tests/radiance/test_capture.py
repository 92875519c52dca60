"""Captures: brackets of photographs, and scenes of Mitsuba's own."""

from pathlib import Path

import numpy
import pytest

import sulan
from sulan.errors import InputError
from sulan.radiance import cameras, images

pytestmark = pytest.mark.xdist_group("radiance")


class TestCapture:
    def photographs(self, folder: Path, *, brackets: int = 2) -> Path:
        """Brackets of a scene that is 30 times as bright on one side, by a gamma of 2.2."""
        folder.mkdir()
        light = numpy.geomspace(0.05, 30.0, 40)[None, :, None] * numpy.asarray([1.0, 0.7, 0.5])
        texture = 1 + 0.3 * numpy.sin(numpy.arange(36))[:, None, None]
        for view in range(brackets):
            for number, seconds in enumerate((1 / 64, 1 / 8, 1.0)):
                encoded = numpy.clip(light * texture * seconds, 0, 1) ** (1 / 2.2)
                linear = images.from_srgb(encoded)
                (folder / f"view-{view}-{number}.png").write_bytes(images.png(linear))
        return folder

    def test_brackets_become_a_capture_above_white(self, tmp_path):
        made = sulan.radiance.capture(
            str(self.photographs(tmp_path / "photos")),
            exposures=(1 / 64, 1 / 8, 1.0),
            out=tmp_path / "capture",
        )
        assert made.summary["views"] == 2
        merged = images.read(tmp_path / "capture" / "images" / "view-0-0.exr")
        ratio = merged[:, 35].mean() / merged[:, 8].mean()
        assert ratio == pytest.approx(600 ** (27 / 39), rel=0.15)  # 600 from one side to the other
        assert (tmp_path / "capture" / "matching" / "view-1-0.png").exists()
        assert any("COLMAP" in note for note in made.notes)

    def test_what_is_no_bracket_is_refused(self, tmp_path):
        folder = self.photographs(tmp_path / "photos")
        for exposures, says in (
            ((), "exposure times"),
            ((0.1, 0.2, 0.3, 0.4), "no whole number of brackets"),
        ):
            with pytest.raises(InputError, match=says):
                sulan.radiance.capture(str(folder), exposures=exposures, out=tmp_path / "out")
        (folder / "view-0-1.png").write_bytes(images.png(numpy.zeros((4, 4, 3))))
        with pytest.raises(InputError, match="different sizes"):
            sulan.radiance.capture(str(folder), exposures=(0.1, 0.2, 0.3), out=tmp_path / "out")

    def test_a_scene_of_mitsuba_s_own_by_given_cameras(self, mi, made, tmp_path):
        (tmp_path / "ball.xml").write_text(
            '<scene version="3.0.0"><shape type="sphere"><point name="center" x="0" y="0" z="0.7"/>'
            '<float name="radius" value="0.3"/></shape><emitter type="constant"/></scene>'
        )
        report = sulan.radiance.capture(
            str(tmp_path / "ball.xml"),
            cameras=made / "moved",
            samples=4,
            device="cpu",
            out=tmp_path / "capture",
        )
        assert report.summary["views"] == 3
        assert [view.width for view in cameras.read(tmp_path / "capture")] == [16, 16, 16]
        (tmp_path / "odd.xml").write_text("<scene/>")
        with pytest.raises(InputError, match=r"odd\.xml is not a Mitsuba scene"):
            sulan.radiance.capture(str(tmp_path / "odd.xml"), device="cpu", out=tmp_path / "out")

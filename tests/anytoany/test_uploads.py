"""Hostile and odd uploads."""

import base64
import io

import numpy as np
import psutil
import pytest
import soundfile
from PIL import Image as Picture

from anytoany.hostile import HTML, SVG, clip, huge, picture, silence
from sulan.anytoany import uploads
from sulan.anytoany.media import Audio, Image, Video
from sulan.errors import InputError


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (huge, "30000 x 30000"),
        (lambda: silence(3600), "longer than 60"),
        (lambda: clip()[:200], "video"),
        (lambda: HTML, "no format"),
        (lambda: SVG, "no format"),
        (lambda: b"%PDF-1.7", "no format"),
    ],
)
def test_a_hostile_upload_is_refused_with_a_reason_and_little_memory(body, reason):
    given = body()
    before = psutil.Process().memory_info().rss
    with pytest.raises(InputError, match=reason):
        uploads.decode(given)
    assert psutil.Process().memory_info().rss - before < 300 << 20


def test_an_address_is_never_fetched():
    with pytest.raises(InputError, match="not fetched"):
        uploads.inline("http://169.254.169.254/latest")


def test_another_kind_than_said_is_refused():
    with pytest.raises(InputError, match="called image but is audio"):
        uploads.decode(silence(1), kind="image")


def test_transparency_is_white_and_sixteen_bits_are_scaled():
    clear = uploads.decode(picture(np.zeros((2, 3, 4), np.uint8)))
    assert isinstance(clear, Image) and clear.pixels.shape == (2, 3, 3) and clear.pixels.min() == 255
    deep = uploads.decode(picture(np.full((2, 2), 0x8000, np.uint16)))
    assert isinstance(deep, Image) and (deep.pixels == 128).all()


def test_sound_and_clip_come_back():
    sound = uploads.decode(uploads.inline("data:audio/flac;base64," + base64.b64encode(silence(1)).decode()))
    assert isinstance(sound, Audio) and sound.rate == 8000 and len(sound.samples) == 8000
    film = uploads.decode(clip())
    assert isinstance(film, Video) and film.frames.shape == (25, 32, 32, 3) and film.rate == 8


def test_a_photograph_stands_upright_and_print_colours_are_screen_colours():
    sideways = Picture.new("RGB", (4, 2), "blue")
    sideways.getexif()[0x0112] = 6  # turn by 90 degrees
    file = io.BytesIO()
    sideways.save(file, "JPEG", exif=sideways.getexif())
    upright = uploads.decode(file.getvalue())
    assert isinstance(upright, Image) and upright.pixels.shape == (4, 2, 3)
    file = io.BytesIO()
    Picture.new("CMYK", (2, 2), (0, 255, 255, 0)).save(file, "JPEG")
    printed = uploads.decode(file.getvalue())
    assert isinstance(printed, Image) and printed.pixels[0, 0, 0] > 240 and printed.pixels[0, 0, 1] < 20


def test_of_an_animation_the_first_frame_is_read():
    file = io.BytesIO()
    frames = [Picture.new("RGB", (3, 3), colour) for colour in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    first = uploads.decode(file.getvalue())
    assert isinstance(first, Image) and tuple(first.pixels[0, 0]) == (255, 0, 0)


def test_channels_are_averaged_and_what_is_no_number_is_silent():
    file = io.BytesIO()
    six = np.tile(np.array([0.6, 0, 0, 0, 0, 0], np.float32), (50, 1))
    six[0] = np.nan
    soundfile.write(file, six, 8000, format="WAV", subtype="FLOAT")
    sound = uploads.decode(file.getvalue())
    assert isinstance(sound, Audio) and sound.samples[0] == 0
    np.testing.assert_allclose(sound.samples[1:], 0.1, rtol=1e-6)


def test_what_eats_processor_time_or_memory_is_stopped():
    with pytest.raises(InputError, match="within its limits"):
        uploads.decode(picture(np.zeros((2, 2, 3), np.uint8)), limits=uploads.Limits(memory=20 << 20))

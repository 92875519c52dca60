"""The process that decodes one upload and ends: what crashes or eats memory here costs the server nothing."""

import io
import json
import resource
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Refused(Exception):
    """A file is over a limit."""


def image(body: bytes, limits: Mapping[str, Any]) -> tuple[NDArray[np.uint8], float]:
    """Return the first frame, upright, on white where it is transparent."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # the header's size is checked below, before a pixel is read
    with Image.open(io.BytesIO(body), formats=("PNG", "JPEG", "GIF", "WEBP")) as opened:
        if opened.width * opened.height > limits["pixels"]:
            raise Refused(f"{opened.width} x {opened.height} pixels; at most {limits['pixels']}")
        picture = ImageOps.exif_transpose(opened)
        if picture.mode.startswith("I"):  # 16 bits a pixel: Pillow's own conversion would clip to white
            grey = np.clip(np.asarray(picture, np.int64) >> 8, 0, 255).astype(np.uint8)
            return np.repeat(grey[:, :, None], 3, axis=2), 0
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            ground = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(ground, picture)
        return np.asarray(picture.convert("RGB")), 0


def audio(body: bytes, limits: Mapping[str, Any]) -> tuple[NDArray[np.float32], float]:
    """Return the mean of the channels."""
    import soundfile

    with soundfile.SoundFile(io.BytesIO(body)) as opened:
        if not 0 < opened.samplerate <= limits["rate"] or opened.channels > limits["channels"]:
            raise Refused(f"{opened.channels} channels of {opened.samplerate} samples a second")
        most = int(limits["seconds"] * opened.samplerate)
        samples = np.empty((0, 1), np.float32)
        if opened.frames <= most:
            samples = opened.read(most + 1, dtype="float32", always_2d=True)
        if opened.frames > most or len(samples) > most:
            raise Refused(f"longer than {limits['seconds']} seconds")
        if not len(samples):
            raise Refused("no samples")
        return np.clip(np.nan_to_num(samples.mean(axis=1)), -1, 1), opened.samplerate


def video(body: bytes, limits: Mapping[str, Any]) -> tuple[NDArray[np.uint8], float]:
    """Return all frames."""
    import av

    frames: list[NDArray[np.uint8]] = []
    with av.open(io.BytesIO(body), "r") as opened:
        if not opened.streams.video:
            raise Refused("no pictures")
        stream = opened.streams.video[0]
        rate = float(stream.average_rate or 1)
        for frame in opened.decode(stream):
            if (len(frames) + 1) * frame.width * frame.height > limits["pixels"] or len(frames) >= limits[
                "frames"
            ]:
                raise Refused(f"more than {limits['frames']} frames or {limits['pixels']} pixels")
            if frame.time is not None and frame.time > limits["seconds"]:
                raise Refused(f"longer than {limits['seconds']} seconds")
            frames.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    if not frames or len({frame.shape for frame in frames}) > 1:
        raise Refused("no frames, or frames of several sizes")
    return np.stack(frames), rate


def main() -> None:
    """Read a line of JSON and a file from stdin; write a line of JSON and an array to stdout."""
    head, _, body = sys.stdin.buffer.read().partition(b"\n")
    asked = json.loads(head)
    limits = asked["limits"]
    resource.setrlimit(resource.RLIMIT_CPU, (limits["processor"], limits["processor"]))
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    readers = {"image": image, "audio": audio, "video": video}
    try:
        array, rate = readers[asked["kind"]](body, limits)
    except Refused as refused:
        answer, data = {"failed": str(refused)}, b""
    except (
        OSError,
        ValueError,
        SyntaxError,
        Warning,
        RuntimeError,
    ) as broken:  # what the three libraries raise
        answer, data = {"failed": f"broken ({type(broken).__name__})"}, b""
    else:
        answer, data = {"shape": array.shape, "rate": rate}, array.tobytes()
    sys.stdout.buffer.write(json.dumps(answer).encode() + b"\n" + data)


if __name__ == "__main__":
    main()

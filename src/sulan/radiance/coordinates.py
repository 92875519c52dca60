"""Which way is forward: camera and world conventions, each with its way back.

A camera pose is a 4x4 camera-to-world matrix. Inside Sulan it is OpenGL's, as in transforms.json:

| convention | x | y | z | used by |
| --- | --- | --- | --- | --- |
| opengl | right | up | backward | transforms.json, Blender, nerfstudio, here |
| opencv | right | down | forward | COLMAP |
| mitsuba | left | up | forward | Mitsuba's sensors |

Worlds are z-up here; glTF is y-up; instant-ngp rotates its axes and scales into the unit cube. A pose that is not a
rotation with a translation is refused: a mirrored or sheared camera renders something, and nobody sees why it is wrong.
"""

import numpy
from numpy.typing import ArrayLike, NDArray

from sulan.errors import InputError

Matrix = NDArray[numpy.float64]

_FLIPS = {"opengl": (1, 1, 1), "opencv": (1, -1, -1), "mitsuba": (-1, 1, -1)}

NGP_SCALE, NGP_OFFSET = 0.33, 0.5
"""What instant-ngp multiplies positions by, then adds, before its own axes (its documented default)."""

ORTHONORMAL = 1e-3
"""How far R R^T may be from the identity: poses are printed with few digits."""

Z_FROM_Y_UP: Matrix = numpy.asarray(
    [[1.0, 0.0, 0.0, 0.0], [0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0]]
)
"""Takes a glTF world (y up, z towards us) to ours (z up): (x, y, z) becomes (x, -z, y)."""


def converted(pose: ArrayLike, *, source: str, target: str) -> Matrix:
    """Return a camera-to-world pose in another camera convention.

    Parameters
    ----------
    pose
        `[4, 4]`.
    source, target
        `opengl`, `opencv` or `mitsuba`.

    Examples
    --------
    >>> converted(numpy.eye(4), source="opengl", target="opencv").diagonal().tolist()
    [1.0, -1.0, -1.0, 1.0]
    """
    result = numpy.asarray(pose, dtype=numpy.float64).copy()
    flip = numpy.asarray(_FLIPS[source]) * numpy.asarray(_FLIPS[target])
    result[:3, :3] *= flip
    return result + 0.0


def from_colmap(quaternion: ArrayLike, translation: ArrayLike) -> Matrix:
    """Return the OpenGL pose of a COLMAP image: world-to-camera quaternion (w, x, y, z) and translation.

    Examples
    --------
    >>> from_colmap([1, 0, 0, 0], [0, 0, 5])[:3, 3].tolist()
    [0.0, 0.0, -5.0]
    """
    inverse = numpy.eye(4)
    inverse[:3, :3] = rotation(quaternion)
    inverse[:3, 3] = numpy.asarray(translation, dtype=numpy.float64)
    return converted(inverted(inverse), source="opencv", target="opengl")


def to_colmap(pose: ArrayLike) -> tuple[Matrix, Matrix]:
    """Return quaternion (w, x, y, z; w not negative) and translation of an OpenGL pose; see `from_colmap`."""
    inverse = inverted(converted(pose, source="opengl", target="opencv"))
    return quaternion(inverse[:3, :3]), inverse[:3, 3].copy()


def from_ngp(position: ArrayLike) -> Matrix:
    """Return the world position of a point in instant-ngp's unit cube; see `to_ngp`."""
    unit = (numpy.asarray(position, dtype=numpy.float64) - NGP_OFFSET) / NGP_SCALE
    return unit[..., [2, 0, 1]]


def to_ngp(position: ArrayLike) -> Matrix:
    """Return where instant-ngp puts a world point: axes turned (x, y, z) -> (y, z, x), scaled, moved.

    Examples
    --------
    >>> to_ngp([0.0, 0.0, 1.0]).tolist()
    [0.5, 0.8300000000000001, 0.5]
    """
    return numpy.asarray(position, dtype=numpy.float64)[..., [1, 2, 0]] * NGP_SCALE + NGP_OFFSET


def inverted(pose: ArrayLike) -> Matrix:
    """Return the inverse of a rigid 4x4 matrix."""
    matrix = numpy.asarray(pose, dtype=numpy.float64)
    result = numpy.eye(4)
    result[:3, :3] = matrix[:3, :3].T
    result[:3, 3] = -matrix[:3, :3].T @ matrix[:3, 3]
    return result


def checked(pose: ArrayLike, *, name: str) -> Matrix:
    """Return a pose as float64 with its rotation made exactly orthonormal.

    Raises
    ------
    InputError
        Not 4x4, not finite, or further than `ORTHONORMAL` from a rotation; `name` says whose pose it is.
    """
    try:
        matrix = numpy.asarray(pose, dtype=numpy.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: the pose is not a matrix of numbers") from error
    if matrix.shape == (3, 4):
        matrix = numpy.vstack([matrix, [0.0, 0.0, 0.0, 1.0]])
    if matrix.shape != (4, 4) or not numpy.isfinite(matrix).all():
        raise InputError(f"{name}: the pose is not a finite 4x4 matrix")
    turn = matrix[:3, :3]
    error = numpy.abs(turn @ turn.T - numpy.eye(3)).max()
    if error > ORTHONORMAL or numpy.linalg.det(turn) < 0:
        raise InputError(
            f"{name}: the pose is not a rotation (R R^T is {error:.2g} from the identity, "
            f"determinant {numpy.linalg.det(turn):.3g})",
            hint="camera-to-world with orthonormal, right-handed axes; scale belongs into positions",
        )
    u, _, v = numpy.linalg.svd(turn)
    result = matrix.copy()
    result[:3, :3] = u @ v
    return result


def looking(origin: ArrayLike, target: ArrayLike, up: ArrayLike = (0.0, 0.0, 1.0)) -> Matrix:
    """Return the OpenGL pose of a camera at `origin` that looks at `target`.

    Examples
    --------
    >>> looking([0, -3, 0], [0, 0, 0])[:3, 2].tolist()
    [0.0, -1.0, 0.0]
    """
    place = numpy.asarray(origin, dtype=numpy.float64)
    backward = place - numpy.asarray(target, dtype=numpy.float64)
    backward = backward / numpy.linalg.norm(backward)
    right = numpy.cross(numpy.asarray(up, dtype=numpy.float64), backward)
    if numpy.linalg.norm(right) < 1e-9:  # looking straight up or down: any right will do
        right = numpy.cross([0.0, 1.0, 0.0], backward)
    right = right / numpy.linalg.norm(right)
    pose = numpy.eye(4)
    pose[:3, 0], pose[:3, 1], pose[:3, 2], pose[:3, 3] = right, numpy.cross(backward, right), backward, place
    return pose + 0.0


def rotation(quaternion: ArrayLike) -> Matrix:
    """Return the 3x3 rotation of a quaternion (w, x, y, z), which need not be of unit length."""
    w, x, y, z = numpy.asarray(quaternion, dtype=numpy.float64) / numpy.linalg.norm(
        numpy.asarray(quaternion, dtype=numpy.float64)
    )
    return numpy.asarray(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def quaternion(turn: ArrayLike) -> Matrix:
    """Return the quaternion (w, x, y, z), w not negative, of a 3x3 rotation.

    Examples
    --------
    >>> quaternion(numpy.eye(3)).tolist()
    [1.0, 0.0, 0.0, 0.0]
    """
    m = numpy.asarray(turn, dtype=numpy.float64)
    # The eigenvector of the largest eigenvalue (Bar-Itzhack): no branch, stable for every angle.
    k = numpy.asarray(
        [
            [m[0, 0] - m[1, 1] - m[2, 2], 0, 0, 0],
            [m[0, 1] + m[1, 0], m[1, 1] - m[0, 0] - m[2, 2], 0, 0],
            [m[0, 2] + m[2, 0], m[1, 2] + m[2, 1], m[2, 2] - m[0, 0] - m[1, 1], 0],
            [m[2, 1] - m[1, 2], m[0, 2] - m[2, 0], m[1, 0] - m[0, 1], m.trace()],
        ]
    )
    _, vectors = numpy.linalg.eigh(k / 3)
    x, y, z, w = vectors[:, -1]
    result = numpy.asarray([w, x, y, z])
    return (-result if w < 0 else result) + 0.0

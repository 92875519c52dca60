"""Real spherical harmonics up to degree 2: how radiance changes with the direction it is seen from.

    f(d) = sum_k c_k Y_k(d),   Y_0 = 1/2 sqrt(1/pi),   Y_1 = sqrt(3/(4 pi)) (y, z, x), ...

The basis is orthonormal over the sphere. The same function takes NumPy arrays and Dr.Jit arrays, so the renderer and
its oracle cannot differ here.
"""

from typing import Any

DEGREES = (0, 1, 2)


def count(degree: int) -> int:
    """Return how many functions there are up to `degree`: (degree + 1)^2."""
    return (degree + 1) ** 2


def basis(x: Any, y: Any, z: Any, degree: int) -> list[Any]:
    """Return the values of the basis functions in a direction.

    Parameters
    ----------
    x, y, z
        A unit vector's components: floats or arrays.
    degree
        0, 1 or 2.

    Examples
    --------
    >>> [round(value, 4) for value in basis(0.0, 0.0, 1.0, 1)]
    [0.2821, 0.0, 0.4886, 0.0]
    """
    values = [0.28209479177387814 + 0.0 * x]
    if degree >= 1:
        values += [0.4886025119029199 * y, 0.4886025119029199 * z, 0.4886025119029199 * x]
    if degree >= 2:
        values += [
            1.0925484305920792 * x * y,
            1.0925484305920792 * y * z,
            0.31539156525252005 * (3.0 * z * z - 1.0),
            1.0925484305920792 * x * z,
            0.5462742152960396 * (x * x - y * y),
        ]
    return values

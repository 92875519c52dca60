"""Real spherical harmonics up to degree 2: how radiance changes with the direction it is seen from.

    f(d) = sum_k c_k Y_k(d),   Y_0 = 1,   Y_1 = sqrt(3) (y, z, x), ...

The basis is orthonormal under the mean over the sphere, so a coefficient has the unit of f and Adam's rate means the
same for colour as for density. (With the usual Y_0 = 0.28 lamps stayed at a third of their radiance after 300 steps.)
The same function takes NumPy arrays and Dr.Jit arrays, so the renderer and its oracle cannot differ here.
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
    [1.0, 0.0, 1.7321, 0.0]
    """
    values = [1.0 + 0.0 * x]
    if degree >= 1:
        values += [1.7320508075688772 * y, 1.7320508075688772 * z, 1.7320508075688772 * x]
    if degree >= 2:
        values += [
            3.872983346207417 * x * y,
            3.872983346207417 * y * z,
            1.118033988749895 * (3.0 * z * z - 1.0),
            3.872983346207417 * x * z,
            1.9364916731037085 * (x * x - y * y),
        ]
    return values

"""Numbers back into text: a value in the notation that a text already uses, for suggestions."""

from sulan.digest.quantities import Quantity
from sulan.digest.units import SCALES, UNITS


def rewrite(quantity: Quantity, value: float) -> str:
    """Return `value` in the notation of `quantity`: scale, and unit of measure, as the text has them.

    Parameters
    ----------
    quantity
        The piece of text to be replaced.
    value
        Canonical value, in the same dimension.

    Examples
    --------
    >>> from sulan.digest.quantities import find
    >>> rewrite(find("1.3亿参数", "zh")[0], 1.3e9)
    '13亿'
    >>> rewrite(find("within 40 steps")[0], 400)
    '400 steps'
    """
    factor = UNITS[quantity.unit].factor if quantity.unit else 1.0
    return write(value / factor, scale=quantity.scale) + quantity.text[quantity.number_end - quantity.start :]


def write(value: float, *, scale: str = "") -> str:
    """Return a number in digits with `scale`, or with the scale of the same family that reads well.

    Examples
    --------
    >>> write(2.5e11, scale="亿"), write(1.3e9, scale="M"), write(0.5)
    ('2500亿', '1.3B', '0.5')
    """
    mantissa = value / SCALES[scale.lower()] if scale else value
    # 2500亿 reads well, 1300百万 and 1300B do not.
    most = 10000 if scale in ("万", "亿", "万亿") else 1000 if scale.isascii() else 100
    if scale and not 0.1 <= mantissa < most:
        family = ("万亿", "亿", "万") if not scale.isascii() else ("T", "B", "M", "K")
        if scale.isascii() and len(scale) > 1:
            family = ("trillion", "billion", "million", "thousand")
        scale = next((s for s in family if value >= SCALES[s.lower()]), "")
        mantissa = value / SCALES[scale.lower()] if scale else value
    digits = f"{mantissa:.12f}".rstrip("0").rstrip(".") if abs(mantissa) < 1e15 else f"{mantissa:g}"
    return digits + (f" {scale}" if scale.isascii() and len(scale) > 1 else scale)

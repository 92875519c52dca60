"""What counts as a near-duplicate."""

from dataclasses import dataclass

from sulan.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Near:
    """What counts as a near-duplicate. Defaults: those of datatrove, as used for FineWeb (2406.17557, section 3.4).

    Attributes
    ----------
    bands, rows
        Shape of the MinHash signature: 14 x 8 finds one half of the pairs whose shingles overlap by 0.69.
    words
        Words of a shingle.
    """

    bands: int = 14
    rows: int = 8
    words: int = 5

    def __post_init__(self) -> None:
        for name in ("bands", "rows", "words"):
            if getattr(self, name) < 1:
                raise InputError(f"similarity.{name} must be at least 1, not {getattr(self, name)}")

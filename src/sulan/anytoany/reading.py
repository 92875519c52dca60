"""What a reader reads."""

from dataclasses import dataclass

from sulan.anytoany.scenes import Motion, Shape, Size, colour


@dataclass(frozen=True, kw_only=True)
class Reading:
    """A scene as read from a medium; None where the medium does not carry it. Units as of `scenes.Scene`."""

    hue: float
    shape: Shape
    count: int
    size: Size
    x: float | None = None
    y: float | None = None
    motion: Motion | None = None

    @property
    def colour(self) -> str:
        """The name of the hue."""
        return colour(self.hue)

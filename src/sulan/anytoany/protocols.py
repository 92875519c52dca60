"""What the parts of a system must offer, and what a whole system offers to those who talk with it.

The language model is any causal one of transformers and has no protocol of its own. Shapes are in the parts'
descriptions, which come from configurations alone, so that a system is checked before anything is loaded.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from sulan.anytoany.media import Kind, Media
from sulan.anytoany.messages import Message

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True, kw_only=True)
class Features:
    """What an encoder gives for one item: `tokens` vectors of `width`."""

    tokens: int
    width: int


@dataclass(frozen=True, kw_only=True)
class Condition:
    """What a decoder is steered by: `tokens` vectors of `width`.

    Attributes
    ----------
    form
        `sequence`: cross-attended, as `prompt_embeds` of Stable Diffusion; `pooled`: one vector of length 1, as of
        AudioLDM.
    """

    tokens: int
    width: int
    form: Literal["sequence", "pooled"] = "sequence"


class Encoder(Protocol):
    """Turns media of one kind into vectors; frozen."""

    kind: Kind
    features: Features

    def encode(self, media: Sequence[Media]) -> "torch.Tensor":
        """Return float32 [batch, tokens, width]; the rows do not depend on one another."""


class Decoder(Protocol):
    """Makes media of one kind from a condition; frozen."""

    kind: Kind
    condition: Condition

    def text_condition(self, captions: Sequence[str]) -> "torch.Tensor":
        """Return what the decoder's own text encoder gives: float32 [batch, tokens, width]."""

    def latents(self, media: Sequence[Media]) -> "torch.Tensor":
        """Return the clean latents that diffusion works on, [batch, ...]."""

    def denoising_loss(
        self,
        latents: "torch.Tensor",
        condition: "torch.Tensor",
        *,
        noise: "torch.Tensor",
        steps: "torch.Tensor",
    ) -> "torch.Tensor":
        """Return the mean of (noise - predicted)^2 for each item [batch]; differentiable in the condition.

        Parameters
        ----------
        latents
            Clean, [batch, ...].
        condition
            [batch, tokens, width].
        noise
            Standard normal, of the latents' shape.
        steps
            Of the noise schedule, int64 [batch].
        """

    def generate(
        self,
        condition: "torch.Tensor",
        *,
        seeds: Sequence[int],
        steps: int,
        guidance: float,
        on_step: Callable[[int, int], bool] | None = None,
    ) -> list[Media]:
        """Return one medium for each row of the condition [batch, tokens, width].

        Parameters
        ----------
        seeds
            One for each row; a row's result depends on its own seed only.
        steps
            Of the sampler.
        guidance
            Classifier-free guidance; 1: none.
        on_step
            Called with (done, all); generation stops where it returns False.

        Raises
        ------
        Cancelled
            `on_step` returned False.
        """


class Cancelled(Exception):
    """Somebody who waited for a medium has gone."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a reply is made.

    Attributes
    ----------
    modalities
        What may be made beside text; a decoder that is not among them is never loaded.
    tokens
        The most text tokens of a reply.
    temperature
        Of the text; 0: greedy.
    steps
        Of the diffusion samplers. The official demonstration: 50.
    guidance
        Classifier-free guidance. The official demonstration: 7.5.
    seed
        Of text and media.
    """

    modalities: tuple[Kind, ...] = ("image", "audio", "video")
    tokens: int = 256
    temperature: float = 0.0
    steps: int = 50
    guidance: float = 7.5
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Said:
    """A piece of a reply's text."""

    text: str


@dataclass(frozen=True, kw_only=True)
class Making:
    """A medium has come so far: `done` of `steps`; number `index` of the reply's media."""

    index: int
    kind: Kind
    done: int
    steps: int


@dataclass(frozen=True, kw_only=True)
class Made:
    """A medium is there; number `index` of the reply's media."""

    index: int
    media: Media


Event = Said | Making | Made


class Assistant(Protocol):
    """A system that is talked with."""

    def reply(
        self, messages: Sequence[Message], *, settings: Settings, wanted: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        """Yield the reply as it comes: text first, then media.

        Parameters
        ----------
        messages
            The conversation so far.
        settings
            How.
        wanted
            Asked between tokens and between diffusion steps; where it returns False, the reply ends (`Cancelled`).
        """

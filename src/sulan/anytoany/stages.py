"""The stages of training: what each trains and the loss that it minimises.

`parts` trains the own encoders, the own decoders and the language model on captions alone, so that there is something
to reuse; the paper's three stages then leave them as they are. `encode`: input projections, by the caption of a medium.
`decode`: output projections and the signal tokens' embeddings, by the signals, the decoder's own text condition and the
denoising of the medium. `instruct`: a LoRA adapter, the signal tokens and all projections, by conversations. Not
covered: media of one kind with captions of their own in one example, and caches of encoders' vectors and captions'
conditions.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils.rnn import pad_sequence

from sulan.anytoany import grids, losses, prompts
from sulan.anytoany.config import DecoderConfig
from sulan.anytoany.decoders import NOTHING, STEPS, CaptionEncoder
from sulan.anytoany.examples import Example
from sulan.anytoany.media import Kind
from sulan.anytoany.messages import Message, Text
from sulan.anytoany.protocols import Condition
from sulan.anytoany.system import System
from sulan.errors import InputError
from sulan.runs import seeds

Stage = Literal["parts", "encode", "decode", "instruct"]

UNSTEERED = 0.1
"""Captions that a decoder does not see while it is trained, so that it can be led away from nothing: Ho and Salimans
(2207.12598) find 0.1 and 0.2 best."""

ASKED = "Describe it."
"""What stands before a caption in stage `encode`."""

RANK = 32
"""LoRA's r and alpha, on q, k, v and o: the paper's."""


class Stages:
    """A system in training.

    Parameters
    ----------
    system
        Trained in place.
    examples
        What is learned.
    stage
        Which.
    batch
        Examples of a step.
    seed
        Of everything that is drawn.
    """

    def __init__(
        self, system: System, examples: Sequence[Example], *, stage: Stage, batch: int, seed: int
    ) -> None:
        self._system, self._examples, self._stage = system, examples, stage
        self._batch, self._seed = batch, seed
        self._readers: dict[Kind, CaptionEncoder] = {}
        if stage == "parts":
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seeds.key(seed, "sulan.anytoany.stages readers") % 2**63)
                for kind, encoder in system.encoders.items():
                    self._readers[kind] = _reader(system, kind, encoder.features.width)
        elif stage != "encode" and not isinstance(system.model, PeftModel):
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seeds.key(seed, "sulan.anytoany.stages adapter") % 2**63)
                system.model = adapted(system)
            system.model.eval().requires_grad_(False)

    def weights(self) -> dict[str, nn.Parameter]:
        """Return what the stage trains, by name."""
        system = self._system
        parts: dict[str, Mapping[Kind, Any]] = {}
        model = dict(system.model.named_parameters())
        named: dict[str, nn.Parameter] = {}
        if self._stage == "parts":
            parts = {
                "encoder": system.encoders,
                "decoder": {kind: system.decoder(kind) for kind in system.config.decoders},
                "reader": self._readers,
            }
            named = {f"model.{name}": weight for name, weight in model.items()}
        if self._stage in ("encode", "instruct"):
            parts["input"] = system.inputs
        if self._stage in ("decode", "instruct"):
            parts["output"] = system.outputs
            signals = {name: weight for name, weight in model.items() if "trainable_tokens" in name}
            named = {f"model.{name}": weight for name, weight in signals.items()}
        if self._stage == "instruct":
            named |= {f"model.{name}": weight for name, weight in model.items() if "lora_" in name}
        for part, modules in parts.items():
            for kind, module in modules.items():
                named |= {f"{part}.{kind}.{name}": weight for name, weight in module.named_parameters()}
        return named

    def loss(self, step: int) -> torch.Tensor:
        """Return the loss of a step, from 0."""
        random = seeds.generator(self._seed, f"sulan.anytoany.stages {self._stage} {step}")
        chosen = [self._examples[number] for number in random.integers(len(self._examples), size=self._batch)]
        stages: dict[Stage, Callable[[Sequence[Example]], torch.Tensor]] = {
            "parts": self._parts,
            "encode": self._encode,
            "decode": self._decode,
            "instruct": self._instruct,
        }
        return stages[self._stage](chosen)

    def _parts(self, chosen: Sequence[Example]) -> torch.Tensor:
        system = self._system
        total = self._spoken([_said(Text(text=example.caption)) for example in chosen])[0]
        for kind, encoder in system.encoders.items():
            media = [example for example in chosen if kind in example.media]
            if len(media) > 1:
                learner: Any = encoder  # an own one, which can be called with gradients
                squares = grids.squares([example.media[kind] for example in media], system.config.grid)
                read = self._readers[kind]([example.caption for example in media])[:, 0]
                total = total + losses.matching(learner(squares)[:, 0], read)
        for kind in system.config.decoders:
            media = [example for example in chosen if kind in example.media]
            if media:
                captions = [NOTHING if torch.rand(()) < UNSTEERED else example.caption for example in media]
                condition = system.decoder(kind).text_condition(captions)
                total = total + self._denoised(kind, media, condition)
        return total

    def _encode(self, chosen: Sequence[Example]) -> torch.Tensor:
        turns = []
        for example in chosen:
            kinds = [kind for kind in example.media if kind in self._system.encoders]
            for kind in kinds:
                question = Message(role="user", parts=(example.media[kind], Text(text=ASKED)))
                turns.append((question, _said(Text(text=example.caption))[1]))
        return self._spoken(turns)[0]

    def _decode(self, chosen: Sequence[Example]) -> torch.Tensor:
        turns, owners = [], []
        for example in chosen:
            for kind, medium in example.media.items():
                if kind in self._system.spans:
                    question = Message(role="user", parts=(Text(text=f"{kind}: {example.caption}"),))
                    turns.append((question, Message(role="assistant", parts=(medium,))))
                    owners.append(example)
        return self._with_media(turns, owners)

    def _instruct(self, chosen: Sequence[Example]) -> torch.Tensor:
        turns = []
        for example in chosen:
            answers = [at for at, message in enumerate(example.messages) if message.role == "assistant"]
            if not answers:
                raise InputError(f"{example.id} is a conversation in which the assistant says nothing")
            turns.append(example.messages[: answers[int(torch.randint(len(answers), ()))] + 1])
        return self._with_media(turns, chosen)

    def _with_media(self, turns: Sequence[Sequence[Message]], owners: Sequence[Example]) -> torch.Tensor:
        """Return the loss of what is said, and of the media that the last turns ask for."""
        total, states = self._spoken(turns)
        for kind, span in self._system.spans.items():
            asking: list[Example] = []
            asked: list[torch.Tensor] = []
            for row, (conversation, owner) in enumerate(zip(turns, owners, strict=True)):
                said = prompts.answer(conversation[-1], self._system.tokenizer, spans=self._system.spans)
                if span[0] in said:
                    begin = said.index(span[0])
                    asked.append(states[row][begin : begin + len(span)])
                    medium = next(
                        part for part in conversation[-1].parts if getattr(part, "kind", "") == kind
                    )
                    asking.append(_with(owner, kind, medium))
            if asking:
                condition = self._system.condition(kind, torch.stack(asked))
                wanted = self._system.decoder(kind).text_condition([example.caption for example in asking])
                total = total + losses.alignment(condition, wanted.detach())
                total = total + self._denoised(kind, asking, condition)
        return total

    def _spoken(self, turns: Sequence[Sequence[Message]]) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """Return the cross-entropy of the last turns, and their states plus embeddings [length, hidden] each."""
        system = self._system
        rows, answers = [], []
        for conversation in turns:
            asked = prompts.prompt(
                conversation[:-1], system.tokenizer, spans=system.spans, readable=list(system.encoders)
            )
            answers.append(prompts.answer(conversation[-1], system.tokenizer, spans=system.spans))
            rows.append(torch.cat([system.embedded(asked), system.embed(answers[-1])]))
        # Filled on the right: nothing that counts looks there.
        entering = pad_sequence(rows, batch_first=True)
        found = system.model(inputs_embeds=entering, use_cache=False, output_hidden_states=True)
        total = entering.new_zeros(())
        states = []
        for number, (row, said) in enumerate(zip(rows, answers, strict=True)):
            begin = len(row) - len(said)
            wanted = torch.tensor(said, device=entering.device)
            total = total + cross_entropy(found.logits[number, begin - 1 : len(row) - 1].float(), wanted)
            states.append(found.hidden_states[-1][number, begin : len(row)] + row[begin:])
        return total / len(rows), states

    def _denoised(self, kind: Kind, chosen: Sequence[Example], condition: torch.Tensor) -> torch.Tensor:
        decoder = self._system.decoder(kind)
        latents = decoder.latents([example.media[kind] for example in chosen])
        noise = torch.randn(latents.shape).to(latents.device)
        steps = torch.randint(STEPS, (len(latents),)).to(latents.device)
        return decoder.denoising_loss(latents, condition, noise=noise, steps=steps).mean()


def adapted(system: System) -> PeftModel:
    """Return the language model with an adapter that changes nothing yet: LoRA, and rows for the signal tokens."""
    model: Any = system.model
    embedding = next(name for name, module in model.named_modules() if module is model.get_input_embeddings())
    rows: dict[str, list[int]] = {embedding: [token for span in system.spans.values() for token in span]}
    if not model.config.tie_word_embeddings:
        head = next(name for name, module in model.named_modules() if module is model.get_output_embeddings())
        rows[head] = rows[embedding]
    return get_peft_model(  # pyrefly: ignore[bad-return]
        model,
        LoraConfig(
            r=RANK,
            lora_alpha=RANK,
            target_modules=["q_proj", "k_proj", "v_proj", "o_proj"],
            trainable_token_indices=rows,
            task_type="CAUSAL_LM",
        ),
    )


def _reader(system: System, kind: Kind, width: int) -> CaptionEncoder:
    """Return what reads captions beside an encoder while both learn; it is not kept."""
    config = system.config.decoders.get(kind, DecoderConfig())
    return CaptionEncoder(replace(config, condition=Condition(tokens=1, width=width)))


def _said(*parts: Text) -> tuple[Message, Message]:
    return Message(role="user", parts=()), Message(role="assistant", parts=parts)


def _with(example: Example, kind: Kind, medium: Any) -> Example:
    return replace(example, media={kind: medium})

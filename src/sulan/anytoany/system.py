"""A whole system: encoders, language model and decoders joined by projections; on disk a folder, asked by `reply`.

The folder: `config.json`, `language_model/` (a checkpoint of transformers with its tokenizer), `adapter_*` (LoRA in
peft's format, where there is one), `input_projector.safetensors`, `output_projector.KIND.safetensors`, `encoders/` and
`decoders/` with one file of weights for each kind. Not covered: several replies in one batch.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from peft import PeftModel
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, PreTrainedModel, PreTrainedTokenizerBase

from sulan import models
from sulan.anytoany import config as configuration
from sulan.anytoany import prompts, replies, signals
from sulan.anytoany.config import InputConfig, OutputConfig, SystemConfig
from sulan.anytoany.decoders import DiffusionDecoder
from sulan.anytoany.encoders import PatchEncoder
from sulan.anytoany.media import Kind
from sulan.anytoany.messages import Message
from sulan.anytoany.projections import GroupingInput, LinearInput, TransformerOutput
from sulan.anytoany.protocols import Decoder, Encoder, Event, Settings
from sulan.errors import BrokenArtefact, InputError, MissingFile
from sulan.runs import seeds

M = TypeVar("M", bound=nn.Module)

LANGUAGE_MODEL = "language_model"
ADAPTER = "adapter_config.json"
INPUTS = "input_projector.safetensors"


@dataclass(kw_only=True)
class System:
    """What `load` and `create` give; it is a `protocols.Assistant`.

    Attributes
    ----------
    config
        Its shapes.
    model
        The language model, a `PeftModel` where it has an adapter; with the signal tokens.
    tokenizer
        With the signal tokens.
    spans
        Ids of each kind's signal tokens, in order.
    encoders, inputs
        For every kind that it reads.
    outputs
        For every kind that it makes.
    """

    config: SystemConfig
    model: PreTrainedModel | PeftModel
    tokenizer: PreTrainedTokenizerBase
    spans: dict[Kind, tuple[int, ...]]
    encoders: Mapping[Kind, Encoder]
    inputs: Mapping[Kind, nn.Module]
    outputs: Mapping[Kind, nn.Module]
    _open: Callable[[Kind], Decoder]
    _decoders: dict[Kind, Decoder] = field(default_factory=dict)

    @property
    def loaded(self) -> tuple[Kind, ...]:
        """The kinds whose decoder has been loaded."""
        return tuple(self._decoders)

    def decoder(self, kind: Kind) -> Decoder:
        """Return the decoder of a kind, loaded when it is first asked for.

        Raises
        ------
        InputError
            The system makes no such media.
        BrokenArtefact
            Its weights are damaged.
        """
        if kind not in self.config.decoders:
            raise InputError(f"the system makes no {kind}")
        if kind not in self._decoders:
            self._decoders[kind] = self._open(kind)
        return self._decoders[kind]

    def embed(self, tokens: Sequence[int]) -> torch.Tensor:
        """Return the input embeddings [tokens, hidden]."""
        embedding: Any = self.model.get_input_embeddings()
        return embedding(torch.tensor(tokens, device=self.model.device))

    def embedded(self, prompt: prompts.Prompt) -> torch.Tensor:
        """Return a prompt as the language model reads it [length, hidden]; differentiable in the projections."""
        rows = []
        for piece in prompt.pieces:
            if isinstance(piece, tuple):
                rows.append(self.embed(piece))
            else:
                rows.append(self.inputs[piece.kind](self.encoders[piece.kind].encode([piece]))[0])
        return torch.cat(rows)

    def condition(self, kind: Kind, states: torch.Tensor) -> torch.Tensor:
        """Return what steers a decoder [batch, tokens, width].

        Parameters
        ----------
        kind
            What is made.
        states
            Last hidden states of the span plus its input embeddings [batch, signals, hidden].
        """
        made = self.outputs[kind](states)
        if self.config.decoders[kind].condition.form == "pooled":
            return nn.functional.normalize(made, dim=-1)
        return made

    def reply(
        self, messages: Sequence[Message], *, settings: Settings, wanted: Callable[[], bool] = lambda: True
    ) -> Iterator[Event]:
        """Yield the reply as it comes, as the protocol says.

        Raises
        ------
        InputError
            The conversation cannot be read, or leaves no room for a reply.
        """
        return replies.reply(self, messages, settings=settings, wanted=wanted)

    def count(self) -> int:
        """Return the parameters of all parts; the decoders are loaded."""
        decoders: list[Any] = [self.decoder(kind) for kind in self.config.decoders]
        parts: list[Any] = [
            self.model,
            *self.encoders.values(),
            *self.inputs.values(),
            *self.outputs.values(),
        ]
        return sum(weight.numel() for part in parts + decoders for weight in part.parameters())

    def save(self, folder: Path) -> None:
        """Write the system into an existing folder, as `runs.outputs.folder` gives it."""
        configuration.write(self.config, folder)
        base: Any = self.model
        if isinstance(self.model, PeftModel):
            for adapter in self.model.peft_config.values():
                adapter.base_model_name_or_path = LANGUAGE_MODEL  # and not where it once was
            # Asked to find out by itself whether embeddings belong to the adapter, peft would ask the Hub.
            self.model.save_pretrained(str(folder), save_embedding_layers=False)
            base = deepcopy(self.model).unload()  # peft takes its layers out of the model that it is given
        place = folder / LANGUAGE_MODEL
        place.mkdir(exist_ok=True)
        models.save(base, self.tokenizer, place)
        _write(nn.ModuleDict({**self.inputs}), folder / INPUTS)
        for kind, projection in self.outputs.items():
            _write(projection, _output(folder, kind))
        for kind, encoder in self.encoders.items():
            _write(encoder, _part(folder, "encoders", kind))
        for kind in self.config.decoders:
            _write(self.decoder(kind), _part(folder, "decoders", kind))


def create(
    config: SystemConfig, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, seed: int
) -> System:
    """Return a system of a language model and of encoders, decoders and projections with random weights.

    Parameters
    ----------
    config
        Its shapes.
    model, tokenizer
        The language model; they get the signal tokens.
    seed
        The weights depend on this and the shapes alone.

    Raises
    ------
    InputError
        Parts do not meet.
    """
    configuration.check(config, hidden=_hidden(model.config))
    return _assembled(
        config,
        model,
        tokenizer,
        signals.add(model, tokenizer, {kind: end.signals for kind, end in config.outputs.items()}),
        encoders={
            kind: _seeded(seed, f"encoder {kind}", partial(_encoder, config, kind))
            for kind in config.encoders
        },
        inputs={
            kind: _seeded(seed, f"input {kind}", partial(_input, end)) for kind, end in config.inputs.items()
        },
        outputs={
            kind: _seeded(seed, f"output {kind}", partial(_projection, end))
            for kind, end in config.outputs.items()
        },
        open_decoder=lambda kind: _seeded(seed, f"decoder {kind}", partial(_decoder, config, kind)),
    )


def load(folder: Path) -> System:
    """Load a system from its folder; shapes are checked first, and decoders wait until they are asked for.

    Raises
    ------
    MissingFile
        The folder, or a file of it, is not there.
    InputError
        Its parts do not meet.
    BrokenArtefact
        Weights are damaged or of other shapes.
    """
    config = configuration.read(folder)
    place = folder / LANGUAGE_MODEL
    if not (place / configuration.FILE).is_file():
        raise MissingFile(f"{folder} has no language model: {place / configuration.FILE} is missing")
    configuration.check(config, hidden=_hidden(AutoConfig.from_pretrained(place)))
    language = models.load(place, dtype="float32", device="cpu")
    model: PreTrainedModel | PeftModel = language.model
    if (folder / ADAPTER).is_file():
        model = PeftModel.from_pretrained(language.model, str(folder)).eval()
        model.requires_grad_(False)
    with torch.device("meta"):
        inputs = nn.ModuleDict({kind: _input(end) for kind, end in config.inputs.items()})
        outputs = {kind: _projection(end) for kind, end in config.outputs.items()}
    _fill(inputs, folder / INPUTS)
    for kind, projection in outputs.items():
        _fill(projection, _output(folder, kind))
    encoders = {kind: _encoder(config, kind) for kind in config.encoders}
    for kind, encoder in encoders.items():
        _fill(encoder, _part(folder, "encoders", kind))

    def open_decoder(kind: Kind) -> DiffusionDecoder:
        decoder = _decoder(config, kind)
        _fill(decoder, _part(folder, "decoders", kind))
        return decoder.eval().requires_grad_(False)

    return _assembled(
        config,
        model,
        language.tokenizer,
        signals.spans(language.tokenizer, {kind: end.signals for kind, end in config.outputs.items()}),
        encoders=encoders,
        inputs={kind: inputs[kind] for kind in config.inputs},
        outputs=outputs,
        open_decoder=open_decoder,
    )


def _assembled(
    config: SystemConfig,
    model: PreTrainedModel | PeftModel,
    tokenizer: PreTrainedTokenizerBase,
    spans: dict[Kind, tuple[int, ...]],
    *,
    encoders: Mapping[Kind, PatchEncoder],
    inputs: Mapping[Kind, nn.Module],
    outputs: Mapping[Kind, nn.Module],
    open_decoder: Callable[[Kind], DiffusionDecoder],
) -> System:
    for module in (*encoders.values(), *inputs.values(), *outputs.values()):
        module.eval().requires_grad_(False)
    return System(
        config=config,
        model=model,
        tokenizer=tokenizer,
        spans=spans,
        encoders=encoders,
        inputs=inputs,
        outputs=outputs,
        _open=open_decoder,
    )


def _encoder(config: SystemConfig, kind: Kind) -> PatchEncoder:
    return PatchEncoder(kind=kind, config=config.encoders[kind], grid=config.grid)


def _decoder(config: SystemConfig, kind: Kind) -> DiffusionDecoder:
    return DiffusionDecoder(kind=kind, config=config.decoders[kind], grid=config.grid)


def _input(config: InputConfig) -> nn.Module:
    if config.form == "linear":
        return LinearInput(config.width, config.hidden)
    return GroupingInput(
        width=config.width,
        hidden=config.hidden,
        groups=config.groups,
        layers=config.layers,
        heads=config.heads,
    )


def _projection(config: OutputConfig) -> TransformerOutput:
    return TransformerOutput(
        hidden=config.hidden,
        tokens=config.tokens,
        width=config.width,
        inner=config.inner,
        layers=config.layers,
        heads=config.heads,
        feedforward=config.feedforward,
    )


def _seeded(seed: int, part: str, build: Callable[[], M]) -> M:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.key(seed, f"sulan.anytoany.system {part}") % 2**63)
        return build().eval().requires_grad_(False)


def _hidden(config: Any) -> int:
    return config.get_text_config().hidden_size


def _output(folder: Path, kind: Kind) -> Path:
    return folder / f"output_projector.{kind}.safetensors"


def _part(folder: Path, parts: str, kind: Kind) -> Path:
    return folder / parts / f"{kind}.safetensors"


def _write(module: Any, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    save_file({name: weight.contiguous() for name, weight in module.state_dict().items()}, path)


def _fill(module: nn.Module, path: Path) -> None:
    if not path.is_file():
        raise MissingFile(f"{path} is missing from the system")
    try:
        module.load_state_dict(load_file(path), assign=True)
    except (SafetensorError, RuntimeError) as error:
        raise BrokenArtefact(f"{path}: {str(error).splitlines()[-1].strip()}") from error

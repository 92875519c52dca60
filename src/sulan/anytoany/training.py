"""One stage from a data folder to a trained system, with what is measured on the way.

Not covered: devices other than the processor.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from sulan.anytoany import examples, parameters, signals
from sulan.anytoany import system as systems
from sulan.anytoany.config import DecoderConfig, EncoderConfig, InputConfig, OutputConfig, SystemConfig
from sulan.anytoany.descent import Plan, train
from sulan.anytoany.examples import Example
from sulan.anytoany.media import KINDS
from sulan.anytoany.parameters import Row
from sulan.anytoany.stages import Stage, Stages
from sulan.anytoany.system import System
from sulan.models import tiny
from sulan.runs import fingerprints
from sulan.runs.record import Metric

RATES: dict[Stage, float] = {"parts": 2e-3, "encode": 4e-4, "decode": 4e-4, "instruct": 5e-4}
"""v3, table 7; that of `parts` is ours."""

HIDDEN, LAYERS, CONTEXT, VOCABULARY = 128, 4, 512, 600
"""Of the small language model: a million parameters, 0.1 s to 0.3 s a step on two cores."""

_WINDOW = 20
"""Steps whose loss is averaged at the beginning and at the end."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What a stage made.

    Attributes
    ----------
    system
        Trained.
    stage
        Which.
    losses
        Of the steps of this process.
    trained, whole
        Parameters that the stage changed, and all of the system's.
    official
        The parts of the paper's system.
    scale
        Of what was measured.
    """

    system: System
    stage: Stage
    losses: Sequence[float]
    trained: int
    whole: int
    official: list[Row]
    scale: str

    def metrics(self) -> list[Metric]:
        """Return what is recorded."""
        paper = "7B Llama on the meta device, sizes of encoder and decoders as stated"
        sizes = ", ".join(f"{row.count / 1e6:.2f}M" for row in self.official if row.trained)
        spans = ", ".join(f"{len(span)} {kind}" for kind, span in self.system.spans.items())
        found = [
            Metric(name="parameters.trained", value=self.trained, scale=self.scale),
            Metric(name="parameters.all", value=self.whole, scale=self.scale),
            Metric(
                name="parameters.trainable.share",
                value=round(parameters.share(self.official), 5),
                scale=paper,
                claim="trainable-share",
            ),
            Metric(name="parameters.trainable.count", value=sizes, scale=paper, claim="projection-size"),
            Metric(name="tokens.signal", value=f"{spans} tokens", scale=self.scale, claim="signal-tokens"),
        ]
        if self.losses:
            found += [
                Metric(name="loss.first", value=round(fmean(self.losses[:_WINDOW]), 4), scale=self.scale),
                Metric(name="loss.last", value=round(fmean(self.losses[-_WINDOW:]), 4), scale=self.scale),
            ]
        return found


def run(
    data: Path,
    *,
    system: Path | None,
    stage: Stage,
    steps: int,
    batch: int,
    rate: float | None,
    seed: int,
    work: Path,
) -> Trained:
    """Train a stage; see the verb `train`."""
    read = examples.read(data)
    learner = small(read, seed=seed) if system is None else systems.load(system)
    stages = Stages(learner, read, stage=stage, batch=batch, seed=seed)
    weights = stages.weights()
    plan = Plan(steps=steps, rate=RATES[stage] if rate is None else rate, seed=seed)
    about = {
        "stage": stage,
        "steps": steps,
        "batch": batch,
        "rate": plan.rate,
        "seed": seed,
        "data": fingerprints.path(data),
        "system": "" if system is None else fingerprints.path(system),
    }
    losses = train(weights, stages.loss, plan=plan, about=about, work=work, label=f"train {stage}")
    return Trained(
        system=learner,
        stage=stage,
        losses=losses,
        trained=sum(weight.numel() for name, weight in weights.items() if not name.startswith("reader.")),
        whole=learner.count(),
        official=parameters.official(),
        scale=f"small system, {len(read)} examples, {steps} steps of {batch}",
    )


def small(read: Sequence[Example], *, seed: int) -> System:
    """Return a small system with random weights; its tokenizer is made of the examples' texts."""
    texts = [example.caption for example in read]
    texts += [
        part.text
        for example in read
        for message in example.messages
        for part in message.parts
        if hasattr(part, "text")
    ]
    words = tiny.tokenizer(texts, vocabulary=VOCABULARY, context=CONTEXT)
    model = tiny.llama(
        vocabulary=len(words), layers=LAYERS, width=HIDDEN, heads=4, hidden=352, context=CONTEXT, seed=seed
    )
    encoder, decoder = EncoderConfig(), DecoderConfig()
    config = SystemConfig(
        encoders={kind: encoder for kind in KINDS},
        inputs={kind: InputConfig(width=encoder.width, hidden=HIDDEN) for kind in KINDS},
        decoders={kind: decoder for kind in KINDS},
        outputs={
            kind: OutputConfig(
                signals=signals.COUNTS[kind],
                hidden=HIDDEN,
                tokens=decoder.condition.tokens,
                width=decoder.condition.width,
                inner=64,
                layers=2,
                feedforward=256,
            )
            for kind in KINDS
        },
    )
    return systems.create(config, model, words, seed=seed)

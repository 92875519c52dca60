"""The learning rate as a function of the step."""

import math

from sulan.training.config import TrainingConfig


def learning_rate(step: int, config: TrainingConfig) -> float:
    """Return the learning rate of a step.

    With peak `r`, warm-up `w`, `n` steps, end `f` and `t = (step - w) / (n - w)`: during the warm-up
    `r (step + 1) / (w + 1)`, after it `r (f + (1 - f) g)` where `g` is 1 (constant), `1 - t` (linear),
    `(1 + cos(pi t)) / 2` (cosine), or `1 - sqrt(u)` over the last `decay n` steps, `u` rising from 0 (stable).

    Parameters
    ----------
    step
        Number of the step, from 0.
    config
        Peak, schedule and its settings.

    Examples
    --------
    >>> config = TrainingConfig(steps=100, batch=1, context=8, learning_rate=1.0, schedule="cosine", warmup=4)
    >>> [round(learning_rate(step, config), 3) for step in (0, 3, 4, 52, 99)]
    [0.2, 0.8, 1.0, 0.5, 0.0]
    """
    if step < config.warmup:
        return config.learning_rate * (step + 1) / (config.warmup + 1)
    time = (step - config.warmup) / max(1, config.steps - config.warmup)
    match config.schedule:
        case "linear":
            share = 1 - time
        case "cosine":
            share = (1 + math.cos(math.pi * time)) / 2
        case "stable":
            falling = config.decay * config.steps
            passed = step - (config.steps - falling)
            share = 1 - math.sqrt(passed / falling) if passed > 0 else 1.0
        case _:
            return config.learning_rate
    return config.learning_rate * (config.final + (1 - config.final) * share)

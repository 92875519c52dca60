"""The tables of docs/quantize.md: the benchmark beside auto-round, and the exports, from their run records."""

from pathlib import Path
from typing import Any

from sulan.runs import record

RECORDS = Path(__file__).parent / "records"

LATER = "Not recorded yet; `benchmarks/records/quantize-exports/README.md` has the commands."

METHODS = {
    "ours": "Sulan",
    "ours.more_steps": "Sulan, more steps",
    "autoround": "auto-round",
    "searched": "searched grids, no steps",
    "nearest": "round to nearest",
}


def beside_auto_round() -> str:
    """Return cost and divergence of every method, with the machine, the command and the scale of each model."""
    return "\n\n".join(
        _beside(record.read(RECORDS / name), model=model)
        for name, model in (("quantize", "smollm2"), ("quantize-trained", "trained"))
    )


def _beside(made: dict[str, Any], *, model: str) -> str:
    found = {metric["name"]: metric for metric in made["metrics"]}
    machine, config = made["environment"], made["config"]
    options = " ".join(
        f"--{name} {_words(config[name])}" for name in ("only", "samples", "tokens", "steps", "batch")
    )
    lines = [
        f"Measured on {made['end'][:10]} with `python benchmarks/quantize.py {options}`, {machine['cpu']}, one "
        f"thread, Python {machine['python']}.",
    ]
    for label in (label for label in config["only"] if label.startswith(model)):
        scale = found[f"{label}.kl.ours"]["scale"]
        lines += [
            "",
            f"{scale}; the teacher in bfloat16 instead of float32: KL {found[f'{label}.kl.floor']['value']}.",
            "",
            "| | KL, nats | CPU-s | peak MB | times less CPU | KL, times auto-round's | difference of KL, 95 % |",
            "| --- | --- | --- | --- | --- | --- | --- |",
        ]
        for key, name in METHODS.items():
            if f"{label}.kl.{key}" not in found:
                continue
            own = [found[f"{label}.{what}.{key}"]["value"] for what in ("kl", "cpu", "peak_mb")]
            beside = [
                found[f"{label}.{what}.{key}"]["value"] if f"{label}.{what}.{key}" in found else ""
                for what in ("cpu.ratio", "kl.ratio", "kl.difference")
            ]
            lines.append(f"| {name} | {' | '.join(map(str, [*own, *beside]))} |")
    return "\n".join(lines)


def _words(value: int | list[str]) -> str:
    return " ".join(value) if isinstance(value, list) else str(value)


def exports() -> str:
    """Return every export's size, speed and agreement with its source."""
    if not list((RECORDS / "quantize-exports").glob("*-*")):
        return LATER
    lines = ["| export of | format | MB | read back by | found |", "| --- | --- | --- | --- | --- |"]
    for folder in sorted((RECORDS / "quantize-exports").glob("*-*")):
        made = record.read(folder)
        if made["verb"] != "quantize export":
            continue
        source, kind = folder.name.split("-", 1)
        size = next(m["value"] for m in made["metrics"] if m["name"].startswith("size.mb."))
        for metric in made["metrics"]:
            if metric["name"].startswith("check."):
                reader = metric["name"].split(".", 2)[2].replace("_", " ")
                lines.append(
                    f"| {source} | {kind} | {size} | {reader} | {metric['scale']}: {metric['value']:.2g} |"
                )
    return "\n".join(lines)


def decoding() -> str:
    """Return tokens decoded a second by every export beside the teacher in transformers."""
    if not (RECORDS / "quantize-exports" / "w4-measured").is_dir():
        return LATER
    made = record.read(RECORDS / "quantize-exports" / "w4-measured")
    found = {metric["name"]: metric["value"] for metric in made["metrics"]}
    lines = ["| file | MB | tokens a second |", "| --- | --- | --- |"]
    start = "decode.tokens_per_second."
    for name, value in found.items():
        if name.startswith(start):
            what = name.removeprefix(start)
            lines.append(f"| {what} | {found.get(f'size.mb.{what}', '')} | {value} |")
    return "\n".join(lines)


EMBEDDING = 49_152 * 576
"""Weights of SmolLM2's embedding, which a budget of size stores in 8.25 bits and the uniform run keeps in float32."""


def sized() -> str:
    """Return size and divergence of the model made for 70 MB, beside uniform bits.

    The uniform one counts with its embedding at 8 bit, though it was measured with the unrounded one.
    """
    if not (RECORDS / "quantize-exports" / "u3-measured").is_dir():
        return LATER
    lines = ["| | MB | bits a weight | KL, nats | scale |", "| --- | --- | --- | --- | --- |"]
    for name, what in (("s70", "`--max-size-mb 70`"), ("u3", "`--bits 3 --group-size -1`")):
        run, measured = (
            record.read(RECORDS / "quantize-exports" / own) for own in (name, f"{name}-measured")
        )
        made = {metric["name"]: metric for metric in run["metrics"]}
        kl = next(metric for metric in measured["metrics"] if metric["name"] == "kl.mean")
        size = made["size.mb"]["value"] - (EMBEDDING * (4 - 8.25 / 8) / 1e6 if name == "u3" else 0)
        bits, scale = made["bits.average"]["value"], f"{made['size.mb']['scale']}; {kl['scale']}"
        lines.append(f"| {what} | {size:.2f} | {bits} | {kl['value']} | {scale} |")
    return "\n".join(lines)

"""An adapter for llama.cpp, read by llama.cpp."""

import importlib.util
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sulan
from sulan.models import builtin
from sulan.tune import students
from sulan.tune import task as tasks
from sulan.tune.fiat import Fiat
from sulan.tune.settings import Adapter
from tune.small_tasks import task

LIKELIEST = 5
ROUNDING = 0.2
"""Nats that llama.cpp's whole-number activations may move log-probabilities by in the mean."""


def serve(adapter: Path | None) -> Any:
    xllamacpp = import_module("xllamacpp")  # compiled, without types
    params = xllamacpp.CommonParams()
    params.model.path = str(builtin.smollm2())
    params.n_ctx = 512
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    params.n_parallel = 1
    params.warmup = False
    params.verbosity = 0
    if adapter:
        params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(adapter), 1.0)]
    return xllamacpp.Server(params)


def likeliest(server: Any, prompt: np.ndarray) -> dict[int, float]:
    body = {"prompt": prompt.tolist(), "max_tokens": 1, "temperature": 1.0, "logprobs": LIKELIEST, "seed": 1}
    found = server.handle_completions({**body, "n_predict": 1, "n_probs": LIKELIEST})
    (told,) = found["choices"][0]["logprobs"]["content"]
    return {each["id"]: each["logprob"] for each in told["top_logprobs"]}


@pytest.mark.xdist_group("smollm2")
@pytest.mark.skipif(importlib.util.find_spec("xllamacpp") is None, reason="needs the extra gguf")
def test_llama_cpp_says_with_the_adapter_what_the_tuned_model_says(smollm2, tmp_path):
    read = tasks.read(task(tmp_path / "task"))
    student = students.equip(smollm2, kind="lora", adapter=Adapter(top=3, rank=4), dtype="float32", seed=0)
    draw = torch.Generator().manual_seed(0)
    before = {name: each.detach().clone() for name, each in student.tuned.items()}
    with torch.no_grad():
        for name, each in student.tuned.items():
            if "lora_B" in name:
                each.copy_(0.6 * torch.randn(each.shape, generator=draw))
    fiat = Fiat(
        task=read,
        student="smollm2",
        fingerprint=smollm2.fingerprint,
        kind="lora",
        instructions=True,
        reasons=False,
        teacher="",
        identity="",
        words="",
        teaching={},
    )
    prompts = [
        prompt
        for prompt, _ in students.prompt_tokens(
            student, read, [each.input for each in read.split("test")[:4]], [""] * 4, instructions=True
        )
    ]
    try:
        with torch.no_grad():
            ours = student.halves.above(prompts, [np.array([len(prompt) - 1]) for prompt in prompts])
        ours = ours.double().log_softmax(-1).numpy()
        (tmp_path / "tuned").mkdir()
        students.save(student, fiat, tmp_path / "tuned")
    finally:
        students.restore(student, before)
    sulan.tune.export(tmp_path / "tuned", format="gguf", out=tmp_path / "exported")
    with_adapter, without = serve(tmp_path / "exported" / "adapter.gguf"), serve(None)
    errors, moved = [], []
    for prompt, row in zip(prompts, ours, strict=True):
        errors += [abs(row[token] - chance) for token, chance in likeliest(with_adapter, prompt).items()]
        moved += [abs(row[token] - chance) for token, chance in likeliest(without, prompt).items()]
    assert np.mean(errors) < ROUNDING
    assert np.mean(moved) > 5 * np.mean(errors)

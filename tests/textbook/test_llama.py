"""A pretrained model, read by llama.cpp."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

from textbook import small

pytest.importorskip("gguf")
pytest.importorskip("xllamacpp")

PROMPTS = ("A cat has 3", "Every owl counts", "A bee has 12 friends.", "Naïve: 速览")
TOKENS = 24


def test_llama_cpp_writes_what_transformers_writes(tmp_path: Path) -> None:
    from sulan.quantize.formats.llama import server
    from textbook import phi_gguf

    small.pretrain(small.corpus(tmp_path / "corpus"), out=tmp_path / "model", steps=150, checkpoint_every=0)
    phi_gguf.write(tmp_path / "model", tmp_path / "model.gguf")
    running = server(tmp_path / "model.gguf", context=64)
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    tokenizer = PreTrainedTokenizerFast.from_pretrained(tmp_path / "model")
    ours, theirs = [], []
    for prompt in PROMPTS:
        ids = torch.tensor([tokenizer(prompt).input_ids])
        with torch.no_grad():
            written = model.generate(
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=False,
                max_new_tokens=TOKENS,
                pad_token_id=0,
            )
        ours.append(tokenizer.decode(written[0, ids.shape[1] :], skip_special_tokens=True))
        body = {"prompt": prompt, "max_tokens": TOKENS, "n_predict": TOKENS, "temperature": 0.0}
        theirs.append(running.handle_completions(body)["choices"][0]["text"])
    assert theirs == ours
    assert "friends" in ours[0]  # it has learned something, so the likeliest token is no toss-up

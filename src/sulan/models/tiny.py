"""Small seeded models and tokenizers: real architectures with random weights, for tests and small experiments.

The same arguments give the same weights, whatever was drawn before, and the caller's random state stays as it
was. Not covered: architectures other than Llama, OPT and Phi.
"""

import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from pydoc_data import topics

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    OPTConfig,
    OPTForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)

from sulan.models.saving import save
from sulan.runs import folders, seeds

NAME = "tiny"
"""What `load` knows the checkpoint below by."""

FORMAT = 1
"""Raised when that checkpoint changes."""

END_OF_TEXT = "<|endoftext|>"
"""Token 0 of every tokenizer made here: beginning and end of a document."""


def llama(
    *,
    vocabulary: int = 512,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    key_value_heads: int = 2,
    hidden: int = 176,
    context: int = 256,
    tied: bool = True,
    seed: int = 0,
) -> PreTrainedModel:
    """Return a Llama-shaped model (RMSNorm, rotary positions, SwiGLU, grouped queries) with random weights.

    Parameters
    ----------
    vocabulary
        Rows of the embedding; at least the tokenizer's tokens.
    layers, width, heads, key_value_heads, hidden
        Its shape; `width` is divided among `heads`, `hidden` is the width inside a feed-forward block.
    context
        Longest sequence in tokens.
    tied
        Whether the head shares the embedding's weights.
    seed
        The weights depend on this and the shape alone.
    """
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=context,
        tie_word_embeddings=tied,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )
    return _build(LlamaForCausalLM, config, seed)


def opt(
    *,
    vocabulary: int = 512,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    hidden: int = 256,
    context: int = 256,
    tied: bool = True,
    seed: int = 0,
) -> PreTrainedModel:
    """Return an OPT-shaped model (LayerNorm first, learned positions, ReLU) with random weights.

    Parameters are those of `llama`.
    """
    config = OPTConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        word_embed_proj_dim=width,
        ffn_dim=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=context,
        tie_word_embeddings=tied,
        dropout=0.0,
        bos_token_id=0,
        eos_token_id=0,
        pad_token_id=None,
    )
    return _build(OPTForCausalLM, config, seed)


def phi(
    *,
    vocabulary: int = 512,
    layers: int = 2,
    width: int = 64,
    heads: int = 4,
    hidden: int = 256,
    context: int = 256,
    rotary: float = 0.5,
    seed: int = 0,
) -> PreTrainedModel:
    """Return a Phi-shaped model (parallel blocks, part of a head rotary, GELU, head with bias).

    Parameters
    ----------
    vocabulary, layers, width, heads, hidden, context, seed
        As in `llama`. The head is never tied: it has a bias, which llama.cpp and vLLM expect untied.
    rotary
        Share of each head that is turned by the rotary embedding; phi-1.5 has 32 of 64 (2309.05463).
    """
    config = PhiConfig(
        vocab_size=vocabulary,
        hidden_size=width,
        intermediate_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        max_position_embeddings=context,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0, "partial_rotary_factor": rotary},
        tie_word_embeddings=False,
        bos_token_id=0,  # the class's own defaults, 1 and 2, are wrong for every published Phi tokenizer
        eos_token_id=0,
        pad_token_id=None,
    )
    return _build(PhiForCausalLM, config, seed)


def tokenizer(
    texts: Iterable[str],
    *,
    vocabulary: int = 512,
    special: Iterable[str] = (END_OF_TEXT,),
    context: int = 256,
) -> PreTrainedTokenizerFast:
    """Train a byte-level BPE on texts; every text can be encoded, and decoding gives it back.

    Parameters
    ----------
    texts
        What the merges are learned from; the same texts give the same tokenizer.
    vocabulary
        Tokens at most; at least 256 bytes and the special tokens.
    special
        Special tokens, in order from token 0; the first begins and ends documents. Encoding adds none.
    context
        What the tokenizer says is the longest sequence.
    """
    names = list(special)
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    made.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=names,
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        bos_token=names[0],
        eos_token=names[0],
        model_max_length=context,
        clean_up_tokenization_spaces=False,
    )


def checkpoint() -> Path:
    """Return a checkpoint folder in the user's cache: a Llama of two blocks with random weights.

    Its tokenizer is trained on the language reference that comes with Python. Too small to say anything, large enough
    to show every verb in seconds without a network.
    """
    place = folders.cache() / "models" / f"{NAME}-{FORMAT}"
    if not place.is_dir():
        aside = place.with_name(f".{place.name}.{os.getpid()}")
        aside.mkdir(parents=True)
        try:
            reference = (topics.topics[name] for name in sorted(topics.topics))
            words = tokenizer(reference, vocabulary=512, context=2048)
            save(llama(width=64, hidden=160, layers=2, context=2048), words, aside)
            if not place.is_dir():  # another process may have been faster
                aside.rename(place)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    return place


def _build(kind: type[PreTrainedModel], config: PreTrainedConfig, seed: int) -> PreTrainedModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seeds.key(seed, f"sulan.models.tiny {kind.__name__}") % 2**63)
        return kind(config).eval()

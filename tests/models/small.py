"""Small models of many architectures with weights large enough that a wrong mask or position shows."""

import torch
import transformers
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from sulan.models import LanguageModel, tiny
from sulan.models.loading import tokenizer_fingerprint

VOCABULARY = 300
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 128,
    "max_position_embeddings": 512,
    "bos_token_id": 0,
    "eos_token_id": 0,
    "pad_token_id": 0,
}
GROUPED = SHAPE | {"num_key_value_heads": 2, "head_dim": 16}
OLD = {"vocab_size": VOCABULARY, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512}

ARCHITECTURES = {
    "llama": ("packed", "LlamaForCausalLM", "LlamaConfig", GROUPED),
    "opt": (
        "packed",
        "OPTForCausalLM",
        "OPTConfig",
        {
            "vocab_size": VOCABULARY,
            "hidden_size": 64,
            "ffn_dim": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "max_position_embeddings": 512,
            "word_embed_proj_dim": 32,
        },
    ),
    "phi": ("packed", "PhiForCausalLM", "PhiConfig", SHAPE),
    "gpt2": ("packed", "GPT2LMHeadModel", "GPT2Config", OLD | {"bos_token_id": 0, "eos_token_id": 0}),
    "neox": ("packed", "GPTNeoXForCausalLM", "GPTNeoXConfig", SHAPE),
    "qwen3": ("packed", "Qwen3ForCausalLM", "Qwen3Config", GROUPED),
    "gemma2": (
        "packed",
        "Gemma2ForCausalLM",
        "Gemma2Config",
        GROUPED | {"sliding_window": 50, "final_logit_softcapping": 3.0, "attn_logit_softcapping": 2.0},
    ),
    "gemma3": ("packed", "Gemma3ForCausalLM", "Gemma3TextConfig", GROUPED | {"sliding_window": 50}),
    "mistral": ("packed", "MistralForCausalLM", "MistralConfig", GROUPED | {"sliding_window": 40}),
    "granite": ("packed", "GraniteForCausalLM", "GraniteConfig", GROUPED | {"logits_scaling": 2.0}),
    "cohere": ("packed", "CohereForCausalLM", "CohereConfig", SHAPE | {"num_key_value_heads": 2}),
    "gpt_oss": (
        "single",
        "GptOssForCausalLM",
        "GptOssConfig",
        GROUPED
        | {
            "num_local_experts": 4,
            "num_experts_per_tok": 2,
            "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
        },
    ),
    "bloom": (
        "single",
        "BloomForCausalLM",
        "BloomConfig",
        {"vocab_size": VOCABULARY, "hidden_size": 64, "n_layer": 2, "n_head": 4},
    ),
}
"""Name -> the way its windows go, class, configuration's class and arguments."""

TEXTS = (
    "The quick brown fox jumps over the lazy dog.",
    "速览：读今天的论文，跑其中的方法。",
    "def f(x):\n\treturn x  # naïve\n\n\nprint(f(3.14))",
    "a <|endoftext|> that was written out",
)


def build(name: str) -> PreTrainedModel:
    """Return one of the architectures, seeded, with weights five times the usual size."""
    _, kind, configuration, arguments = ARCHITECTURES[name]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        made = getattr(transformers, kind)(getattr(transformers, configuration)(**arguments)).eval()
        with torch.no_grad():
            for parameter in made.parameters():
                if parameter.dim() > 1:
                    parameter.mul_(5)
    return made


def wrap(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase | None = None) -> LanguageModel:
    """Return a model as `load` would give it, with a byte-level tokenizer."""
    found = tokenizer or tiny.tokenizer(TEXTS, vocabulary=260)
    return LanguageModel(
        model=model,
        tokenizer=found,
        name="small",
        fingerprint="",
        tokenizer_fingerprint=tokenizer_fingerprint(found),
        context=256,
    )

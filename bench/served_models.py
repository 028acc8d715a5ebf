"""Models that served tables name: presets, formats, and configurations of those that have no preset."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import infersim as sim
from infersim.workload.transformer import Transformer

PRESETS = {
    "Qwen/Qwen3-32B": "qwen3-32b",
    "meta-llama/Llama-3.1-8B-Instruct": "llama-3.1-8b",
    "meta-llama/Llama-3.1-70B": "llama-3.1-70b",
    "MiniMaxAI/MiniMax-M2.5": "minimax-m2.5",
    "Qwen/Qwen3-235B-A22B-FP8": "qwen3-235b-a22b",
    "openai/gpt-oss-120b": "gpt-oss-120b",
    "moonshotai/Kimi-K2.5": "kimi-k2",
    "Llama3.2-1B": "llama-3.2-1b",
    "Llama3.2-3B": "llama-3.2-3b",
    "Qwen2.5-7B": "qwen2.5-7b",
    "Qwen2.5-14B": "qwen2.5-14b",
}
FORMATS = {"fp8": "fp8", "nvfp4": "nvfp4", "fp8_block": "fp8_block", "int4_wo": "w4a16"}
"""`gemm_quant_mode` -> dtype; empty: 16 bit."""

OWN_FORMATS = {"gpt-oss-120b": None, "qwen3-235b-a22b": "fp8_block"}
BLOCKS_OF_8_BIT = ("minimax-m2.5",)
"""What checkpoints state, whatever the table calls it; models whose fp8 is that of blocks."""

QWEN_SIZES = {
    "qwen2.5-0.5b": (896, 4864, 24, 14, 2),
    "qwen2.5-1.5b": (1536, 8960, 28, 12, 2),
}
"""Hidden size, FFN width, layers, heads, KV heads."""


def format_of(model: str, mode: str) -> str | None:
    """The dtype of a row; None where the model's file states it."""
    if model in OWN_FORMATS:
        return OWN_FORMATS[model]
    dtype = FORMATS.get(mode, "bf16")
    return "fp8_block" if dtype == "fp8" and model in BLOCKS_OF_8_BIT else dtype


@cache
def model_of(name: str) -> Transformer:
    """A preset, or one of QWEN_SIZES."""
    return sim.load_model(name if name not in QWEN_SIZES else _config(name))


def _config(name: str) -> Path:
    """The configuration of a Qwen 2.5 model that has no preset, as a file."""
    hidden, width, layers, heads, kv_heads = QWEN_SIZES[name]
    keys = {
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "vocab_size": 151936,
        "max_position_embeddings": 32768,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": True,
        "hidden_size": hidden,
        "intermediate_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
    }
    file = Path(mkdtemp()) / f"{name}.json"
    file.write_text(json.dumps(keys), encoding="utf-8")
    return file

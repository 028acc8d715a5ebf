"""Sizes of published models of each model type, and small ones, by our names of keys.

The published ones are facts from model cards: dimensions only, written by hand.
"""

from __future__ import annotations

from typing import Any


def sizes(
    hidden: int,
    width: int | None,
    layers: int,
    heads: int,
    kv_heads: int | None,
    vocab: int,
    positions: int,
    **more: Any,
) -> dict[str, Any]:
    """Sizes by our names; None is left out."""
    found = {
        "hidden_size": hidden,
        "intermediate_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv_heads,
        "vocab_size": vocab,
        "max_position_embeddings": positions,
        **more,
    }
    return {key: value for key, value in found.items() if value is not None}


PUBLISHED: list[tuple[str, str, dict[str, Any]]] = [
    ("llama", "Llama-7B", sizes(4096, 11008, 32, 32, None, 32000, 2048)),
    ("llama", "Llama-3.2-1B", sizes(2048, 8192, 16, 32, 8, 128256, 131072, tie_word_embeddings=True)),
    ("llama", "Llama-3.1-8B", sizes(4096, 14336, 32, 32, 8, 128256, 131072)),
    ("mistral", "Mistral-7B-v0.1", sizes(4096, 14336, 32, 32, 8, 32000, 32768, sliding_window=4096)),
    ("mistral", "Mistral-Nemo", sizes(5120, 14336, 40, 32, 8, 131072, 131072, head_dim=128)),
    ("ministral", "Ministral-8B", sizes(4096, 12288, 36, 32, 8, 131072, 32768, head_dim=128)),
    ("ministral3", "Ministral-3-8B", sizes(4096, 14336, 34, 32, 8, 131072, 262144, head_dim=128)),
    ("qwen2", "Qwen2.5-7B", sizes(3584, 18944, 28, 28, 4, 152064, 131072)),
    ("qwen2", "Qwen2.5-0.5B", sizes(896, 4864, 24, 14, 2, 151936, 32768, tie_word_embeddings=True)),
    ("qwen3", "Qwen3-8B", sizes(4096, 12288, 36, 32, 8, 151936, 40960, head_dim=128)),
    ("qwen3", "Qwen3-0.6B", sizes(1024, 3072, 28, 16, 8, 151936, 40960, tie_word_embeddings=True)),
    ("phi", "Phi-2", sizes(2560, 10240, 32, 32, 32, 51200, 2048)),
    ("phi3", "Phi-3-mini", sizes(3072, 8192, 32, 32, 32, 32064, 4096, sliding_window=2047)),
    ("phi3", "Phi-4", sizes(5120, 17920, 40, 40, 10, 100352, 16384)),
    ("gemma", "Gemma-2B", sizes(2048, 16384, 18, 8, 1, 256000, 8192, head_dim=256)),
    ("gemma2", "Gemma-2-9B", sizes(3584, 14336, 42, 16, 8, 256000, 8192, head_dim=256)),
    ("gemma3_text", "Gemma-3-1B", sizes(1152, 6912, 26, 4, 1, 262144, 32768, sliding_window=512)),
    (
        "opt",
        "OPT-350M",
        sizes(1024, 4096, 24, 16, None, 50272, 2048, embedding_size=512, do_layer_norm_before=False),
    ),
    ("opt", "OPT-6.7B", sizes(4096, 16384, 32, 32, None, 50272, 2048)),
    ("gpt2", "GPT-2 XL", sizes(1600, None, 48, 25, None, 50257, 1024)),
    ("gpt_bigcode", "SantaCoder", sizes(2048, 8192, 24, 16, None, 49280, 2048)),
    ("gpt_neo", "GPT-Neo-1.3B", sizes(2048, 8192, 24, 16, None, 50257, 2048)),
    ("gpt_neox", "GPT-NeoX-20B", sizes(6144, 24576, 44, 64, None, 50432, 2048)),
    ("gpt_neox", "Pythia-1.4B", sizes(2048, 8192, 24, 16, None, 50304, 2048)),
    ("gptj", "GPT-J-6B", sizes(4096, None, 28, 16, None, 50400, 2048)),
    ("codegen", "CodeGen-2B", sizes(2560, None, 32, 32, None, 51200, 2048)),
    ("falcon", "Falcon-7B", sizes(4544, None, 32, 71, None, 65024, 2048, multi_query=True)),
    (
        "falcon",
        "Falcon-40B",
        sizes(8192, None, 60, 128, None, 65024, 2048, new_decoder_architecture=True, num_kv_heads=8),
    ),
    (
        "falcon",
        "Falcon-RW-1B",
        sizes(
            2048,
            None,
            24,
            32,
            None,
            50304,
            2048,
            multi_query=False,
            parallel_attn=False,
            alibi=True,
            bias=True,
        ),
    ),
    ("bloom", "BLOOM-7B1", sizes(4096, None, 30, 32, None, 250880, 2048)),
    ("mpt", "MPT-7B", sizes(4096, None, 32, 32, None, 50432, 2048)),
    ("stablelm", "StableLM-2-1.6B", sizes(2048, 5632, 24, 32, 32, 100352, 4096, use_qkv_bias=True)),
    (
        "stablelm",
        "StableLM-2-12B",
        sizes(5120, 13824, 40, 32, 8, 100352, 4096, qk_layernorm=True, use_parallel_residual=True),
    ),
    ("starcoder2", "StarCoder2-7B", sizes(4608, 18432, 32, 36, 4, 49152, 16384, sliding_window=4096)),
    ("olmo", "OLMo-7B", sizes(4096, 11008, 32, 32, 32, 50304, 2048)),
    ("olmo2", "OLMo-2-7B", sizes(4096, 11008, 32, 32, 32, 100352, 4096)),
    ("olmo3", "OLMo-3-7B", sizes(4096, 11008, 32, 32, 32, 100278, 65536)),
    ("granite", "Granite-3.1-8B", sizes(4096, 12800, 40, 32, 8, 49155, 131072, tie_word_embeddings=True)),
    ("smollm3", "SmolLM3-3B", sizes(2048, 11008, 36, 16, 4, 128256, 65536)),
    ("cohere", "Command R", sizes(8192, 22528, 40, 64, 64, 256000, 131072)),
    ("cohere", "Command R+", sizes(12288, 33792, 64, 96, 8, 256000, 131072, use_qk_norm=True)),
    ("cohere2", "Command R7B", sizes(4096, 14336, 32, 32, 8, 256000, 8192)),
    ("glm", "GLM-4-9B", sizes(4096, 13696, 40, 32, 2, 151552, 131072)),
    ("glm4", "GLM-4-32B-0414", sizes(6144, 23040, 61, 48, 2, 151552, 32768, attention_bias=False)),
    ("exaone", "EXAONE-3.5-7.8B", sizes(4096, 14336, 32, 32, 8, 102400, 32768)),
    ("exaone4", "EXAONE-4-32B", sizes(5120, 27392, 64, 40, 8, 102400, 131072, head_dim=128)),
    ("internlm3", "InternLM3-8B", sizes(4096, 10240, 48, 32, 2, 128512, 32768, head_dim=128)),
    ("nemotron", "Minitron-4B", sizes(3072, 9216, 32, 24, 8, 256000, 4096, head_dim=128)),
    ("nemotron", "Nemotron-4-340B", sizes(18432, 73728, 96, 96, 8, 256000, 4096)),
    ("arcee", "AFM-4.5B", sizes(2560, 18432, 36, 20, 4, 128004, 65536, head_dim=128)),
    ("helium", "Helium-1-2B", sizes(2560, 7040, 24, 20, 20, 48000, 4096, head_dim=128)),
    ("seed_oss", "Seed-OSS-36B", sizes(5120, 27648, 64, 80, 8, 155136, 524288, head_dim=128)),
    ("ernie4_5", "ERNIE-4.5-0.3B", sizes(1024, 3072, 18, 16, 2, 103424, 131072, head_dim=128)),
    ("hunyuan_v1_dense", "Hunyuan-7B", sizes(4096, 14336, 32, 32, 8, 128167, 32768, head_dim=128)),
    ("cwm", "CWM-32B", sizes(6144, 21504, 64, 48, 8, 128256, 131072, head_dim=128)),
    ("persimmon", "Persimmon-8B", sizes(4096, 16384, 36, 64, None, 262144, 16384)),
    ("jais2", "Jais-2-8B", sizes(3328, 26624, 32, 26, 26, 150272, 8192)),
]
"""Model type, name, sizes."""

MODEL_TYPES = sorted({model_type for model_type, *_ in PUBLISHED})

_UNGROUPED = {
    "opt",
    "gpt2",
    "gpt_bigcode",
    "gpt_neo",
    "gpt_neox",
    "gptj",
    "codegen",
    "falcon",
    "bloom",
    "mpt",
    "persimmon",
}
_FOUR_TIMES_HIDDEN = {"bloom", "mpt"}
_ODD: dict[str, dict[str, Any]] = {
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "window_size": 16},
    "opt": {"embedding_size": 96},
    "gptj": {"rotary_dim": 16},
    "codegen": {"rotary_dim": 16},
}


def small(model_type: str) -> dict[str, Any]:
    """Two layers whose sizes are all different, so that no two can be mistaken."""
    grouped = model_type not in _UNGROUPED
    # StableLM's and others' o is hidden x hidden: heads x head size must be hidden.
    found = sizes(
        160,
        None if model_type in _FOUR_TIMES_HIDDEN else 352,
        2,
        # CodeGen splits its heads over four.
        4,
        2 if grouped else None,
        512,
        128,
        **_ODD.get(model_type, {}),
    )
    return found | ({"head_dim": 40} if grouped else {})

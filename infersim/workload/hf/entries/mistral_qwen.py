"""Mistral, Qwen, Phi-3 and CWM: Llama's blocks with sliding windows."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.hf.entries.rules import partly_rotary
from infersim.workload.hf.layers import patterns
from infersim.workload.sublayers.norms import QkNorm

MISTRAL = Architecture(
    model_type="mistral",
    classes=("Mistral",),
    defaults=defaults(
        vocab=32000, hidden=4096, width=14336, layers=32, heads=32, kv_heads=8, positions=131072,
        sliding_window=4096, layer_types=None,
    ),
    windows=patterns.one_window,
)  # fmt: skip

QWEN2 = Architecture(
    model_type="qwen2",
    classes=("Qwen2",),
    defaults=defaults(
        vocab=151936, hidden=4096, width=22016, layers=32, heads=32, kv_heads=32, positions=32768,
        use_sliding_window=False, sliding_window=4096, max_window_layers=28, layer_types=None,
    ),
    qkv_bias=True,
    windows=patterns.windows_where_used,
)  # fmt: skip

QWEN3 = Architecture(
    model_type="qwen3",
    classes=("Qwen3",),
    defaults={**QWEN2.defaults, "head_dim": 128, "attention_bias": False},
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    qk_norm=QkNorm(),
    windows=patterns.windows_where_used,
)

ENTRIES = (
    MISTRAL,
    replace(MISTRAL, model_type="ministral", classes=("Ministral",)),
    replace(
        MISTRAL,
        model_type="ministral3",
        classes=("Ministral3",),
        defaults={**MISTRAL.defaults,
            "vocab_size": 131072, "num_hidden_layers": 34, "head_dim": 128,
            "max_position_embeddings": 262144, "sliding_window": None,
        },
    ),
    QWEN2,
    QWEN3,
    *(
        replace(
            QWEN2,
            model_type=model_type,
            defaults={
                **QWEN2.defaults,
                "vocab_size": 152064, "hidden_size": 8192, "intermediate_size": 29568,
                "num_hidden_layers": 80, "num_attention_heads": 64, "num_key_value_heads": 8,
                "max_window_layers": 80,
            },
            remark="inside a wrapper",
        )
        for model_type in ("qwen2_vl_text", "qwen2_5_vl_text")
    ),
    Architecture(
        model_type="qwen3_vl_text",
        classes=("Qwen3VLText",),
        defaults=defaults(
            vocab=151936, hidden=4096, width=22016, layers=32, heads=32, kv_heads=32, head_dim=128,
            positions=128000, attention_bias=False,
        ),
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=QkNorm(),
        remark="inside a wrapper",
    ),
    Architecture(
        model_type="cwm",
        classes=("Cwm",),
        defaults=defaults(
            vocab=128256, hidden=6144, width=21504, layers=64, heads=48, kv_heads=8, head_dim=128,
            positions=131072, mlp_bias=False, sliding_window=8192, layer_types=None,
        ),
        ffn_bias="mlp_bias",
        windows=patterns.first_of_four_full,
    ),
    Architecture(
        model_type="phi3",
        classes=("Phi3",),
        defaults=defaults(
            vocab=32064, hidden=3072, width=8192, layers=32, heads=32, positions=4096,
            sliding_window=None, layer_types=None, attention_bias=False,
        ),
        only={"attention_bias": False},
        harmless=frozenset({"full_attn_mod", "interpolate_factor"}),
        rotary=partly_rotary(1.0),
        windows=patterns.one_window,
        remark="Phi-4 too",
    ),
)  # fmt: skip

"""Llama and what differs from it by biases, KV heads, multipliers or the names of keys."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.building import checked_groups
from infersim.workload.hf.config_keys import MAX_HEADS, Keys
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.hf.entries.rules import logit_kernels, other_than_one
from infersim.workload.hf.layers import patterns
from infersim.workload.sublayers.norms import Norm, NormKind, QkNorm


def _listed_kv_heads(keys: Keys) -> list[int]:
    """`num_key_value_heads_per_layer`, else `num_key_value_heads` in every layer."""
    listed = keys.layer_list("num_key_value_heads_per_layer")
    name = "num_key_value_heads_per_layer"
    if listed is None:
        name = "num_key_value_heads"
        listed = [keys.value(name) or keys.whole("num_attention_heads")] * keys.whole("num_hidden_layers")
    counts = [keys.checked_whole(name, entry, high=MAX_HEADS) for entry in listed]
    return [checked_groups(keys, name, count) for count in counts]


LLAMA = Architecture(
    model_type="llama",
    classes=("Llama", "LLaMA"),
    defaults=defaults(
        vocab=32000, hidden=4096, width=11008, layers=32, heads=32, positions=2048,
        attention_bias=False, mlp_bias=False,
    ),
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    ffn_bias="mlp_bias",
)  # fmt: skip

INTERNLM2 = Architecture(
    model_type="internlm2",
    classes=("InternLM2",),
    defaults=defaults(
        vocab=103168, hidden=4096, width=11008, layers=32, heads=32, positions=2048, bias=True,
    ),
    qkv_bias="bias",
    o_bias="bias",
)  # fmt: skip

DECI = Architecture(
    model_type="deci",
    classes=("DeciLM", "DeciCoder"),
    defaults=defaults(
        vocab=32000, hidden=4096, width=11008, layers=32, heads=32, positions=2048,
        num_key_value_heads_per_layer=None, attention_bias=False,
    ),
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    kv_heads=_listed_kv_heads,
    harmless=frozenset({"naive_attention_prefill", "naive_attention_decode_batched",
                        "naive_attention_decode_single"}),
    remark="KV heads layer by layer",
)  # fmt: skip

GRANITE = Architecture(
    model_type="granite",
    classes=("Granite",),
    defaults={**LLAMA.defaults,
        "embedding_multiplier": 1.0, "residual_multiplier": 1.0, "logits_scaling": 1.0,
    },
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    ffn_bias="mlp_bias",
    scaled_embedding=other_than_one("embedding_multiplier"),
    scaled_residuals=other_than_one("residual_multiplier"),
    head_kernels=logit_kernels("logits_scaling", 1),
    remark="multipliers of embedding, residuals and logits",
)  # fmt: skip

OF_GRANITE_SWA = {"sliding_window": 128, "layer_types": None, "layer_rope_theta": None}

ENTRIES = (
    LLAMA,
    INTERNLM2,
    Architecture(
        model_type="internlm3",
        classes=("InternLM3", "Llama"),
        defaults=defaults(
            vocab=128512, hidden=4096, width=10240, layers=48, heads=32, kv_heads=2, head_dim=128,
            positions=32768, attention_bias=False, mlp_bias=False,
        ),
        spellings={"attention_bias": ("qkv_bias", "attention_bias"), "mlp_bias": ("bias", "mlp_bias")},
        nullable=frozenset({"head_dim"}),
        qkv_bias="attention_bias",
        o_bias="mlp_bias",
        ffn_bias="mlp_bias",
    ),
    replace(
        LLAMA,
        model_type="exaone",
        classes=("Exaone", "Llama"),
        defaults={**LLAMA.defaults,
            "vocab_size": 102400, "intermediate_size": 14336, "num_key_value_heads": 8,
            "max_position_embeddings": 4096,
        },
        spellings={
            "num_hidden_layers": ("num_layers", "num_hidden_layers"),
            "hidden_act": ("activation_function", "hidden_act"),
        },
    ),
    Architecture(
        model_type="baichuan",
        classes=("Baichuan", "BaiChuan"),
        defaults=defaults(vocab=125696, hidden=4096, width=11008, layers=32, heads=32, positions=4096),
        spellings={"max_position_embeddings": ("max_position_embeddings", "model_max_length")},
        rotary=lambda keys: 1.0 if "max_position_embeddings" in keys.config else 0.0,
        remark="ALiBi where the file has no `max_position_embeddings` (13B)",
    ),
    DECI,
    replace(DECI, model_type="decilm"),
    Architecture(
        model_type="smollm3",
        classes=("SmolLM3",),
        defaults=defaults(
            vocab=128256, hidden=2048, width=11008, layers=36, heads=16, kv_heads=4, positions=32768,
            tied=True, attention_bias=False, mlp_bias=False, use_sliding_window=False, sliding_window=None,
            no_rope_layers=None, no_rope_layer_interval=4, layer_types=None,
        ),
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        ffn_bias="mlp_bias",
        windows=patterns.windows_of_layers_without_rotary,
        rotary_layers=patterns.listed_rotary_layers,
        harmless=frozenset({"max_window_layers"}),
        remark="every fourth layer without rotary positions",
    ),
    GRANITE,
    replace(
        GRANITE,
        model_type="granite_swa",
        classes=("GraniteSWA",),
        defaults={**GRANITE.defaults, **OF_GRANITE_SWA,
            "vocab_size": 100352, "hidden_size": 2560, "intermediate_size": 8192, "num_hidden_layers": 24,
            "num_attention_heads": 20, "num_key_value_heads": 4, "max_position_embeddings": 8192,
            "tie_word_embeddings": True,
        },
        sinks=True,
        windows=patterns.first_of_four_full,
        rotary_layers=patterns.rotary_where_theta,
    ),
    replace(
        LLAMA,
        model_type="arcee",
        classes=("Arcee",),
        defaults={**LLAMA.defaults,
            "hidden_size": 2560, "intermediate_size": 18432, "hidden_act": "relu2",
            "max_position_embeddings": 4096,
        },
        gate=False,
    ),
    Architecture(
        model_type="helium",
        classes=("Helium",),
        defaults=defaults(
            vocab=48000, hidden=2560, width=7040, layers=24, heads=20, kv_heads=20, head_dim=128,
            positions=4096, attention_bias=False, mlp_bias=False,
        ),
        qkv_bias="attention_bias",
        ffn_bias="mlp_bias",
    ),
    Architecture(
        model_type="seed_oss",
        classes=("SeedOss",),
        defaults=defaults(
            vocab=155136, hidden=4096, width=27648, layers=64, heads=80, kv_heads=8, head_dim=128,
            positions=524288, attention_bias=True, attention_out_bias=False, mlp_bias=False,
        ),
        nullable=frozenset({"head_dim"}),
        qkv_bias="attention_bias",
        o_bias="attention_out_bias",
        ffn_bias="mlp_bias",
    ),
    Architecture(
        model_type="ernie4_5",
        classes=("Ernie4_5",),
        defaults=defaults(
            vocab=103424, hidden=1024, width=3072, layers=18, heads=16, kv_heads=2, head_dim=128,
            positions=131072, tied=True, use_bias=False,
        ),
        nullable=frozenset({"head_dim"}),
        qkv_bias="use_bias",
        o_bias="use_bias",
        ffn_bias="use_bias",
    ),
    Architecture(
        model_type="hunyuan_v1_dense",
        classes=("HunYuanDenseV1",),
        defaults=defaults(
            vocab=290943, hidden=4096, width=11008, layers=32, heads=32, positions=2048, attention_bias=False,
        ),
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=QkNorm(),
    ),
    Architecture(
        model_type="olmo",
        classes=("Olmo", "OLMo"),
        defaults=defaults(
            vocab=50304, hidden=4096, width=11008, layers=32, heads=32, positions=2048, attention_bias=False,
        ),
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        norm=Norm(kind=NormKind.LAYER, scale=False),
        remark="norms without parameters",
    ),
)  # fmt: skip

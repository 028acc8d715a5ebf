"""Gemma, OLMo 2 and 3, GLM and EXAONE 4: norms of results, norms of q and k, windows layer by layer."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.hf.entries.rules import head_dim_by_division, logit_kernels, partly_rotary
from infersim.workload.hf.layers import patterns
from infersim.workload.sublayers.norms import QkNorm

GEMMA = Architecture(
    model_type="gemma",
    classes=("Gemma",),
    defaults=defaults(
        vocab=256000, hidden=3072, width=24576, layers=28, heads=16, kv_heads=16, head_dim=256,
        positions=8192, act="gelu_pytorch_tanh", tied=True, attention_bias=False,
        use_bidirectional_attention=None,
    ),
    harmless=frozenset({"hidden_activation"}),
    only={"use_bidirectional_attention": False},
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    scaled_embedding=True,
)  # fmt: skip

GEMMA2 = replace(
    GEMMA,
    model_type="gemma2",
    classes=("Gemma2",),
    defaults={**GEMMA.defaults,
        "hidden_size": 2304, "intermediate_size": 9216, "num_hidden_layers": 26, "num_attention_heads": 8,
        "num_key_value_heads": 4, "sliding_window": 4096, "layer_types": None,
        "final_logit_softcapping": 30.0,
    },
    spellings={"sliding_window": ("sliding_window", "sliding_window_size")},
    harmless=frozenset({"hidden_activation", "query_pre_attn_scalar", "cache_implementation"}),
    post_norms=True,
    windows=patterns.every_nth_full(None, 2),
    head_kernels=logit_kernels("final_logit_softcapping", 3),
)  # fmt: skip

GEMMA3 = replace(
    GEMMA2,
    model_type="gemma3_text",
    classes=("Gemma3",),
    defaults={**GEMMA2.defaults,
        "vocab_size": 262208, "max_position_embeddings": 131072, "final_logit_softcapping": None,
        "sliding_window_pattern": None, "use_bidirectional_attention": False,
    },
    spellings={**GEMMA2.spellings,
        "sliding_window_pattern": ("sliding_window_pattern", "_sliding_window_pattern"),
    },
    qk_norm=QkNorm(),
    windows=patterns.every_nth_full("sliding_window_pattern", 6),
)  # fmt: skip

VAULT_GEMMA = replace(
    GEMMA2,
    model_type="vaultgemma",
    classes=("VaultGemma",),
    defaults={name: value for name, value in GEMMA2.defaults.items() if "bidirectional" not in name},
    spellings={},
    only={},
    post_norms=False,
)

OLMO2 = Architecture(
    model_type="olmo2",
    classes=("Olmo2",),
    defaults=defaults(
        vocab=50304, hidden=4096, width=11008, layers=32, heads=32, positions=2048, attention_bias=False,
    ),
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    pre_norms=False,
    post_norms=True,
    qk_norm=QkNorm(every_feature=True),
)  # fmt: skip

GLM = Architecture(
    model_type="glm",
    classes=("Glm",),
    defaults=defaults(
        vocab=151552, hidden=4096, width=13696, layers=40, heads=32, kv_heads=2, head_dim=128,
        positions=131072, attention_bias=True,
    ),
    qkv_bias="attention_bias",
    rotary=partly_rotary(0.5),
)  # fmt: skip

EXAONE4_WINDOWS = patterns.every_nth_full("sliding_window_pattern", 4)

ENTRIES = (
    GEMMA,
    GEMMA2,
    GEMMA3,
    VAULT_GEMMA,
    OLMO2,
    replace(
        OLMO2,
        model_type="olmo3",
        classes=("Olmo3",),
        defaults={**OLMO2.defaults, "sliding_window": 4096, "layer_types": None},
        windows=patterns.every_nth_full(None, 4),
    ),
    GLM,
    replace(GLM, model_type="glm4", classes=("Glm4",), post_norms=True),
    replace(
        GLM,
        model_type="glm4v_text",
        classes=("Glm4vText",),
        defaults={
            **{name: value for name, value in GLM.defaults.items() if name != "attention_bias"},
            "head_dim": None, "max_position_embeddings": 32768,
        },
        only={"attention_bias": True},
        qkv_bias=True,
        post_norms=True,
        check=head_dim_by_division,
        remark="inside a wrapper",
    ),
    replace(
        GEMMA,
        model_type="apertus",
        classes=("Apertus",),
        defaults=defaults(
            vocab=131072, hidden=4096, width=14336, layers=32, heads=32, positions=65536, act="xielu",
            attention_bias=False,
        ),
        harmless=frozenset(),
        only={"mlp_bias": False, "qk_norm": True, "post_norm": False},
        gate=False,
        scaled_embedding=False,
        qk_norm=QkNorm(),
    ),
    Architecture(
        model_type="exaone4",
        classes=("Exaone4",),
        defaults=defaults(
            vocab=102400, hidden=4096, width=16384, layers=32, heads=32, kv_heads=32, positions=2048,
            sliding_window=4096, sliding_window_pattern=4, layer_types=None,
        ),
        pre_norms=False,
        post_norms=True,
        qk_norm=QkNorm(),
        windows=EXAONE4_WINDOWS,
        rotary_layers=patterns.rotary_in_windows(EXAONE4_WINDOWS),
    ),
)  # fmt: skip

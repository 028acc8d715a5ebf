"""Mixtures of experts with shared ones or dense layers beside them: GLM, dots, Solar, ERNIE, Llama 4."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.hf.architecture import Architecture, ExpertsOf
from infersim.workload.hf.building import head_dim_of
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.hf.entries.experts import COUNTED, ROUTING
from infersim.workload.hf.entries.norms_and_windows import EXAONE4_WINDOWS
from infersim.workload.hf.entries.rules import (
    partly_rotary,
    partly_rotary_by_kind,
    without_further_tokens,
)
from infersim.workload.hf.layers import experts, mimo, patterns
from infersim.workload.sublayers.norms import Norm, QkNorm

DEEPSEEK_COUNTED = {"num_experts": ("n_routed_experts", "num_experts", "num_local_experts")}

_OF_AFMOE = frozenset(
    {"route_norm", "route_scale", "score_func", "num_expert_groups", "num_limited_groups", "use_grouped_mm"}
)
"""Keys of how scores become a choice, and of the kernel that runs experts."""

_OF_MIMO = frozenset(
    {"attention_value_scale", "swa_num_attention_heads", "swa_head_dim", "swa_v_head_dim", "n_shared_experts"}
    | {"attention_chunk_size"}
)
"""Keys that `mimo.same_sizes` checks, and the number that V is multiplied by."""

_OF_HUNYUAN = frozenset(
    {"moe_intermediate_size", "num_shared_expert", "attention_head_dim", "cla_share_factor", "dense_list"}
    | {"moe_layer_num_skipped", "use_mixed_mlp_moe", "num_media_embeds", "max_image_size", "org_vocab_size"}
    | {"anyres_pooling_size", "mask_init_id", "use_rotary_pos_emb", "position_embedding_xdrope", "pool_type"}
    | {"group_limited_greedy", "class_num", "moe_drop_tokens", "moe_random_routing_dropped_token"}
)
"""Keys that the library's code does not read; `_hunyuan_lists` checks those that would change shapes."""


def _hunyuan_lists(keys: Keys) -> None:
    """One shared expert, and experts as wide as `intermediate_size`, in every layer, as the code has it."""
    for key, wanted in (
        ("moe_intermediate_size", keys.whole("intermediate_size")),
        ("num_shared_expert", 1),
        ("attention_head_dim", head_dim_of(keys)),
    ):
        stated = keys.config.get(key)
        if any(each != wanted for each in (stated if isinstance(stated, list) else [stated]) if each):
            keys.fail(key, stated, f"{wanted} in every layer, as the model's code has it")


GLM4_MOE = Architecture(
    model_type="glm4_moe",
    classes=("Glm4Moe",),
    defaults=defaults(
        vocab=151552, hidden=4096, width=10944, layers=46, heads=96, kv_heads=8, positions=131072,
        attention_bias=False, use_qk_norm=False, moe_intermediate_size=1408, num_experts=128,
        num_experts_per_tok=8, n_shared_experts=1, first_k_dense_replace=1,
    ),
    spellings=DEEPSEEK_COUNTED,
    harmless=ROUTING,
    qkv_bias="attention_bias",
    qk_norm=QkNorm(),
    has_qk_norm="use_qk_norm",
    rotary=partly_rotary(0.5),
    experts=ExpertsOf(
        layers=experts.after_dense_ones, shared=experts.shared_by_count("n_shared_experts")
    ),
    notes=without_further_tokens,
)  # fmt: skip

LLAMA4 = Architecture(
    model_type="llama4_text",
    classes=("Llama4", "Llama4Text"),
    defaults=defaults(
        vocab=202048, hidden=5120, width=8192, layers=48, heads=40, kv_heads=8, head_dim=128,
        positions=131072, attention_bias=False, intermediate_size_mlp=16384, num_experts=16,
        num_experts_per_tok=1, moe_layers=None, interleave_moe_layer_step=1, use_qk_norm=True,
        no_rope_layers=None, no_rope_layer_interval=4, attention_chunk_size=8192, layer_types=None,
    ),
    spellings=COUNTED,
    harmless=ROUTING | {"attn_scale", "floor_scale", "attn_temperature_tuning", "for_llm_compressor"},
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    qk_norm=QkNorm(norm=Norm(scale=False)),
    has_qk_norm="use_qk_norm",
    qk_norm_with_rotary=True,
    rotary_layers=patterns.listed_rotary_layers,
    chunks=patterns.chunks_where_rotary,
    experts=ExpertsOf(
        width="intermediate_size",
        dense_width="intermediate_size_mlp",
        layers=experts.listed_or_interleaved,
        shared=lambda keys: keys.whole("intermediate_size"),
    ),
    remark="attention in chunks but in layers without rotary positions",
)  # fmt: skip

ENTRIES = (
    GLM4_MOE,
    Architecture(
        model_type="afmoe",
        classes=("Afmoe",),
        defaults=defaults(
            vocab=200192, hidden=2048, width=6144, layers=32, heads=16, head_dim=128, positions=16384,
            attention_bias=False, global_attn_every_n_layers=4, sliding_window=1024, layer_types=None,
            moe_intermediate_size=1408, num_experts=64, num_experts_per_tok=6, n_shared_experts=2,
            first_k_dense_replace=1, mup_enabled=False,
        ),
        spellings={
            "n_shared_experts": ("num_shared_experts",), "first_k_dense_replace": ("num_dense_layers",),
        },
        harmless=ROUTING | _OF_AFMOE,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        post_norms=True,
        qk_norm=QkNorm(),
        gated_attention=True,
        scaled_embedding="mup_enabled",
        windows=patterns.every_nth_full("global_attn_every_n_layers", 4),
        rotary_layers=patterns.rotary_in_windows(
            patterns.every_nth_full("global_attn_every_n_layers", 4)
        ),
        experts=ExpertsOf(
            layers=experts.after_dense_ones,
            shared=experts.shared_by_count("n_shared_experts"),
            correction=True,
        ),
        remark="attention's result multiplied by a gate",
    ),
    Architecture(
        model_type="mimo_v2_flash",
        classes=("MiMoV2Flash",),
        defaults=defaults(
            vocab=152576, hidden=4096, width=16384, layers=48, heads=64, kv_heads=4, head_dim=192,
            positions=131072, attention_bias=False, v_head_dim=128, sliding_window=129, layer_types=None,
            mlp_layer_types=None, moe_intermediate_size=2048, num_experts=256, num_experts_per_tok=8,
            sliding_window_size=None, swa_num_key_value_heads=None, hybrid_layer_pattern=None,
            moe_layer_freq=None,
        ),
        spellings=DEEPSEEK_COUNTED,
        harmless=ROUTING | _OF_MIMO,
        only={
            "add_swa_attention_sink_bias": True, "add_full_attention_sink_bias": False, "mlp_bias": False,
            "use_qk_norm": False,
        },
        check=mimo.same_sizes,
        qkv_bias="attention_bias",
        sinks=True,
        sinks_in_windows_only=True,
        rotary=partly_rotary_by_kind(0.334),
        windows=mimo.windows,
        kv_heads=mimo.kv_heads,
        experts=ExpertsOf(layers=experts.named_by_kind(mimo.sparse_layers)),
        notes=without_further_tokens,
        remark="heads of V narrower than K's; KV heads of layers with windows counted apart",
    ),
    replace(
        GLM4_MOE,
        model_type="glm4v_moe_text",
        classes=("Glm4vMoeText",),
        defaults={
            **{name: value for name, value in GLM4_MOE.defaults.items() if name != "use_qk_norm"},
            "vocab_size": 151424, "max_position_embeddings": 65536, "attention_bias": True,
        },
        only={"use_qk_norm": False},
        qk_norm=None,
        has_qk_norm=True,
        remark="inside a wrapper",
    ),
    replace(
        GLM4_MOE,
        model_type="solar_open",
        classes=("SolarOpen",),
        defaults={
            **{name: value for name, value in GLM4_MOE.defaults.items()
               if name not in ("first_k_dense_replace", "use_qk_norm")},
            "vocab_size": 196608, "intermediate_size": 10240, "num_hidden_layers": 48,
            "num_attention_heads": 64, "head_dim": 128, "moe_intermediate_size": 1280,
        },
        qk_norm=None,
        has_qk_norm=True,
        harmless=ROUTING | {"first_k_dense_replace", "use_qk_norm"},
        rotary=partly_rotary(1.0),
        experts=ExpertsOf(shared=experts.shared_by_count("n_shared_experts")),
    ),
    replace(
        GLM4_MOE,
        model_type="dots1",
        classes=("Dots1",),
        defaults={
            **{name: value for name, value in GLM4_MOE.defaults.items() if name != "use_qk_norm"},
            "vocab_size": 152064, "hidden_size": 4608, "num_hidden_layers": 62, "num_attention_heads": 32,
            "num_key_value_heads": 32, "max_position_embeddings": 2048, "num_experts": None,
            "num_experts_per_tok": None, "n_shared_experts": None, "first_k_dense_replace": 0,
            "sliding_window": 4096, "max_window_layers": 62, "layer_types": None,
        },
        o_bias="attention_bias",
        has_qk_norm=True,
        rotary=partly_rotary(1.0),
        windows=patterns.windows_from,
        harmless=ROUTING | {"use_sliding_window"},
    ),
    LLAMA4,
    Architecture(
        model_type="exaone_moe",
        classes=("ExaoneMoe",),
        defaults=defaults(
            vocab=102400, hidden=4096, width=16384, layers=32, heads=32, kv_heads=32, positions=2048,
            sliding_window=4096, sliding_window_pattern=4, layer_types=None, mlp_layer_types=None,
            first_k_dense_replace=1, moe_intermediate_size=1024, num_experts=64, num_experts_per_tok=8,
            n_shared_experts=1,
        ),
        spellings={"n_shared_experts": ("num_shared_experts",)},
        harmless=ROUTING,
        qk_norm=QkNorm(),
        windows=EXAONE4_WINDOWS,
        rotary_layers=patterns.rotary_in_windows(EXAONE4_WINDOWS),
        experts=ExpertsOf(
            layers=experts.named_by_kind(experts.after_dense_ones),
            shared=experts.shared_by_count("n_shared_experts"),
        ),
        notes=without_further_tokens,
    ),
    Architecture(
        model_type="ernie4_5_moe",
        classes=("Ernie4_5_Moe",),
        defaults=defaults(
            vocab=103424, hidden=2560, width=12288, layers=28, heads=20, kv_heads=4, positions=131072,
            tied=True, use_bias=False, moe_intermediate_size=1536, num_experts=64, num_experts_per_tok=6,
            n_shared_experts=2, moe_layer_start_index=1, moe_layer_end_index=-1, moe_layer_interval=1,
        ),
        spellings={
            "num_experts": ("moe_num_experts", "num_experts"),
            "num_experts_per_tok": ("moe_k", "num_experts_per_tok"),
            "n_shared_experts": ("moe_num_shared_experts",),
        },
        harmless=ROUTING | {"moe_gate", "moe_use_aux_free", "moe_capacity", "moe_gate_act"},
        qkv_bias="use_bias",
        o_bias="use_bias",
        ffn_bias="use_bias",
        head_bias="use_bias",
        experts=ExpertsOf(
            layers=experts.between,
            shared=experts.shared_by_count("n_shared_experts"),
            correction=True,
        ),
    ),
    Architecture(
        model_type="hunyuan_v1_moe",
        classes=("HunYuanMoEV1",),
        defaults=defaults(
            vocab=290943, hidden=4096, width=11008, layers=32, heads=32, positions=2048,
            attention_bias=False, num_experts=1, num_experts_per_tok=1,
        ),
        spellings={
            "num_experts": ("num_experts", "num_local_experts"),
            "num_experts_per_tok": ("moe_topk", "num_experts_per_tok"),
        },
        harmless=ROUTING | _OF_HUNYUAN,
        only={"use_cla": False, "use_mla": False, "use_qk_norm": True, "mlp_bias": False},
        check=_hunyuan_lists,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=QkNorm(),
        experts=ExpertsOf(
            width="intermediate_size", shared=lambda keys: keys.whole("intermediate_size")
        ),
    ),
)  # fmt: skip

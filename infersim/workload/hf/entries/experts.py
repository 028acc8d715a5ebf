"""Mixtures of experts with attention of heads: Mixtral, Qwen, OLMoE, Granite, Phi, gpt-oss, MiniMax."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.hf.architecture import Architecture, ExpertsOf
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.hf.entries.llama import LLAMA, OF_GRANITE_SWA
from infersim.workload.hf.entries.norms_and_windows import OLMO2
from infersim.workload.hf.entries.rules import (
    logit_kernels,
    other_than_one,
    rotary_dim_or_share,
    without_further_tokens,
)
from infersim.workload.hf.layers import experts, patterns
from infersim.workload.sublayers.norms import LAYER_NORM, QkNorm

_ROUTING = """
    norm_topk_prob n_group topk_group routed_scaling_factor scoring_func topk_method aux_loss_alpha seq_aux
    ep_size router_jitter_noise input_jitter_noise num_nextn_predict_layers num_mtp_layers use_routing_bias
    moe_norm_min qk_head_dim router_aux_loss_coef
"""

ROUTING = frozenset(_ROUTING.split())
"""Keys of how scores become a choice, of training, and of layers that are left out."""

POPULARITY_OF_GPT_OSS = 1.0
"""Fitted to served rows of gpt-oss-120b on B200 (aiconfigurator's silicon sample), checked on H100's. From 1
on the fit is flat: TPOT is 8.0 % off there, and 7.9 at 1.2, where the first expert would get every token."""

COUNTED = {"num_experts": ("num_local_experts", "num_experts")}
_OF_MINIMAX = frozenset(
    {"rotary_dim", "attn_type_list", "mtp_transformer_layers", "num_mtp_modules", "qk_norm_type", "use_mtp"}
    | {"shared_moe_mode", "layernorm_full_attention_beta", "mlp_intermediate_size"}
)

MIXTRAL = Architecture(
    model_type="mixtral",
    classes=("Mixtral",),
    defaults=defaults(
        vocab=32000, hidden=4096, width=14336, layers=32, heads=32, kv_heads=8, positions=131072,
        sliding_window=None, num_experts=8, num_experts_per_tok=2,
    ),
    spellings=COUNTED,
    harmless=ROUTING,
    windows=patterns.one_window_everywhere,
    experts=ExpertsOf(width="intermediate_size"),
)  # fmt: skip

QWEN2_MOE = Architecture(
    model_type="qwen2_moe",
    classes=("Qwen2Moe",),
    defaults=defaults(
        vocab=151936, hidden=2048, width=5632, layers=24, heads=16, kv_heads=16, positions=32768,
        use_sliding_window=False, sliding_window=4096, max_window_layers=28, layer_types=None,
        moe_intermediate_size=1408, shared_expert_intermediate_size=5632, num_experts=60,
        num_experts_per_tok=4, decoder_sparse_step=1, mlp_only_layers=None, qkv_bias=True,
    ),
    harmless=ROUTING,
    qkv_bias="qkv_bias",
    windows=patterns.every_other_of_the_first,
    experts=ExpertsOf(
        layers=experts.every_nth,
        shared=experts.shared_by_width("shared_expert_intermediate_size"),
        shared_gate=True,
    ),
)  # fmt: skip

QWEN3_MOE = Architecture(
    model_type="qwen3_moe",
    classes=("Qwen3Moe",),
    defaults=defaults(
        vocab=151936, hidden=2048, width=6144, layers=24, heads=32, kv_heads=4, positions=32768,
        attention_bias=False, use_sliding_window=False, sliding_window=4096, moe_intermediate_size=768,
        num_experts=128, num_experts_per_tok=8, decoder_sparse_step=1, mlp_only_layers=None,
    ),
    spellings={"num_experts": ("num_experts", "num_local_experts")},
    harmless=ROUTING | {"max_window_layers"},
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    qk_norm=QkNorm(),
    windows=patterns.one_window_where_used,
    experts=ExpertsOf(layers=experts.every_nth),
)  # fmt: skip

OLMOE = Architecture(
    model_type="olmoe",
    classes=("Olmoe",),
    defaults=defaults(
        vocab=50304, hidden=2048, width=2048, layers=16, heads=16, positions=4096, attention_bias=False,
        num_experts=64, num_experts_per_tok=8,
    ),
    spellings={"num_experts": ("num_experts", "num_local_experts")},
    harmless=ROUTING,
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    qk_norm=QkNorm(every_feature=True),
    experts=ExpertsOf(width="intermediate_size"),
)  # fmt: skip

GRANITE_MOE = Architecture(
    model_type="granitemoe",
    classes=("GraniteMoe",),
    defaults={
        **{name: value for name, value in LLAMA.defaults.items() if name not in ("mlp_bias", "head_dim")},
        "embedding_multiplier": 1.0, "residual_multiplier": 1.0, "logits_scaling": 1.0,
        "num_experts": 8, "num_experts_per_tok": 2,
    },
    spellings=COUNTED,
    harmless=ROUTING | {"mlp_bias", "head_dim"},
    qkv_bias="attention_bias",
    o_bias="attention_bias",
    scaled_embedding=other_than_one("embedding_multiplier"),
    scaled_residuals=other_than_one("residual_multiplier"),
    head_kernels=logit_kernels("logits_scaling", 1),
    experts=ExpertsOf(width="intermediate_size"),
    remark="multipliers of embedding, residuals and logits",
)  # fmt: skip


def _only_full_attention(keys: Keys) -> None:
    """MiniMax lists 1 for each layer of full attention, 0 for one of linear attention."""
    kinds = keys.config.get("attn_type_list")
    if kinds is not None and (not isinstance(kinds, list) or set(map(str, kinds)) != {"1"}):
        keys.fail("attn_type_list", kinds, "1 for each layer: full attention")


ENTRIES = (
    MIXTRAL,
    QWEN2_MOE,
    QWEN3_MOE,
    Architecture(
        model_type="qwen3_vl_moe_text",
        classes=("Qwen3VLMoeText",),
        defaults={
            **{name: value for name, value in QWEN3_MOE.defaults.items() if "window" not in name},
            "intermediate_size": 5632, "num_attention_heads": 16, "num_key_value_heads": 16,
            "max_position_embeddings": 128000, "moe_intermediate_size": 1408, "num_experts": 60,
            "num_experts_per_tok": 4, "tie_word_embeddings": True,
        },
        spellings=QWEN3_MOE.spellings,
        harmless=ROUTING,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=QkNorm(),
        experts=QWEN3_MOE.experts,
        remark="inside a wrapper",
    ),
    Architecture(
        model_type="qwen3_omni_moe_text",
        classes=("Qwen3OmniMoeThinkerText",),
        defaults={
            **{name: value for name, value in QWEN3_MOE.defaults.items() if "window" not in name},
            "vocab_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28,
            "num_attention_heads": 28, "num_key_value_heads": 4, "sliding_window": None,
        },
        spellings=QWEN3_MOE.spellings,
        harmless=ROUTING,
        only={"use_sliding_window": False, "shared_expert_intermediate_size": 0, "use_qk_norm": True},
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        qk_norm=QkNorm(),
        windows=patterns.one_window_everywhere,
        experts=QWEN3_MOE.experts,
        remark="inside a wrapper",
    ),
    OLMOE,
    replace(
        OLMOE,
        model_type="flex_olmo",
        classes=("FlexOlmo",),
        defaults={**OLMO2.defaults,
            "vocab_size": 100352, "max_position_embeddings": 4096, "num_experts": 7,
            "num_experts_per_tok": 5,
        },
        pre_norms=False,
        post_norms=True,
    ),
    GRANITE_MOE,
    replace(
        GRANITE_MOE,
        model_type="granitemoeshared",
        classes=("GraniteMoeShared",),
        defaults={**GRANITE_MOE.defaults, "shared_intermediate_size": 0},
        experts=ExpertsOf(
            width="intermediate_size", shared=experts.shared_by_width("shared_intermediate_size")
        ),
    ),
    replace(
        GRANITE_MOE,
        model_type="granitemoe_swa",
        classes=("GraniteMoeSWA",),
        defaults={**GRANITE_MOE.defaults, **OF_GRANITE_SWA, "shared_intermediate_size": 0},
        experts=ExpertsOf(
            width="intermediate_size", shared=experts.shared_by_width("shared_intermediate_size")
        ),
        sinks=True,
        windows=patterns.first_of_four_full,
        rotary_layers=patterns.rotary_where_theta,
    ),
    Architecture(
        model_type="phimoe",
        classes=("Phimoe",),
        defaults=defaults(
            vocab=32064, hidden=4096, width=6400, layers=32, heads=32, kv_heads=8, positions=131072,
            sliding_window=None, attention_bias=False, lm_head_bias=False, num_experts=16,
            num_experts_per_tok=2,
        ),
        spellings=COUNTED,
        harmless=ROUTING,
        norm=LAYER_NORM,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        head_bias="lm_head_bias",
        windows=patterns.one_window_everywhere,
        experts=ExpertsOf(width="intermediate_size"),
    ),
    Architecture(
        model_type="gpt_oss",
        classes=("GptOss",),
        defaults=defaults(
            vocab=201088, hidden=2880, width=2880, layers=36, heads=64, kv_heads=8, head_dim=64,
            positions=131072, sliding_window=128, layer_types=None, attention_bias=True, num_experts=128,
            num_experts_per_tok=4,
        ),
        spellings={**COUNTED, "num_experts_per_tok": ("num_experts_per_tok", "experts_per_token")},
        harmless=ROUTING | {"swiglu_alpha", "swiglu_limit", "initial_context_length"},
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        sinks=True,
        windows=patterns.every_nth_full(None, 2),
        experts=ExpertsOf(
            width="intermediate_size", bias=True, router_bias=True, popularity=POPULARITY_OF_GPT_OSS
        ),
    ),
    Architecture(
        model_type="minimax_m2",
        classes=("MiniMaxM2",),
        defaults=defaults(
            vocab=200064, hidden=3072, width=1536, layers=62, heads=48, kv_heads=8, head_dim=128,
            positions=196608, num_experts=256, num_experts_per_tok=8,
        ),
        spellings=COUNTED,
        harmless=ROUTING | _OF_MINIMAX,
        only={"use_qk_norm": True, "shared_intermediate_size": 0, "attention_bias": False},
        qk_norm=QkNorm(every_feature=True),
        rotary=rotary_dim_or_share,
        experts=ExpertsOf(width="intermediate_size"),
        check=_only_full_attention,
        notes=without_further_tokens,
    ),
)  # fmt: skip

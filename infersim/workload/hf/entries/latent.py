"""Multi-head latent attention: DeepSeek-V2 and V3, Kimi K2, GLM-4.7-Flash, and dense models with it."""

from __future__ import annotations

from dataclasses import replace

from infersim.workload.hf.architecture import Architecture, ExpertsOf
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries.defaults import defaults
from infersim.workload.hf.entries.experts import ROUTING
from infersim.workload.hf.entries.rules import other_than_one, without_further_tokens
from infersim.workload.hf.entries.shared_experts import DEEPSEEK_COUNTED
from infersim.workload.hf.layers import experts, latent

_LATENT = {
    "attention_bias": False, "q_lora_rank": 1536, "kv_lora_rank": 512, "qk_nope_head_dim": 128,
    "qk_rope_head_dim": 64, "v_head_dim": 128,
}  # fmt: skip

_HARMLESS = ROUTING | {"head_dim", "rope_interleave"}

DEEPSEEK_V3 = Architecture(
    model_type="deepseek_v3",
    classes=("DeepseekV3",),
    defaults={
        **defaults(
            vocab=129280, hidden=7168, width=18432, layers=61, heads=128, kv_heads=128, positions=4096,
            grouped=False,
        ),
        "num_key_value_heads": 128, **_LATENT,
        "moe_intermediate_size": 2048, "num_experts": 256, "num_experts_per_tok": 8,
        "n_shared_experts": 1, "first_k_dense_replace": 3,
    },
    spellings=DEEPSEEK_COUNTED,
    nullable=frozenset({"q_lora_rank"}),
    harmless=_HARMLESS,
    only={"moe_layer_freq": 1},
    qkv_bias="attention_bias",
    latent=True,
    experts=ExpertsOf(
        layers=experts.after_dense_ones, shared=experts.shared_by_count("n_shared_experts")
    ),
    notes=without_further_tokens,
)  # fmt: skip


_OF_INDEXER = {
    "index_topk": 2048, "index_head_dim": 128, "index_n_heads": 64, "layer_types": None,
    "mlp_layer_types": None,
}  # fmt: skip

DEEPSEEK_V32 = replace(
    DEEPSEEK_V3,
    model_type="deepseek_v32",
    classes=("DeepseekV32",),
    defaults={**DEEPSEEK_V3.defaults, "max_position_embeddings": 163840, **_OF_INDEXER},
    nullable=frozenset(),
    harmless=_HARMLESS | {"mlp_bias"},
    indexers=latent.in_every_layer,
    experts=ExpertsOf(
        layers=experts.named_by_kind(experts.after_dense_ones),
        shared=experts.shared_by_count("n_shared_experts"),
    ),
)


def _one_logit_scale(keys: Keys) -> int:
    """MiniCPM3 divides what the head reads where its hidden size is not `dim_model_base`."""
    base = keys.optional_whole("dim_model_base")
    return int(base not in (None, keys.whole("hidden_size")))


ENTRIES = (
    DEEPSEEK_V3,
    replace(
        DEEPSEEK_V3,
        model_type="kimi_k2",
        classes=("DeepseekV3", "KimiK2"),
        defaults={**DEEPSEEK_V3.defaults,
            "vocab_size": 163840, "num_attention_heads": 64, "num_key_value_heads": 64,
            "max_position_embeddings": 131072, "num_experts": 384, "first_k_dense_replace": 1,
        },
        remark="the code of DeepSeek-V3",
    ),
    replace(
        DEEPSEEK_V3,
        model_type="mistral4",
        classes=("Mistral4",),
        defaults={**DEEPSEEK_V3.defaults,
            "vocab_size": 131072, "hidden_size": 4096, "intermediate_size": 12288,
            "num_hidden_layers": 36, "num_attention_heads": 32, "num_key_value_heads": 32,
            "max_position_embeddings": 1048576, "q_lora_rank": 1024, "kv_lora_rank": 256,
            "qk_nope_head_dim": 64, "num_experts": 128, "num_experts_per_tok": 4,
            "first_k_dense_replace": 0,
        },
        notes=None,
    ),
    DEEPSEEK_V32,
    replace(
        DEEPSEEK_V32,
        model_type="glm_moe_dsa",
        classes=("GlmMoeDsa",),
        defaults={**DEEPSEEK_V32.defaults,
            "vocab_size": 154880, "hidden_size": 6144, "intermediate_size": 12288,
            "num_hidden_layers": 78, "num_attention_heads": 64, "num_key_value_heads": 64,
            "max_position_embeddings": 202752, "q_lora_rank": 2048, "qk_nope_head_dim": 192,
            "v_head_dim": 256, "index_n_heads": 32, "indexer_types": None, "index_topk_pattern": None,
            "index_topk_freq": 1, "index_skip_topk_offset": 2,
        },
        harmless=DEEPSEEK_V32.harmless | {"index_share_for_mtp_iteration", "indexer_rope_interleave"},
        indexers=latent.full_or_shared,
        remark="layers may take the choice of one before",
    ),
    replace(
        DEEPSEEK_V3,
        model_type="deepseek_v2",
        classes=("DeepseekV2",),
        defaults={**DEEPSEEK_V3.defaults,
            "vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 11008,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": None,
            "max_position_embeddings": 2048, "mlp_bias": False, "moe_intermediate_size": 1407,
            "num_experts": 64, "num_experts_per_tok": None, "n_shared_experts": 2,
            "first_k_dense_replace": 0,
        },
        ffn_bias="mlp_bias",
        notes=None,
    ),
    replace(
        DEEPSEEK_V3,
        model_type="glm4_moe_lite",
        classes=("Glm4MoeLite",),
        defaults={
            **{name: value for name, value in DEEPSEEK_V3.defaults.items()
               if name != "first_k_dense_replace"},
            "vocab_size": 154880, "hidden_size": 2048, "intermediate_size": 10240,
            "num_hidden_layers": 47, "num_attention_heads": 20, "num_key_value_heads": 20,
            "max_position_embeddings": 202752, "q_lora_rank": 768, "qk_nope_head_dim": 192,
            "v_head_dim": 256, "moe_intermediate_size": 1536, "num_experts": 64,
            "num_experts_per_tok": 4, "mlp_layer_types": None,
        },
        harmless=_HARMLESS | {"first_k_dense_replace"},
        experts=ExpertsOf(
            layers=experts.named_by_kind(experts.all_but_the_first),
            shared=experts.shared_by_count("n_shared_experts"),
        ),
    ),
    Architecture(
        model_type="youtu",
        classes=("Youtu",),
        defaults={
            **defaults(
                vocab=128256, hidden=2048, width=6144, layers=32, heads=16, positions=131072, tied=True,
                grouped=False,
            ),
            "num_key_value_heads": 16, **_LATENT,
        },
        nullable=frozenset({"q_lora_rank"}),
        harmless=_HARMLESS | {"mlp_bias"},
        qkv_bias="attention_bias",
        latent=True,
    ),
    Architecture(
        model_type="minicpm3",
        classes=("MiniCPM3",),
        defaults={
            **defaults(
                vocab=73448, hidden=2560, width=6400, layers=62, heads=40, positions=32768, tied=True,
                grouped=False,
            ),
            "num_key_value_heads": 40, **_LATENT, "mlp_bias": False, "q_lora_rank": 768,
            "kv_lora_rank": 256, "qk_nope_head_dim": 64, "qk_rope_head_dim": 32, "v_head_dim": None,
            "scale_emb": 12, "scale_depth": 1.4, "dim_model_base": 256,
        },
        nullable=frozenset({"q_lora_rank"}),
        harmless=_HARMLESS,
        qkv_bias="attention_bias",
        ffn_bias="mlp_bias",
        latent=True,
        scaled_embedding=other_than_one("scale_emb"),
        scaled_residuals=lambda keys: keys.number("scale_depth") is not None,
        head_kernels=_one_logit_scale,
        remark="multipliers of embedding, residuals and logits",
    ),
)  # fmt: skip

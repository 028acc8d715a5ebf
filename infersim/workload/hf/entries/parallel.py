"""Models whose attention and FFN read the same input, always or by an option."""

from __future__ import annotations

from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.building import checked_groups
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries.defaults import GPT_SPELLINGS, defaults
from infersim.workload.hf.entries.rules import logit_kernels, partly_rotary, rotary_by_dim
from infersim.workload.hf.layers import patterns
from infersim.workload.sublayers.norms import LAYER_NORM, LAYER_NORM_WITHOUT_BIAS, QkNorm


def _falcon_kv_heads(keys: Keys) -> list[int]:
    """The new architecture: `num_kv_heads`; before: one for all heads (`multi_query`), or one for each."""
    heads = keys.whole("num_attention_heads")
    if keys.flag("new_decoder_architecture"):
        groups = checked_groups(keys, "num_kv_heads", keys.optional_whole("num_kv_heads") or heads)
    else:
        groups = 1 if keys.flag("multi_query") else heads
    return [groups] * keys.whole("num_hidden_layers")


def _falcon_shares_norm(keys: Keys) -> bool:
    """Two norms by `num_ln_in_parallel_attn`, which is 2 in the new architecture unless it says otherwise."""
    norms = keys.optional_whole("num_ln_in_parallel_attn")
    return norms != 2 if norms is not None else not keys.flag("new_decoder_architecture")


def _check_falcon(keys: Keys) -> None:
    """`ff_factor` says the FFN's width again."""
    factor, hidden = keys.config.get("ff_factor"), keys.whole("hidden_size")
    width = keys.optional_whole("intermediate_size") or 4 * hidden
    if factor is not None and (not isinstance(factor, int | float) or factor * hidden != width):
        keys.fail(
            "ff_factor", factor, f"{width / hidden:g}, as {keys.spelling('intermediate_size')} is {width}"
        )


PHI = Architecture(
    model_type="phi",
    classes=("Phi",),
    defaults=defaults(
        vocab=51200, hidden=2048, width=8192, layers=24, heads=32, positions=2048, act="gelu_new",
        qk_layernorm=False,
    ),
    gate=False,
    qkv_bias=True,
    o_bias=True,
    ffn_bias=True,
    head_bias=True,
    norm=LAYER_NORM,
    parallel=True,
    qk_norm=QkNorm(norm=LAYER_NORM),
    has_qk_norm="qk_layernorm",
    rotary=partly_rotary(0.5),
)  # fmt: skip

GPTJ = Architecture(
    model_type="gptj",
    classes=("GPTJ",),
    defaults=defaults(
        vocab=50400, hidden=4096, width=None, layers=28, heads=16, positions=2048, act="gelu_new",
        grouped=False, rotary_dim=64,
    ),
    spellings=GPT_SPELLINGS,
    nullable=frozenset({"rotary_dim"}),
    gate=False,
    ffn_bias=True,
    head_bias=True,
    norm=LAYER_NORM,
    parallel=True,
    rotary=rotary_by_dim,
    harmless=frozenset({"rotary"}),
)  # fmt: skip

ENTRIES = (
    PHI,
    GPTJ,
    Architecture(
        model_type="codegen",
        classes=("CodeGen",),
        defaults=GPTJ.defaults,
        spellings=GPT_SPELLINGS,
        nullable=GPTJ.nullable,
        gate=False,
        ffn_bias=True,
        head_bias=True,
        norm=LAYER_NORM,
        parallel=True,
        rotary=rotary_by_dim,
    ),
    Architecture(
        model_type="gpt_neox",
        classes=("GPTNeoX",),
        defaults=defaults(
            vocab=50432, hidden=6144, width=24576, layers=44, heads=64, positions=2048, act="gelu",
            grouped=False, use_parallel_residual=True, attention_bias=True,
        ),
        gate=False,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        ffn_bias=True,
        norm=LAYER_NORM,
        parallel="use_parallel_residual",
        shared_norm=False,
        rotary=partly_rotary(0.25, "rotary_pct"),
        harmless=frozenset({"rotary_pct"}),
    ),
    Architecture(
        model_type="falcon",
        classes=("Falcon", "RW"),
        defaults=defaults(
            vocab=65024, hidden=4544, width=None, layers=32, heads=71, positions=2048, act="gelu", tied=True,
            grouped=False, num_ln_in_parallel_attn=None, num_kv_heads=None, alibi=False,
            new_decoder_architecture=False, multi_query=True, parallel_attn=True, bias=False,
        ),
        spellings={
            "hidden_size": ("hidden_size", "n_embed"),
            "num_hidden_layers": ("num_hidden_layers", "n_layer"),
            "num_attention_heads": ("num_attention_heads", "n_head"),
            "num_kv_heads": ("num_kv_heads", "n_head_kv"),
            "intermediate_size": ("ffn_hidden_size",),
            "hidden_act": ("activation",),
        },
        harmless=frozenset({"apply_residual_connection_post_layernorm", "ff_factor"}),
        check=_check_falcon,
        gate=False,
        qkv_bias="bias",
        o_bias="bias",
        ffn_bias="bias",
        norm=LAYER_NORM,
        parallel="parallel_attn",
        shared_norm=_falcon_shares_norm,
        kv_heads=_falcon_kv_heads,
        rotary=lambda keys: 0.0 if keys.flag("alibi") else 1.0,
    ),
    Architecture(
        model_type="stablelm",
        classes=("StableLm", "StableLMEpoch"),
        defaults=defaults(
            vocab=50304, hidden=2560, width=6912, layers=32, heads=32, kv_heads=32, positions=4096,
            use_qkv_bias=False, qk_layernorm=False, use_parallel_residual=False,
        ),
        qkv_bias="use_qkv_bias",
        norm=LAYER_NORM,
        parallel="use_parallel_residual",
        qk_norm=QkNorm(norm=LAYER_NORM_WITHOUT_BIAS, every_feature=True),
        has_qk_norm="qk_layernorm",
        rotary=partly_rotary(0.25, "rope_pct"),
    ),
    Architecture(
        model_type="cohere",
        classes=("Cohere",),
        defaults=defaults(
            vocab=256000, hidden=8192, width=22528, layers=40, heads=64, positions=8192, tied=True,
            attention_bias=False, use_qk_norm=False, logit_scale=0.0625,
        ),
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        norm=LAYER_NORM_WITHOUT_BIAS,
        parallel=True,
        qk_norm=QkNorm(norm=LAYER_NORM_WITHOUT_BIAS, every_feature=True),
        has_qk_norm="use_qk_norm",
        head_kernels=logit_kernels("logit_scale", 1),
    ),
    Architecture(
        model_type="cohere2",
        classes=("Cohere2",),
        defaults=defaults(
            vocab=256000, hidden=8192, width=22528, layers=40, heads=64, positions=8192, tied=True,
            attention_bias=False, logit_scale=0.0625, sliding_window=4096, sliding_window_pattern=4,
            layer_types=None,
        ),
        spellings={"sliding_window_pattern": ("sliding_window_pattern", "_sliding_window_pattern")},
        harmless=frozenset({"order_of_interleaved_layers", "position_embedding_type", "rotary_pct"}),
        only={
            "use_embedding_sharing": True, "use_gated_activation": True, "use_parallel_block": True,
            "use_parallel_embedding": False, "use_qk_norm": False,
        },
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        norm=LAYER_NORM_WITHOUT_BIAS,
        parallel=True,
        windows=patterns.every_nth_full("sliding_window_pattern", 4),
        rotary_layers=patterns.rotary_in_windows(patterns.every_nth_full("sliding_window_pattern", 4)),
        head_kernels=logit_kernels("logit_scale", 1),
    ),
)  # fmt: skip

"""The line of GPT-2: plain feed-forward, LayerNorm with bias, biases, learned positions or ALiBi."""

from __future__ import annotations

from infersim.workload.hf.architecture import Architecture
from infersim.workload.hf.config_keys import Keys
from infersim.workload.hf.entries.defaults import GPT_SPELLINGS, defaults
from infersim.workload.hf.entries.rules import logit_kernels, only, partly_rotary
from infersim.workload.hf.layers import patterns
from infersim.workload.sublayers.norms import LAYER_NORM, LAYER_NORM_WITHOUT_BIAS, Norm, NormKind, QkNorm


def _positions(keys: Keys) -> int:
    return keys.whole("max_position_embeddings")


def _opt_norm(keys: Keys) -> Norm:
    affine = keys.flag("layer_norm_elementwise_affine")
    return Norm(kind=NormKind.LAYER, scale=affine, bias=affine)


def _opt_has_final_norm(keys: Keys) -> bool:
    return keys.flag("do_layer_norm_before") and not keys.flag("_remove_final_layer_norm")


def _one_or_all_kv_heads(keys: Keys) -> list[int]:
    one, heads = keys.flag("multi_query"), keys.whole("num_attention_heads")
    return [1 if one else heads] * keys.whole("num_hidden_layers")


def _check_mpt(keys: Keys) -> None:
    only("expansion_ratio", 4, reason="the model's code has an FFN of four times hidden")(keys)
    attention = keys.nested("attn_config")
    for key, value in (("attn_type", "multihead_attention"), ("qk_ln", False), ("alibi", True)):
        if attention.get(key, value) != value:
            keys.fail(f"attn_config.{key}", attention[key], f"{value!r}, as the model's code has it")


OPT = Architecture(
    model_type="opt",
    classes=("OPT",),
    defaults=defaults(
        vocab=50272, hidden=768, width=3072, layers=12, heads=12, positions=2048, act="relu", tied=True,
        grouped=False, embedding_size=None, do_layer_norm_before=True, _remove_final_layer_norm=False,
        enable_bias=True, layer_norm_elementwise_affine=True,
    ),
    spellings={
        "intermediate_size": ("ffn_dim",),
        "hidden_act": ("activation_function",),
        "embedding_size": ("word_embed_proj_dim",),
    },
    gate=False,
    qkv_bias="enable_bias",
    o_bias="enable_bias",
    ffn_bias="enable_bias",
    norm=_opt_norm,
    final_norm=_opt_has_final_norm,
    # The first two rows are for padding.
    learned_positions=lambda keys: _positions(keys) + 2,
    harmless=frozenset({"layerdrop", "activation_dropout"}),
    remark="350M too: embeddings of their own width",
)  # fmt: skip

GPT2 = Architecture(
    model_type="gpt2",
    classes=("GPT2",),
    defaults=defaults(
        vocab=50257, hidden=768, width=None, layers=12, heads=12, positions=1024, act="gelu_new", tied=True,
        grouped=False,
    ),
    spellings=GPT_SPELLINGS,
    only={"add_cross_attention": False},
    gate=False,
    qkv_bias=True,
    o_bias=True,
    ffn_bias=True,
    norm=LAYER_NORM,
    learned_positions=_positions,
)  # fmt: skip

ENTRIES = (
    OPT,
    GPT2,
    Architecture(
        model_type="gpt_bigcode",
        classes=("GPTBigCode",),
        defaults={**GPT2.defaults, "hidden_act": "gelu_pytorch_tanh", "multi_query": True},
        spellings=GPT_SPELLINGS,
        only=GPT2.only,
        gate=False,
        qkv_bias=True,
        o_bias=True,
        ffn_bias=True,
        norm=LAYER_NORM,
        learned_positions=_positions,
        kv_heads=_one_or_all_kv_heads,
        harmless=frozenset({"inference_runner", "max_batch_size", "max_sequence_length", "pad_key_length",
                            "pre_allocate_kv_cache", "validate_runner_input"}),
    ),
    Architecture(
        model_type="gpt_neo",
        classes=("GPTNeo",),
        defaults=defaults(
            vocab=50257, hidden=2048, width=None, layers=24, heads=16, positions=2048, act="gelu_new",
            tied=True, grouped=False, attention_types=[[["global", "local"], 12]], window_size=256,
        ),
        spellings={
            "num_hidden_layers": ("num_layers", "num_hidden_layers"),
            "num_attention_heads": ("num_heads", "num_attention_heads"),
            "hidden_act": ("activation_function",),
        },
        harmless=frozenset({"attention_layers"}),
        gate=False,
        o_bias=True,
        ffn_bias=True,
        norm=LAYER_NORM,
        learned_positions=_positions,
        windows=patterns.local_layers,
    ),
    Architecture(
        model_type="bloom",
        classes=("Bloom",),
        defaults=defaults(
            vocab=250880, hidden=64, width=None, layers=2, heads=8, positions=2048, act="gelu_new", tied=True,
            grouped=False,
        ),
        spellings={
            "hidden_size": ("hidden_size", "n_embed"),
            "num_hidden_layers": ("n_layer", "num_hidden_layers"),
            "num_attention_heads": ("n_head", "num_attention_heads"),
            "max_position_embeddings": ("seq_length",),
            "intermediate_size": ("n_inner",),
        },
        gate=False,
        qkv_bias=True,
        o_bias=True,
        ffn_bias=True,
        norm=LAYER_NORM,
        embedding_norm=True,
        rotary=lambda _: 0.0,
        harmless=frozenset({"apply_residual_connection_post_layernorm"}),
        remark="a norm behind the embedding",
    ),
    Architecture(
        model_type="mpt",
        classes=("Mpt",),
        defaults=defaults(
            vocab=50368, hidden=2048, width=None, layers=24, heads=16, positions=2048, act="gelu", tied=True,
            grouped=False, expansion_ratio=4, attn_config=None, logit_scale=None,
        ),
        spellings={
            "hidden_size": ("d_model", "hidden_size"),
            "num_hidden_layers": ("n_layers", "num_hidden_layers"),
            "num_attention_heads": ("n_heads", "num_attention_heads"),
            "max_position_embeddings": ("max_seq_len",),
        },
        check=_check_mpt,
        gate=False,
        norm=LAYER_NORM_WITHOUT_BIAS,
        rotary=lambda _: 0.0,
        head_kernels=logit_kernels("logit_scale", 1),
        harmless=frozenset({"no_bias", "learned_pos_emb", "init_config", "tokenizer_name", "emb_init_std"}),
    ),
    Architecture(
        model_type="starcoder2",
        classes=("Starcoder2",),
        defaults=defaults(
            vocab=49152, hidden=3072, width=12288, layers=30, heads=24, kv_heads=2, positions=4096,
            act="gelu_pytorch_tanh", tied=True, sliding_window=None, layer_types=None, use_bias=True,
        ),
        gate=False,
        qkv_bias="use_bias",
        o_bias="use_bias",
        ffn_bias="use_bias",
        norm=LAYER_NORM,
        windows=patterns.one_window,
        harmless=frozenset({"mlp_type"}),
    ),
    Architecture(
        model_type="nemotron",
        classes=("Nemotron",),
        defaults=defaults(
            vocab=256000, hidden=6144, width=24576, layers=32, heads=48, positions=4096, act="relu2",
            attention_bias=False, mlp_bias=False,
        ),
        gate=False,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        ffn_bias="mlp_bias",
        norm=LAYER_NORM,
        rotary=partly_rotary(0.5, "rope_percent"),
        harmless=frozenset({"rope_percent"}),
    ),
    Architecture(
        model_type="persimmon",
        classes=("Persimmon",),
        defaults=defaults(
            vocab=262144, hidden=4096, width=16384, layers=36, heads=64, positions=16384, act="relu2",
            grouped=False, qk_layernorm=True,
        ),
        gate=False,
        qkv_bias=True,
        o_bias=True,
        ffn_bias=True,
        norm=LAYER_NORM,
        qk_norm=QkNorm(norm=LAYER_NORM),
        has_qk_norm="qk_layernorm",
        rotary=partly_rotary(0.5),
    ),
    Architecture(
        model_type="jais2",
        classes=("Jais2",),
        defaults=defaults(
            vocab=150272, hidden=3328, width=26624, layers=32, heads=26, positions=8192, act="relu2",
            attention_bias=True, mlp_bias=True,
        ),
        gate=False,
        qkv_bias="attention_bias",
        o_bias="attention_bias",
        ffn_bias="mlp_bias",
        norm=LAYER_NORM,
    ),
)  # fmt: skip

"""Keys that published files of experts have beside sizes: none is refused, and none changes a shape."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.workload.counts import parameters
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.hf.library import spelt
from tests.workload.hf.sizes import PUBLISHED

SIZES = {name: (model_type, sizes) for model_type, name, sizes in PUBLISHED}

COMMON = {
    "attention_dropout": 0.0, "bos_token_id": 1, "eos_token_id": [2, 3], "initializer_range": 0.02,
    "pad_token_id": 0, "rms_norm_eps": 1e-6, "rope_theta": 1e6, "rope_scaling": {"type": "yarn"},
    "torch_dtype": "bfloat16", "transformers_version": "4.54.1", "use_cache": True,
}  # fmt: skip
ROUTED = {"output_router_logits": False, "router_aux_loss_coef": 0.001}
GROUPED = {
    "n_group": 1, "topk_group": 1, "norm_topk_prob": True, "routed_scaling_factor": 2.5,
    "scoring_func": "sigmoid", "topk_method": "noaux_tc", "aux_loss_alpha": 0.001, "seq_aux": True,
    "ep_size": 1, "pretraining_tp": 1,
}  # fmt: skip

FILES: list[tuple[str, float, dict[str, Any]]] = [
    ("Mixtral-8x7B", 46.7, ROUTED | {"sliding_window": None}),
    (
        "Qwen3-30B-A3B",
        30.5,
        ROUTED
        | {"decoder_sparse_step": 1, "mlp_only_layers": [], "max_window_layers": 48, "norm_topk_prob": True}
        | {"sliding_window": None, "use_sliding_window": False},
    ),
    ("OLMoE-1B-7B", 6.92, ROUTED | {"clip_qkv": None, "norm_topk_prob": False}),
    (
        "Phi-3.5-MoE",
        41.9,
        ROUTED
        | {"input_jitter_noise": 0.01, "router_jitter_noise": 0.01, "original_max_position_embeddings": 4096}
        | {"auto_map": {"AutoConfig": "configuration_phimoe.PhiMoEConfig"}},
    ),
    (
        "gpt-oss-20b",
        20.9,
        ROUTED
        | {"experts_per_token": 4, "initial_context_length": 4096, "swiglu_limit": 7.0, "sliding_window": 128}
        | {"layer_types": ["sliding_attention", "full_attention"] * 12},
    ),
    ("GLM-4.5-Air", 106.9, GROUPED | {"num_nextn_predict_layers": 1, "partial_rotary_factor": 0.5}),
    (
        "MiniMax-M2.5",
        228.7,
        {"attn_type_list": [1] * 62, "mtp_transformer_layers": 1, "num_mtp_modules": 3, "use_mtp": True}
        | {"qk_norm_type": "per_layer", "use_qk_norm": True, "rotary_dim": 64, "shared_intermediate_size": 0}
        | {"scoring_func": "sigmoid", "use_routing_bias": True},
    ),
    (
        "Llama-4-Maverick",
        400.7,
        ROUTED
        | {"attn_temperature_tuning": True, "attn_scale": 0.1, "floor_scale": 8192, "no_rope_layers": []}
        | {"for_llm_compressor": False, "_attn_implementation_autoset": True, "router_jitter_noise": 0.0},
    ),
    ("DeepSeek-V2-Lite", 15.7, GROUPED | {"topk_method": "greedy", "moe_layer_freq": 1}),
    ("DeepSeek-V3", 671.0, GROUPED | {"num_nextn_predict_layers": 1, "n_group": 8, "moe_layer_freq": 1}),
    (
        "ERNIE-4.5-21B-A3B",
        21.8,
        {"moe_capacity": [64, 64, 64], "moe_gate": "topk", "moe_use_aux_free": True, "head_dim": 128},
    ),
]


@pytest.mark.parametrize(("name", "billions", "more"), FILES, ids=[name for name, *_ in FILES])
def test_published_files(name: str, billions: float, more: dict[str, Any]) -> None:
    model_type, sizes = SIZES[name]
    plain = transformer_from_config(spelt(model_type, **sizes))
    model = transformer_from_config(COMMON | spelt(model_type, **sizes) | more)
    assert parameters(model) == parameters(plain)
    assert parameters(model) / 1e9 == pytest.approx(billions, rel=0.005)


@pytest.mark.parametrize(
    ("name", "more", "error", "key"),
    [
        ("MiniMax-M2.5", {"attn_type_list": [1] * 61 + [0]}, FileContentError, "attn_type_list"),
        ("MiniMax-M2.5", {"shared_intermediate_size": 512}, UnsupportedError, "shared_intermediate_size"),
        ("DeepSeek-V3", {"moe_layer_freq": 2}, UnsupportedError, "moe_layer_freq"),
        ("Qwen3-30B-A3B", {"n_shared_experts": 1}, UnsupportedError, "n_shared_experts"),
        ("Qwen3-30B-A3B", {"mlp_only_layers": ["1"]}, FileContentError, "mlp_only_layers"),
        (
            "Qwen3-30B-A3B",
            {"mlp_only_layers": [48]},
            FileContentError,
            r"mlp_only_layers = \[48\].*from 0 to 47",
        ),
        ("Llama-4-Maverick", {"moe_layers": [1, 99]}, FileContentError, "moe_layers"),
        ("Qwen3-30B-A3B", {"num_experts": [128] * 3}, FileContentError, "num_experts = .*each of 48 layers"),
        ("Qwen3-30B-A3B", {"decoder_sparse_step": 0}, FileContentError, "decoder_sparse_step"),
        ("Qwen3-30B-A3B", {"num_experts_per_tok": 129}, FileContentError, "num_experts_per_tok"),
        ("Qwen3-30B-A3B", {"num_experts": 10**9}, FileContentError, "num_experts"),
        ("GLM-4.5-Air", {"first_k_dense_replace": -1}, FileContentError, "first_k_dense_replace"),
        ("DeepSeek-V3", {"kv_lora_rank": None}, FileContentError, "kv_lora_rank"),
        ("Mixtral-8x7B", {"lora_experts": 4}, UnsupportedError, "lora_experts"),
    ],
)
def test_what_no_code_of_theirs_does_is_refused(
    name: str, more: dict[str, Any], error: type[Exception], key: str
) -> None:
    model_type, sizes = SIZES[name]
    with pytest.raises(error, match=key):
        transformer_from_config(spelt(model_type, **sizes) | more)


def test_people_are_told_of_sizes_of_experts_that_a_file_leaves_out() -> None:
    """The model's class has them, but a file that leaves them out may mean others."""
    model_type, sizes = SIZES["DeepSeek-V3"]
    dense = {"n_shared_experts": 1, "first_k_dense_replace": 3}
    stated = transformer_from_config(spelt(model_type, **(sizes | dense)))
    (told,) = transformer_from_config(spelt(model_type, **sizes)).notes
    assert "n_shared_experts 1, first_k_dense_replace 3" in told
    assert not any("n_shared_experts" in note for note in stated.notes)


@pytest.mark.parametrize(
    ("name", "more"),
    [("DeepSeek-V3", {"first_k_dense_replace": 99}), ("Qwen3-30B-A3B", {"decoder_sparse_step": 49})],
)
def test_people_are_told_of_a_mixture_without_experts(name: str, more: dict[str, Any]) -> None:
    model_type, sizes = SIZES[name]
    told = "no layer has experts, as the file numbers those that have"
    assert told in transformer_from_config(spelt(model_type, **(sizes | more))).notes
    assert told not in transformer_from_config(spelt(model_type, **sizes)).notes

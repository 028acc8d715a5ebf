"""Parameters of every part, exactly as the `transformers` library's own models have them."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.workload.counts import parameters_by_part
from infersim.workload.hf.entries import ARCHITECTURES
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.hf.library import known, library_model, library_parts, spelt
from tests.workload.hf.sizes import MODEL_TYPES, PUBLISHED, small

pytestmark = pytest.mark.filterwarnings("ignore")

ABSENT_FROM_THE_LIBRARY = {"baichuan", "deci", "decilm", "internlm2", "kimi_k2"}


def ours(config: dict[str, Any]) -> dict[str, int]:
    parts = parameters_by_part(transformer_from_config(config))
    assert parts.pop("extra") == 0
    return parts


def test_every_model_type_is_compared() -> None:
    # See test_wrappers.
    inside_wrappers = {
        name for name, entry in ARCHITECTURES.items() if entry.remark.startswith("inside a wrapper")
    }
    assert set(ARCHITECTURES) - ABSENT_FROM_THE_LIBRARY - inside_wrappers == set(MODEL_TYPES)
    assert not any(map(known, ABSENT_FROM_THE_LIBRARY))
    assert len(MODEL_TYPES) >= 30


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_small_models(model_type: str) -> None:
    config = spelt(model_type, **small(model_type))
    assert ours(config) == library_parts(library_model(config))


@pytest.mark.slow
@pytest.mark.parametrize(("model_type", "name", "sizes"), PUBLISHED, ids=[name for _, name, _ in PUBLISHED])
def test_models_of_published_sizes(model_type: str, name: str, sizes: dict[str, Any]) -> None:
    config = spelt(model_type, **sizes)
    assert ours(config) == library_parts(library_model(config)), name


OPTIONS = [
    ("llama", {"attention_bias": True, "mlp_bias": True}),
    ("llama", {"head_dim": 24}),
    ("qwen3", {"attention_bias": True, "tie_word_embeddings": True}),
    ("phi", {"qk_layernorm": True}),
    ("stablelm", {"qk_layernorm": True, "use_parallel_residual": True, "use_qkv_bias": True}),
    ("stablelm", {"use_parallel_residual": True}),
    ("cohere", {"use_qk_norm": True, "attention_bias": True, "tie_word_embeddings": False}),
    ("gpt_neox", {"attention_bias": False, "use_parallel_residual": False}),
    ("starcoder2", {"use_bias": False}),
    ("opt", {"enable_bias": False}),
    ("opt", {"layer_norm_elementwise_affine": False}),
    ("opt", {"do_layer_norm_before": False}),
    ("gpt_bigcode", {"multi_query": False}),
    ("persimmon", {"qk_layernorm": False}),
    ("falcon", {"bias": True, "multi_query": False}),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2}),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 2, "num_ln_in_parallel_attn": 1}),
    ("falcon", {"parallel_attn": False, "ffn_hidden_size": 352}),
    ("granite", {"attention_bias": True, "mlp_bias": True}),
    ("nemotron", {"attention_bias": True, "mlp_bias": True}),
    ("internlm3", {"attention_bias": True, "mlp_bias": True}),
    ("seed_oss", {"attention_bias": False, "attention_out_bias": True, "mlp_bias": True}),
    ("ernie4_5", {"use_bias": True}),
    ("glm4", {"attention_bias": False}),
    ("mixtral", {"num_local_experts": 5, "num_experts": 5}),
    ("qwen2_moe", {"mlp_only_layers": [], "qkv_bias": False}),
    ("qwen2_moe", {"mlp_only_layers": [1], "shared_expert_intermediate_size": 72}),
    ("qwen3_moe", {"decoder_sparse_step": 1, "attention_bias": True}),
    ("qwen3_moe", {"decoder_sparse_step": 1, "mlp_only_layers": [1], "tie_word_embeddings": True}),
    ("olmoe", {"attention_bias": True}),
    ("granitemoe", {"attention_bias": True}),
    ("granitemoeshared", {"shared_intermediate_size": 0}),
    ("phimoe", {"attention_bias": True, "lm_head_bias": True}),
    ("gpt_oss", {"attention_bias": False}),
    ("glm4_moe", {"attention_bias": True, "use_qk_norm": True, "first_k_dense_replace": 0}),
    ("dots1", {"attention_bias": True, "n_shared_experts": 1}),
    ("llama4_text", {"interleave_moe_layer_step": 1, "attention_bias": True}),
    ("llama4_text", {"moe_layers": []}),
    ("ernie4_5_moe", {"use_bias": True, "tie_word_embeddings": False}),
    ("ernie4_5_moe", {"moe_layer_start_index": 0}),
    ("hunyuan_v1_moe", {"attention_bias": True}),
    ("deepseek_v2", {"q_lora_rank": None}),
    ("deepseek_v2", {"attention_bias": True, "mlp_bias": False, "first_k_dense_replace": 2}),
    ("deepseek_v3", {"q_lora_rank": None, "n_shared_experts": 1}),
    ("deepseek_v3", {"attention_bias": True, "first_k_dense_replace": 0}),
    ("deepseek_v32", {"attention_bias": True, "index_n_heads": 5}),
    ("deepseek_v32", {"mlp_layer_types": ["sparse", "dense"], "index_head_dim": 36}),
    ("glm_moe_dsa", {"indexer_types": ["full", "shared"]}),
    ("glm_moe_dsa", {"index_topk_pattern": "FS"}),
    ("glm_moe_dsa", {"index_topk_freq": 2, "index_skip_topk_offset": 1}),
    ("glm4_moe_lite", {"mlp_layer_types": ["sparse", "dense"], "n_shared_experts": 1}),
    ("afmoe", {"attention_bias": True, "first_k_dense_replace": 0}),
    ("mimo_v2_flash", {"attention_bias": True, "num_key_value_heads": 2}),
    ("mimo_v2_flash", {"layer_types": ["sliding_attention"] * 2, "mlp_layer_types": ["sparse"] * 2}),
    ("mistral4", {"q_lora_rank": None, "first_k_dense_replace": 0}),
    ("vaultgemma", {"attention_bias": True, "tie_word_embeddings": False}),
    ("apertus", {"attention_bias": True, "tie_word_embeddings": True}),
    ("granite_swa", {"attention_bias": True, "mlp_bias": True, "tie_word_embeddings": False}),
    ("granitemoe_swa", {"shared_intermediate_size": 0, "attention_bias": True}),
    ("youtu", {"q_lora_rank": None, "tie_word_embeddings": False}),
    ("minicpm3", {"v_head_dim": None, "attention_bias": True}),
]


@pytest.mark.parametrize(("model_type", "options"), OPTIONS)
def test_options(model_type: str, options: dict[str, Any]) -> None:
    config = spelt(model_type, **(small(model_type) | options))
    assert ours(config) == library_parts(library_model(config))
    assert ours(config) != ours(spelt(model_type, **small(model_type)))


@pytest.mark.parametrize(
    ("task", "name"),
    [
        ("AutoModelForSequenceClassification", "LlamaForSequenceClassification"),
        ("AutoModelForTokenClassification", "LlamaForTokenClassification"),
        ("AutoModelForQuestionAnswering", "LlamaForQuestionAnswering"),
        ("AutoModel", "LlamaModel"),
    ],
)
@pytest.mark.parametrize("labels", [{}, {"num_labels": 5}, {"id2label": {"0": "bad", "1": "good", "2": "?"}}])
def test_heads(task: str, name: str, labels: dict[str, Any]) -> None:
    config = spelt("llama", **small("llama")) | labels
    model = library_model(config, task)
    head = sum(
        each.numel() for key, each in model.named_parameters() if "score" in key or "qa_outputs" in key
    )
    assert ours(config | {"architectures": [name]})["head"] == head
    assert sum(ours(config | {"architectures": [name]}).values()) == sum(library_parts(model).values())

"""Code and keys that a config does not describe are refused, with the reason and the way out."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import UnsupportedError
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.hf.test_reading import LLAMA, MISTRAL, QWEN2, QWEN3

WEIGHTS = "only the checkpoint's weight files tell its shapes"


@pytest.mark.parametrize(
    ("config", "name"),
    [
        (LLAMA, "LlamaPrunedForCausalLM"),
        (LLAMA, "SlicedLlamaForCausalLM"),
        (LLAMA, "FLAPLlamaForCausalLM"),
        (LLAMA, "SVD_LlamaForCausalLM"),
        (LLAMA, "MistralForCausalLM"),
        (LLAMA, "LlamaForRewardModeling"),
        (QWEN2, "Qwen2ForRewardModel"),
        (MISTRAL, "MistralSlicedForCausalLM"),
    ],
)
def test_classes_that_are_not_the_type_s_own(config: dict[str, object], name: str) -> None:
    with pytest.raises(UnsupportedError, match=f"some.json: architectures has {name}, which is none of"):
        transformer_from_config(config | {"architectures": [name]}, file="some.json")
    own = str(config["model_type"]).capitalize() + "ForCausalLM"
    mapped = {"architectures": [own], "auto_map": {"AutoModelForCausalLM": f"modeling_mine.{name}"}}
    with pytest.raises(UnsupportedError, match=rf"auto_map\.AutoModelForCausalLM = .*{name}.*{WEIGHTS}"):
        transformer_from_config(config | mapped)


def test_names_of_classes_in_any_case() -> None:
    mapped = {"auto_map": {"AutoConfig": "configuration_mpt.MPTConfig", "AutoModel": "modeling_mpt.MPTModel"}}
    mpt = {"model_type": "mpt", "d_model": 256, "n_heads": 4, "n_layers": 2}
    assert transformer_from_config(mpt | mapped) == transformer_from_config(mpt)


def test_a_config_class_of_its_own() -> None:
    mapped = {"auto_map": {"AutoConfig": "configuration_pruned.PrunedLlamaConfig"}}
    with pytest.raises(UnsupportedError, match=r"auto_map\.AutoConfig = .* is code of the checkpoint's own"):
        transformer_from_config(LLAMA | mapped)


@pytest.mark.parametrize(
    ("config", "extra"),
    [
        (LLAMA, {"architectures": ["LlamaForCausalLM"]}),
        (LLAMA, {"architectures": ["LLaMAForCausalLM"]}),
        (LLAMA, {"architectures": None, "auto_map": None}),
        (LLAMA, {"architectures": [], "auto_map": {"AutoTokenizer": ["tokenization_mine.Mine", None]}}),
        (
            QWEN3,
            {
                "architectures": ["Qwen3ForCausalLM"],
                "auto_map": {
                    "AutoConfig": "someone/repo--configuration_qwen3.Qwen3Config",
                    "AutoModelForCausalLM": "modeling_qwen3.Qwen3ForCausalLM",
                },
            },
        ),
    ],
)
def test_own_classes_are_fine(config: dict[str, object], extra: dict[str, object]) -> None:
    assert transformer_from_config(config | extra) == transformer_from_config(config)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("begin_pruned_layer", 4),
        ("layer_inter_size", [512, 256, 512, 512]),
        ("intermediate_sizes", [512] * 4),
        ("per_layer_config", {"0": {"intermediate_size": 256}}),
        ("num_heads_per_layer", [8, 8, 4, 4]),
        ("lora_rank", 64),
        ("truncation_ranks", {"q_proj": 64}),
        ("use_pruned_heads", True),
        ("pruning_method", "slicegpt"),
        ("n_positions", 4096),
        ("_inter_sizes", [512, 256]),
        ("output_size", 64),
        ("router_ranks", [4, 4]),
        ("init_width", 64),
        ("attention_variant", "mla"),
        ("mixture_of_depths", True),
        ("early_exit", True),
    ],
)
def test_keys_that_nobody_knows_and_that_may_change_shapes(key: str, value: object) -> None:
    with pytest.raises(
        UnsupportedError, match=rf"some\.json: {key} = .* is no key of model_type 'llama', and"
    ):
        transformer_from_config(LLAMA | {key: value}, file="some.json")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quantize", "int8"),
        ("quantized", True),
        ("load_in_4bit", True),
        ("kv_cache_dtype", "fp8"),
        ("cache_implementation", "quantized"),
        ("weight_dtype", "int8"),
        ("use_fp8", True),
        ("compression", "sparsegpt"),
        ("num_bits", 4),
    ],
)
def test_keys_that_speak_of_formats(key: str, value: object) -> None:
    with pytest.raises(UnsupportedError, match=rf"some\.json: {key} = .* speaks of a format, and is no key"):
        transformer_from_config(LLAMA | {key: value}, file="some.json")


HARMLESS: dict[str, Any] = {
    "_name_or_path": "x", "bos_token_id": 1, "eos_token_id": [2, 3], "pad_token_id": 0,
    "initializer_range": 0.02,
    "rms_norm_eps": 1e-5, "rope_theta": 5e5, "rope_scaling": {"factor": 8.0, "rope_type": "llama3"},
    "rope_parameters": {"rope_theta": 1e4}, "pretraining_tp": 1, "use_cache": True, "torch_dtype": "bfloat16",
    "transformers_version": "4.43.0", "attention_dropout": 0.1, "temperature": 0.6, "top_p": 0.9,
    "max_length": 4096, "unsloth_fixed": True, "output_hidden_states": True, "begin_pruned_layer": 0,
    "use_pruned_heads": False, "pruned_heads": {}, "task_specific_params": None, "license": "mit",
    "quantization_config": None, "id2label": {"0": "a"}, "is_decoder": True, "model_card": "hello",
    "cache_implementation": "static", "num_image_tokens": 256,
    "max_sequence_length": 2048, "kv_cache_dtype": "auto", "fp32_logits": True, "load_in_8bit": False,
    "_flash_attn_2_enabled": True, "_attn_implementation_autoset": True,
}  # fmt: skip


@pytest.mark.parametrize(("key", "value"), HARMLESS.items())
def test_keys_of_generation_training_and_bookkeeping_change_nothing(key: str, value: object) -> None:
    assert transformer_from_config(LLAMA | {key: value}) == transformer_from_config(LLAMA)


@pytest.mark.parametrize(
    ("stated", "told"),
    [
        (
            {"quantization_config": {"quant_method": "mine", "bits": 4}},
            r"quantization_config\.quant_method = 'mine' is no method that is known; read: compressed",
        ),
        (
            {"quantization_config": {"quant_method": "aqlm"}},
            r"quantization_config\.quant_method = 'aqlm' is not",
        ),
        ({"quantization_config": {"weights": "int3"}}, "quantization_config = {'weights': 'int3'} is no"),
        ({"compression_config": {"format": "dense"}}, "compression_config = "),
        ({"quantization": {"bits": 4, "group_size": 64}}, "quantization = .* Apple"),
    ],
)
def test_stated_formats_are_not_passed_over(stated: dict[str, object], told: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"some\.json: {told}"):
        transformer_from_config(LLAMA | stated, file="some.json")


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"model_type": "gpt2", "add_cross_attention": True}, "cross-attention"),
        (
            {"model_type": "gemma3_text", "use_bidirectional_attention": True},
            "use_bidirectional_attention = True",
        ),
        (
            {"model_type": "mpt", "expansion_ratio": 8},
            "expansion_ratio = 8: the model's code has an FFN of four",
        ),
        (
            {"model_type": "llama", "hidden_act": "mish"},
            "hidden_act = 'mish' is not supported; supported: gelu",
        ),
        (
            {"model_type": "gpt2", "activation_function": "mine"},
            "activation_function = 'mine' is not supported",
        ),
    ],
)
def test_options_that_are_not_modelled(config: dict[str, object], told: str) -> None:
    with pytest.raises(UnsupportedError, match=told):
        transformer_from_config(config)

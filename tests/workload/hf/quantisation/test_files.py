"""Formats in files: beside the config, inside a wrapper, of a searched model; and types of plain files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from infersim.domain.errors import FileContentError, UnsupportedError
from infersim.domain.shapes import Phase
from infersim.measuring.model.measurable import check_measurable
from infersim.workload.hf.reading import transformer_from_config, transformer_from_file
from tests.workload.hf.quantisation.stated import SMALL, formats, kept, only_format

NVFP4 = {
    "producer": {"name": "modelopt"},
    "quantization": {"quant_algo": "NVFP4", "kv_cache_quant_algo": "FP8", "exclude_modules": ["lm_head"]},
}


def written(folder: Path, config: dict[str, Any], beside: dict[str, Any]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "hf_quant_config.json").write_text(json.dumps(beside))
    return folder


def test_modelopt_states_formats_in_a_file_beside_the_config(tmp_path: Path) -> None:
    model = transformer_from_file(written(tmp_path, SMALL, NVFP4))
    assert only_format(model).name == "nvfp4"
    assert model.stated.endswith("in all block matrices, KV cache fp8, kept in 16 bit: embedding, head")
    other = tmp_path / "other.json"
    other.write_text(json.dumps(SMALL))
    assert not transformer_from_file(other).stated


def test_two_files_must_agree(tmp_path: Path) -> None:
    own = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "FP8"}}
    with pytest.raises(FileContentError, match=r"hf_quant_config\.json: quantization\.quant_algo = 'NVFP4'"):
        transformer_from_file(written(tmp_path, SMALL | own, NVFP4))
    own["quantization_config"]["quant_algo"] = "NVFP4"
    assert only_format(transformer_from_file(written(tmp_path, SMALL | own, NVFP4))).name == "nvfp4"


def test_a_text_model_inside_a_wrapper() -> None:
    stated = {"quant_method": "fp8", "modules_to_not_convert": ["vision_tower", "language_model.lm_head"]}
    wrapper = {"model_type": "mistral3", "text_config": SMALL | {"model_type": "mistral"}}
    outside = transformer_from_config(wrapper | {"quantization_config": stated})
    assert only_format(outside).name == "fp8"
    inside = wrapper["text_config"] | {"quantization_config": stated}  # type: ignore[operator]
    assert transformer_from_config(wrapper | {"text_config": inside}).blocks == outside.blocks


def test_layers_of_a_searched_model_keep_their_numbers() -> None:
    works = {"attention": {"n_heads_in_group": 4}, "ffn": {"ffn_mult": 3.0}}
    padding = {"attention": {"no_op": True}, "ffn": {"no_op": True}}
    config = SMALL | {
        "model_type": "nemotron-nas",
        "block_configs": [works, padding, works, works],
        "quantization_config": {"quant_method": "fp8", "ignored_layers": ["model.layers.2"]},
    }
    del config["num_key_value_heads"]
    model = transformer_from_config(config)
    assert len(model.blocks) == 3
    assert kept(model) == {name for name in formats(model) if name.startswith("1.")}


def test_names_of_other_model_types() -> None:
    gpt2 = {"model_type": "gpt2", "n_embd": 128, "n_layer": 1, "n_head": 4, "vocab_size": 500}
    stated = {"quant_method": "fp8", "modules_to_not_convert": ["attn.c_attn", "transformer.h.0.mlp.c_fc"]}
    model = transformer_from_config(gpt2 | {"quantization_config": stated})
    assert kept(model) == {"0.q", "0.k", "0.v", "0.up"}


def test_two_statements_are_refused_unless_they_are_one() -> None:
    mlx = {"bits": 4, "group_size": 64}
    with pytest.raises(UnsupportedError, match="Apple's MLX"):
        transformer_from_config(SMALL | {"quantization": mlx, "quantization_config": mlx})
    with pytest.raises(UnsupportedError, match="quantization_config and quantization both state formats"):
        transformer_from_config(SMALL | {"quantization": mlx, "quantization_config": {"quant_method": "fp8"}})


def test_types_of_plain_files() -> None:
    for key in ("torch_dtype", "dtype"):
        for name in ("bfloat16", "float16", "torch.bfloat16", "auto", None):
            model = transformer_from_config(SMALL | {key: name})
            assert model == transformer_from_config(SMALL)
            assert not model.stated
        wide = transformer_from_config(SMALL | {key: "float32"})
        assert wide.stated == f"the file states {key} float32: bf16 is meant unless --dtype says fp32"
        with pytest.raises(UnsupportedError, match=f"{key} = 'int8' is not supported"):
            transformer_from_config(SMALL | {key: "int8"})


def test_what_is_quantised_is_predicted_only() -> None:
    stated = {"quantization_config": {"quant_method": "awq", "bits": 4}}
    model = transformer_from_config(SMALL | stated)
    with pytest.raises(UnsupportedError, match="predicted only: weights stored as w4a16"):
        check_measurable(model, Phase.DECODE)
    check_measurable(transformer_from_config(SMALL | {"torch_dtype": "float32"}), Phase.DECODE)


def test_modelopt_s_file_completes_the_config(tmp_path: Path) -> None:
    own = {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4"}}
    model = transformer_from_file(written(tmp_path, SMALL | own, NVFP4))
    assert model.stated.endswith("KV cache fp8, kept in 16 bit: embedding, head")


@pytest.mark.parametrize(
    ("name", "beside", "label"),
    [
        (
            "quantize_config.json",
            {"bits": 4, "group_size": 64, "desc_act": False, "damp_percent": 0.1, "sym": True},
            "GPTQ, 4 bit in groups of 64",
        ),
        (
            "quant_config.json",
            {"zero_point": True, "q_group_size": 128, "w_bit": 4, "version": "GEMM"},
            "AWQ, 4 bit in groups of 128",
        ),
    ],
)
def test_older_quantisers_state_formats_beside_the_config(
    tmp_path: Path, name: str, beside: dict[str, Any], label: str
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(SMALL))
    (tmp_path / name).write_text(json.dumps(beside))
    assert only_format(transformer_from_file(tmp_path)).label == label
    other = {"quantization_config": {"quant_method": "gptq", "bits": 8, "group_size": 64}}
    (tmp_path / "config.json").write_text(json.dumps(SMALL | other))
    if "bits" in beside:
        with pytest.raises(FileContentError, match=r"quantize_config\.json: bits = 4; expected 8, as"):
            transformer_from_file(tmp_path)


def test_a_wrapper_and_its_text_model_may_not_differ() -> None:
    fp8, int8 = {"quant_method": "fp8"}, {"quant_method": "bitsandbytes", "load_in_8bit": True}
    text = SMALL | {"quantization_config": int8}
    wrapper = {"model_type": "llava", "text_config": text}
    assert only_format(transformer_from_config(wrapper | {"quantization_config": int8})).name == "w8a16"
    with pytest.raises(
        UnsupportedError, match=r"quantization_config and text_config\.quantization_config differ"
    ):
        transformer_from_config(wrapper | {"quantization_config": fp8})

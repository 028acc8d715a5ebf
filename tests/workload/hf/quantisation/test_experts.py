"""What configs of experts state of formats: which matrices they reach, and that routers stay as they are."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.errors import UnsupportedError
from infersim.workload.formats import named_matrices
from infersim.workload.hf.reading import transformer_from_config
from tests.workload.hf.library import spelt
from tests.workload.hf.sizes import small

pytestmark = pytest.mark.filterwarnings("ignore")

GPTQ = {"quant_method": "gptq", "bits": 4, "group_size": 32, "desc_act": False, "sym": True}
AWQ = {"quant_method": "awq", "bits": 4, "group_size": 32, "zero_point": True}
FP8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
NVFP4 = {"weights": {"num_bits": 4, "type": "float", "group_size": 16}, "targets": ["Linear"]}


def formats(model_type: str, quantised: dict[str, Any], layer: int = 1) -> dict[str, str | None]:
    """Names of the formats of a layer's matrices."""
    config = spelt(model_type, **small(model_type)) | {"quantization_config": quantised}
    block = transformer_from_config(config).blocks[layer]
    found = named_matrices(block)
    return {name: None if linear.format is None else linear.format.name for name, linear in found}


@pytest.mark.parametrize(
    ("model_type", "quantised", "name"),
    [
        ("qwen3_moe", GPTQ, "w4a16"),
        ("mixtral", AWQ | {"modules_to_not_convert": ["gate"]}, "w4a16"),
        ("deepseek_v3", FP8, "fp8_block"),
        ("deepseek_v32", FP8 | {"scale_fmt": "ue8m0"}, "fp8_block"),
        ("glm_moe_dsa", FP8 | {"modules_to_not_convert": ["indexer.weights_proj"]}, "fp8_block"),
        ("minimax_m2", FP8 | {"modules_to_not_convert": ["gate", "e_score_correction_bias"]}, "fp8_block"),
    ],
)
def test_everything_but_the_router(model_type: str, quantised: dict[str, Any], name: str) -> None:
    found = formats(model_type, quantised)
    assert found.pop("router") is None
    assert found.pop("index_weights", None) is None  # of an indexer, as little
    assert set(found.values()) == {name}


def test_only_the_experts_of_gpt_oss() -> None:
    kept = ["model.layers.*.self_attn", "model.layers.*.mlp.router", "model.embed_tokens", "lm_head"]
    found = formats("gpt_oss", {"quant_method": "mxfp4", "modules_to_not_convert": kept})
    quantised = {name for name, stored in found.items() if stored == "mxfp4a16"}
    assert quantised == {"expert_gate", "expert_up", "expert_down"}


@pytest.mark.parametrize(
    ("ignored", "kept"),
    [
        ("re:.*self_attn.*", {"q_a", "q_b", "kv_a", "kv_b", "o"}),
        ("re:.*shared_experts.*", {"shared_gate", "shared_up", "shared_down"}),
        ("re:.*experts\\.\\d+\\..*", {"expert_gate", "expert_up", "expert_down"}),
        ("model.layers.1.self_attn.kv_b_proj", {"kv_b"}),
    ],
)
def test_what_compressed_tensors_leave_alone(ignored: str, kept: set[str]) -> None:
    method = {"quant_method": "compressed-tensors", "config_groups": {"group_0": NVFP4}}
    found = formats("deepseek_v3", method | {"ignore": ["lm_head", ignored]})
    assert {name for name, stored in found.items() if stored is None} == kept | {"router"}


def named(numbers: range) -> list[str]:
    parts = ("gate_proj", "up_proj", "down_proj")
    return [f"model.layers.1.mlp.experts.{number}.{part}" for number in numbers for part in parts]


def test_experts_that_are_named_one_by_one() -> None:
    all_of_them = formats("qwen3_moe", FP8 | {"modules_to_not_convert": named(range(6))})
    assert {name for name, stored in all_of_them.items() if stored is None} == {
        "router", "expert_gate", "expert_up", "expert_down",
    }  # fmt: skip
    with pytest.raises(UnsupportedError, match="experts of one layer in several formats"):
        formats("qwen3_moe", FP8 | {"modules_to_not_convert": named(range(3, 6))})

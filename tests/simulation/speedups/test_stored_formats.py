"""Checkpoints that state their formats, predicted and compared."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from infersim.domain.errors import InvalidValueError, UnsupportedError
from infersim.domain.fit import Fit
from infersim.domain.profile import HardwareProfile
from infersim.profile_files.profiles import load_profile
from infersim.pruning.composition import prune
from infersim.pruning.plan_files.checkpoint import plan_from_config, plan_of_sparse
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.prediction import predict
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.transformer import Transformer

SIZES: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 8,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}
FP8 = {"num_bits": 8, "type": "float", "strategy": "channel", "dynamic": False}
TOKENS = FP8 | {"strategy": "token", "dynamic": True}
SCHEME = {"group_0": {"weights": FP8, "input_activations": TOKENS, "targets": ["Linear"]}}
SPARSE = {"sparsity_structure": "2:4", "format": "sparse-24-bitmask", "targets": ["Linear"]}


def stored(**stated: Any) -> Transformer:
    return transformer_from_config(SIZES | {"quantization_config": stated}, name="mine")


def sparse_fp8() -> Transformer:
    return stored(
        quant_method="compressed-tensors", config_groups=SCHEME, ignore=["lm_head"], sparsity_config=SPARSE
    )


PLAIN = transformer_from_config(SIZES, name="plain")


def ms(model: Any, gpu: str = "h100-sxm", phase: str = "decode", **options: Any) -> float:
    return float(predict(model, gpu, phase=phase, context=1024, **options)["latency_ms"].iloc[0])


def with_plain_kernels_alone(name: str) -> HardwareProfile:
    """A GPU that was measured in bf16 and fp8 alone, and of which nobody else says more."""
    profile = load_profile(name)
    assert profile.fit is not None
    plain = ("gemm.bf16", "gemm.fp8", "attention.prefill", "attention.decode")
    kinds = {kind: profile.fit.kinds[kind] for kind in plain}
    return replace(profile, fit=Fit(gpu=name, kinds=kinds, provenance={}))


def notes(model: Any, gpu: str | HardwareProfile = "h100-sxm") -> tuple[str, ...]:
    (found,) = predict(model, gpu, phase="decode", context=1024)["notes"]
    return tuple(found.split("; "))


def test_plain_fp8_is_what_the_option_makes_of_the_dense_model() -> None:
    dynamic = stored(quant_method="fp8")
    assert ms(dynamic) == pytest.approx(ms(PLAIN, dtype="fp8"), rel=1e-12)
    assert ms(dynamic) == ms(dynamic, dtype="fp8")
    static = stored(quant_method="fp8", activation_scheme="static")
    assert ms(static) < ms(dynamic)


def test_few_bits_save_memory_and_time() -> None:
    four, eight = stored(quant_method="awq", bits=4), stored(quant_method="eetq")
    assert ms(four) < ms(eight) < ms(PLAIN)
    memory = [
        predict(model, "a100-sxm-80gb", phase="decode", context=1024)["memory_gib"].iloc[0]
        for model in (four, eight, PLAIN)
    ]
    assert memory == sorted(memory)
    assert notes(four)[0].startswith("stored as w4a16 (AWQ, 4 bit in groups of 128) in all block matrices")
    said = "no kernel of w4a16 is fitted: predicted by its bytes"
    assert said in notes(four, with_plain_kernels_alone("h100-sxm"))


def test_formats_without_a_fitted_kernel_have_a_wider_interval() -> None:
    gpu = with_plain_kernels_alone("h100-sxm")

    def width(model: Transformer) -> float:
        row = predict(model, gpu, phase="prefill", batch=8, context=1024).iloc[0]
        return float(row["upper_ms"] / row["lower_ms"])

    blocks, plain = stored(quant_method="fp8", weight_block_size=[128, 128]), stored(quant_method="fp8")
    assert width(blocks) > width(plain)
    assert "no kernel of fp8_block is fitted: predicted by its bytes" in notes(blocks, gpu)
    assert not any("fitted" in note for note in notes(plain, gpu))


def test_a_format_that_others_measured_is_said_to_be_transferred() -> None:
    gpu = with_plain_kernels_alone("h100-sxm")
    assert gpu.fit is not None
    said = replace(gpu.fit.kinds["gemm.bf16"], kind="gemm.w4a16", transferred=True)
    profile = replace(gpu, fit=replace(gpu.fit, kinds={**gpu.fit.kinds, "gemm.w4a16": said}))
    four = stored(quant_method="awq", bits=4)
    assert "w4a16 was not measured on h100-sxm: transferred from other GPUs" in notes(four, profile)


def test_without_units_weights_are_widened() -> None:
    nvfp4 = stored(quant_method="modelopt", quant_algo="NVFP4", exclude_modules=["lm_head"])
    alone = stored(
        quant_method="compressed-tensors",
        config_groups={
            "a": {
                "weights": {"num_bits": 4, "type": "float", "group_size": 16, "strategy": "tensor_group"},
                "targets": ["Linear"],
            }
        },
        ignore=["lm_head"],
    )
    assert ms(nvfp4, "a100-sxm-80gb", "prefill") == pytest.approx(ms(alone, "a100-sxm-80gb", "prefill"))
    assert "a100-sxm-80gb has no fp4 units: nvfp4 is widened to bf16" in notes(nvfp4, "a100-sxm-80gb")
    assert ms(nvfp4, "b200-sxm", "prefill") < ms(alone, "b200-sxm", "prefill")
    assert not any("widened" in note for note in notes(nvfp4, "b200-sxm"))
    fp8 = stored(quant_method="fp8")
    assert ms(fp8, "a100-sxm-80gb") < ms(PLAIN, "a100-sxm-80gb")
    with pytest.raises(UnsupportedError, match="has no fp8 tensor rate"):
        ms(PLAIN, "a100-sxm-80gb", dtype="fp8")


def test_another_format_contradicts_the_file() -> None:
    for asked in ("bf16", "fp8"):
        with pytest.raises(InvalidValueError, match=f"dtype = '{asked}'; expected w4a16, as mine states"):
            ms(stored(quant_method="awq", bits=4), dtype=asked)
    few = {"weights": {"num_bits": 4, "type": "int", "group_size": 128}, "targets": ["re:.*down_proj"]}
    mixed = stored(quant_method="compressed-tensors", config_groups=SCHEME | {"few": few})
    with pytest.raises(InvalidValueError, match="expected fp8 and w4a16"):
        ms(mixed, dtype="fp8")


def test_a_2_4_checkpoint_is_a_plan_of_its_dense_model() -> None:
    checkpoint = sparse_fp8()
    plan = plan_of_sparse(checkpoint)
    assert plan is not None
    assert (plan.family, plan.sparsity_realised) == ("static-k-2:4", 0.5)
    dense = stored(quant_method="compressed-tensors", config_groups=SCHEME, ignore=["lm_head"])
    assert plan.base == dense
    assert plan.transformer == prune(dense, "static-k-2:4").transformer
    assert predict(checkpoint, "h100-sxm", phase="decode", context=1024)["model"].iloc[0] == (
        "mine (static-k-2:4, 50.0%)"
    )
    assert ms(checkpoint) == pytest.approx(ms(prune(PLAIN, "static-k-2:4"), dtype="fp8"), rel=1e-12)
    assert plan_of_sparse(PLAIN) is None
    assert plan_of_sparse(prune(PLAIN, "static-k-2:4").transformer) is None


def test_a_checkpoint_beside_the_dense_model_that_it_came_from() -> None:
    plan = plan_from_config(PLAIN, sparse_fp8())
    assert plan.family == "static-k-2:4"
    change = "the dense model is bf16, this one fp8: speedups hold the change of format too"
    (row,) = compare(PLAIN, plan, "h100-sxm", phase="decode", context=1024).to_dict("records")
    assert change in row["notes"]
    (alike,) = compare(PLAIN, plan, "h100-sxm", phase="decode", context=1024, dtype="fp8").to_dict("records")
    assert change not in alike["notes"]
    assert alike["predicted"] < row["predicted"]
    assert row["predicted"] > 1


@pytest.mark.parametrize("family", ["static-m", "static-nk", "static-k-lowrank", "static-nk-cross"])
def test_plans_of_a_quantised_model_stay_quantised(family: str) -> None:
    model = stored(quant_method="awq", bits=4)
    plan = prune(model, family, 0.5)
    frame = compare(model, plan, "h100-sxm", phase="decode", context=1024)
    assert 0 < frame["bytes_removed"].iloc[0] < 1
    assert all(linear.format is not None for block in plan.transformer.blocks for linear in block.linears)

"""Bytes of stored matrices, derived by hand."""

from __future__ import annotations

from typing import Any

import pytest

from infersim.domain.dtypes import DType
from infersim.domain.errors import InvalidValueError
from infersim.domain.shapes import Gemm, WeightForm
from infersim.workload.counts import parameters, weight_bytes
from infersim.workload.formats import dtype_name
from infersim.workload.hf.reading import transformer_from_config
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.ops.model import model_ops
from infersim.workload.scenario import Execution, Layout
from infersim.workload.transformer import Transformer
from infersim.workload.weight_format import (
    block_scaled_fp8,
    eight_bit,
    four_bit_float,
    weight_only,
)
from tests.workload.examples import decode, prefill

LLAMA_8B: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "vocab_size": 128256,
}
MATRICES = 32 * (2 * 4096 * 4096 + 2 * 1024 * 4096 + 3 * 14336 * 4096)
TABLES_AND_NORMS = 2 * 128256 * 4096 + 65 * 4096


def stored(**stated: Any) -> Transformer:
    return transformer_from_config(LLAMA_8B | {"quantization_config": stated})


def test_llama_3_1_8b_in_awq() -> None:
    """Half a byte a weight, for each 128 a scale of 16 bit and a zero of 4; tables and norms in 16 bit."""
    model = stored(quant_method="awq", bits=4, group_size=128)
    expected = MATRICES / 2 + MATRICES / 128 * 2.5 + TABLES_AND_NORMS * 2
    assert weight_bytes(model, Execution()) == expected == 5_727_854_592
    assert parameters(model) == parameters(transformer_from_config(LLAMA_8B))


def test_llama_3_1_8b_in_gptq_with_ordered_columns() -> None:
    """No zeros, as it is symmetric; the group of each column of K, four bytes, in seven matrices a layer."""
    columns = 32 * (6 * 4096 + 14336)
    model = stored(quant_method="gptq", bits=4, group_size=128, sym=True, desc_act=True)
    expected = MATRICES / 2 + MATRICES / 128 * 2 + 4 * columns + TABLES_AND_NORMS * 2
    assert weight_bytes(model, Execution()) == expected


def test_llama_3_1_8b_in_bitsandbytes() -> None:
    """nf4: 32 bit for each 64; double quantised 8 bit, and 32 for 256 of them. 8 bit: 32 for a row."""
    rows = 32 * (2 * 4096 + 2 * 1024 + 2 * 14336 + 4096)
    rest = TABLES_AND_NORMS * 2
    four: dict[str, Any] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    assert weight_bytes(stored(**four), Execution()) == MATRICES * (0.5 + 4 / 64) + rest
    double = stored(**four, bnb_4bit_use_double_quant=True)
    assert weight_bytes(double, Execution()) == MATRICES * (0.5 + 1 / 64 + 4 / (64 * 256)) + rest
    eight = stored(quant_method="bitsandbytes", load_in_8bit=True)
    assert weight_bytes(eight, Execution()) == MATRICES + 4 * rows + rest


def test_llama_3_1_8b_in_2_4_fp8() -> None:
    """Of four weights two bytes and four bits of positions: 5/8 of the dense bytes; a 32-bit scale a row."""
    rows = 32 * (2 * 4096 + 2 * 1024 + 2 * 14336 + 4096)
    weights = {"num_bits": 8, "type": "float", "strategy": "channel", "dynamic": False}
    inputs = weights | {"strategy": "token", "dynamic": True}
    model = stored(
        quant_method="compressed-tensors",
        config_groups={"a": {"weights": weights, "input_activations": inputs, "targets": ["Linear"]}},
        ignore=["lm_head"],
        sparsity_config={"sparsity_structure": "2:4", "format": "dense"},
    )
    assert weight_bytes(model, Execution()) == MATRICES * 5 / 8 + 4 * rows + TABLES_AND_NORMS * 2


def test_a_quantised_head() -> None:
    weights = {"num_bits": 4, "type": "int", "group_size": 128, "strategy": "group"}
    model = stored(
        quant_method="compressed-tensors", config_groups={"a": {"weights": weights, "targets": ["Linear"]}}
    )
    head = 128256 * 4096
    expected = (MATRICES + head) * (0.5 + 2 / 128) + (TABLES_AND_NORMS - head) * 2
    assert weight_bytes(model, Execution()) == expected
    (op,) = (op for op in model_ops(model, decode(1, 10)) if op.name == "lm_head")
    assert isinstance(op.shape, Gemm)
    assert op.shape.precision.name == "w4a16"


@pytest.mark.parametrize(
    ("stored", "each"),
    [
        (weight_only("", 3, group=64), 3 / 8 + 2 / 64),
        (block_scaled_fp8("", 128, 128), 1 + 4 / 128**2),
        (four_bit_float("", "nvfp4", activations=True), 0.5 + 1 / 16 + 8 / (384 * 512)),
        (four_bit_float("", "mxfp4", activations=False), 0.5 + 1 / 32),
        (eight_bit("", DType.INT8, static=False, per_row=False), 1 + 4 / (384 * 512)),
    ],
)
def test_bytes_of_a_value(stored: Any, each: float) -> None:
    assert stored.stored_bytes(384, 512) == pytest.approx(384 * 512 * each, rel=1e-12)
    assert stored.precision.weight_bytes == pytest.approx(each, rel=1e-4)


def test_blocks_are_rounded_up() -> None:
    assert block_scaled_fp8("", 128, 128).stored_bytes(129, 130) == 129 * 130 + 4 * 2 * 2


def test_positions_of_a_2_4_matrix() -> None:
    """One bit for each dense weight: 4-bit weights keep 3/4 of their bytes, and all of their scales."""
    four = weight_only("", 4, group=128)
    assert four.stored_bytes(128, 256, WeightForm.SPARSE_2_4) == 128 * 256 * 3 / 8 + 128 * 2 * 2


def test_a_stated_format_outranks_the_default_and_contradicts_another() -> None:
    model = stored(quant_method="awq", bits=4)
    plain = transformer_from_config(LLAMA_8B)
    asked = decode(1, 100, dtype="w4a16").execution
    assert dtype_name(model, Execution()) == "w4a16"
    assert dtype_name(plain, Execution()) == "bf16"
    assert weight_bytes(model, asked) == weight_bytes(model, Execution())
    explicit = Execution(explicit=True)
    assert weight_bytes(plain, explicit) == weight_bytes(plain, Execution())
    with pytest.raises(InvalidValueError, match="dtype = 'bf16'; expected w4a16, as custom states"):
        weight_bytes(model, explicit)


def test_a_stated_cache() -> None:
    model = stored(quant_method="modelopt", quant_algo="FP8", kv_cache_quant_algo="FP8")
    plain = transformer_from_config(LLAMA_8B)
    assert kv_cache_bytes(model, decode(1, 100)) == kv_cache_bytes(plain, decode(1, 100)) / 2
    assert kv_cache_bytes(model, decode(1, 100, kv_dtype=DType.FP8)) == 32 * 100 * 2 * 8 * 128
    with pytest.raises(InvalidValueError, match="kv_dtype = 'bf16'; expected fp8"):
        kv_cache_bytes(model, decode(1, 100, kv_dtype=DType.BF16))


def test_matrices_of_other_formats_are_not_stacked() -> None:
    mixed = stored(quant_method="fp8", modules_to_not_convert=["v_proj"])
    gemms = {op.name: op.shape for op in model_ops(mixed, prefill(1, 64)) if isinstance(op.shape, Gemm)}
    assert {name: gemms[name].precision.name for name in ("q", "k", "v", "gate_up", "lm_head")} == {
        "q": "fp8",
        "k": "fp8",
        "v": "bf16",
        "gate_up": "fp8",
        "lm_head": "bf16",
    }


def test_static_scales_need_no_kernel_that_quantises() -> None:
    for scheme, quantises in (("static", False), ("dynamic", True)):
        model = stored(quant_method="fp8", activation_scheme=scheme)
        gemms = [op.shape for op in model_ops(model, prefill(1, 64, Layout.SEPARATE)) if op.name == "down"]
        assert [shape.act_quant for shape in gemms if isinstance(shape, Gemm)] == [quantises]

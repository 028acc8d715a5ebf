"""Every op of Llama-3.1-8B, its M, N, K and bytes, written out by hand from the published sizes."""

from __future__ import annotations

import pytest

from infersim.domain.dtypes import PRECISIONS, DType
from infersim.domain.ops import Part
from infersim.domain.shapes import Phase, WeightForm
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import load_model
from infersim.workload.scenario import Layout
from tests.workload.examples import (
    MakeScenario,
    attention,
    decode,
    gemm,
    gemm_flop,
    mnk,
    moved,
    ops_by_name,
    prefill,
)

LLAMA = load_model("llama-3.1-8b")
BF16 = 2  # bytes

FUSED_NAMES = [
    "embedding", "attn_norm", "qkv", "rotary", "kv_write", "attention", "o",
    "ffn_norm", "gate_up", "activation", "down", "final_norm", "lm_head",
]  # fmt: skip
SEPARATE_NAMES = [
    "embedding", "attn_norm", "q", "k", "v", "rotary", "kv_write", "attention", "o", "attn_residual",
    "ffn_norm", "gate", "up", "activation", "down", "ffn_residual", "final_norm", "lm_head",
]  # fmt: skip

BATCH, CONTEXT = 4, 1000
PREFILL_M, DECODE_M = 4 * 1000, 4


@pytest.mark.parametrize(
    ("layout", "names"), [(Layout.FUSED, FUSED_NAMES), (Layout.SEPARATE, SEPARATE_NAMES)]
)
@pytest.mark.parametrize("make", [prefill, decode])
def test_op_list(layout: Layout, names: list[str], make: MakeScenario) -> None:
    ops = model_ops(LLAMA, make(BATCH, CONTEXT, layout))
    assert [op.name for op in ops] == names
    outside = {"embedding", "final_norm", "lm_head"}
    for op in ops:
        assert (op.count, op.group) == ((1, None) if op.name in outside else (32, 0))


@pytest.mark.parametrize(("make", "m"), [(prefill, PREFILL_M), (decode, DECODE_M)])
def test_gemm_shapes_fused(make: MakeScenario, m: int) -> None:
    ops = ops_by_name(LLAMA, make(BATCH, CONTEXT))
    # 32 query heads and 2 x 8 key and value heads of 128; gate and up of 14336 each.
    assert mnk(ops["qkv"]) == (m, (32 + 8 + 8) * 128, 4096)
    assert mnk(ops["o"]) == (m, 4096, 32 * 128)
    assert mnk(ops["gate_up"]) == (m, 2 * 14336, 4096)
    assert mnk(ops["down"]) == (m, 4096, 14336)
    assert mnk(ops["lm_head"]) == (BATCH, 128256, 4096)
    assert [ops[name].part for name in ("qkv", "o")] == [Part.QKVO] * 2
    assert [ops[name].part for name in ("gate_up", "down")] == [Part.FFN] * 2
    assert ops["lm_head"].part is Part.LM_HEAD
    for name in ("qkv", "o", "gate_up", "down", "lm_head"):
        assert gemm(ops[name]).precision == PRECISIONS["bf16"]
        assert gemm(ops[name]).weights is WeightForm.DENSE
        assert gemm(ops[name]).weight_copies is None


@pytest.mark.parametrize(("make", "m"), [(prefill, PREFILL_M), (decode, DECODE_M)])
def test_gemm_shapes_separate(make: MakeScenario, m: int) -> None:
    ops = ops_by_name(LLAMA, make(BATCH, CONTEXT, Layout.SEPARATE))
    assert mnk(ops["q"]) == (m, 4096, 4096)
    assert mnk(ops["k"]) == mnk(ops["v"]) == (m, 1024, 4096)
    assert mnk(ops["o"]) == (m, 4096, 4096)
    assert mnk(ops["gate"]) == mnk(ops["up"]) == (m, 14336, 4096)
    assert mnk(ops["down"]) == (m, 4096, 14336)
    assert mnk(ops["lm_head"]) == (BATCH, 128256, 4096)


@pytest.mark.parametrize("layout", list(Layout))
def test_gemm_flops_by_hand(layout: Layout) -> None:
    # Weights of a block: q and o 4096^2, k and v 4096 x 1024, three of 4096 x 14336.
    block_weights = 2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336
    head = 2 * BATCH * 4096 * 128256
    assert block_weights == 218_103_808
    prefill_flop = 2 * PREFILL_M * 32 * block_weights + head
    decode_flop = 2 * DECODE_M * 32 * block_weights + head
    assert gemm_flop(model_ops(LLAMA, prefill(BATCH, CONTEXT, layout))) == prefill_flop == 55_838_777_540_608
    assert gemm_flop(model_ops(LLAMA, decode(BATCH, CONTEXT, layout))) == decode_flop == 60_037_267_456


def test_attention_shape() -> None:
    read = attention(ops_by_name(LLAMA, prefill(BATCH, CONTEXT))["attention"])
    assert (read.phase, read.batch, read.query_len, read.context_len) == (Phase.PREFILL, 4, 1000, 1000)
    step = attention(ops_by_name(LLAMA, decode(BATCH, CONTEXT))["attention"])
    assert (step.phase, step.batch, step.query_len, step.context_len) == (Phase.DECODE, 4, 1, 1000)
    for shape in (read, step):
        assert (shape.num_heads, shape.num_kv_heads, shape.head_dim) == (32, 8, 128)
        assert (shape.dtype, shape.kv_dtype, shape.window) == (DType.BF16, None, None)
        assert (shape.kept, shape.block) == (1.0, None)


@pytest.mark.parametrize(("make", "m"), [(prefill, PREFILL_M), (decode, DECODE_M)])
def test_elementwise_bytes_fused(make: MakeScenario, m: int) -> None:
    """(values read, values written, kernels) a token; each value is two bytes."""
    ops = ops_by_name(LLAMA, make(BATCH, CONTEXT))
    expected = {
        "embedding": (4096, 4096, 1),
        "attn_norm": (2 * 4096, 2 * 4096, 1),  # x and residual in; residual and y out
        "rotary": (4096 + 1024 + 128, 4096 + 1024, 1),  # q, k, and head_dim of cos and sin
        "kv_write": (2 * 1024, 2 * 1024, 1),
        "ffn_norm": (2 * 4096, 2 * 4096, 1),
        "activation": (2 * 14336, 14336, 1),
        "final_norm": (4096, 4096, 1),
    }
    for name, (reads, writes, kernels) in expected.items():
        shape = moved(ops[name])
        assert (shape.read_bytes, shape.write_bytes) == (m * reads * BF16, m * writes * BF16), name
        assert shape.kernels == kernels
        assert ops[name].part is Part.ELEMENTWISE


@pytest.mark.parametrize(("make", "m"), [(prefill, PREFILL_M), (decode, DECODE_M)])
def test_elementwise_bytes_separate(make: MakeScenario, m: int) -> None:
    ops = ops_by_name(LLAMA, make(BATCH, CONTEXT, Layout.SEPARATE))
    qk = 4096 + 1024
    # mul cos, neg of a half, cat, mul sin, add: for q and for k; each mul reads a table of head_dim.
    rotary_reads = qk + qk / 2 + qk + qk + 2 * qk + 4 * 128
    rotary_writes = qk + qk / 2 + qk + qk + qk
    expected = {
        "embedding": (4096, 4096, 1),
        "attn_norm": (4096, 4096, 1),
        "rotary": (rotary_reads, rotary_writes, 10),
        "kv_write": (2 * 1024, 2 * 1024, 2),
        "attn_residual": (2 * 4096, 4096, 1),
        "ffn_norm": (4096, 4096, 1),
        "activation": (14336 + 2 * 14336, 14336 + 14336, 2),  # silu, then the product
        "ffn_residual": (2 * 4096, 4096, 1),
        "final_norm": (4096, 4096, 1),
    }
    for name, (reads, writes, kernels) in expected.items():
        shape = moved(ops[name])
        assert (shape.read_bytes, shape.write_bytes) == (m * reads * BF16, m * writes * BF16), name
        assert shape.kernels == kernels
        assert ops[name].part is Part.ELEMENTWISE


@pytest.mark.parametrize("layout", list(Layout))
def test_only_embedding_rows_and_new_kv_are_compulsory(layout: Layout) -> None:
    ops = ops_by_name(LLAMA, prefill(BATCH, CONTEXT, layout))
    compulsory = {name: moved(op).compulsory_bytes for name, op in ops.items() if op.part is Part.ELEMENTWISE}
    assert compulsory.pop("embedding") == PREFILL_M * 4096 * BF16
    assert compulsory.pop("kv_write") == PREFILL_M * 2 * 8 * 128 * BF16
    assert set(compulsory.values()) == {0.0}


def test_residual_adds_move_the_same_bytes_as_their_real_places() -> None:
    """Engines run a plain first norm, 63 norms with the add before them, and a final norm with the last."""
    ops = model_ops(LLAMA, decode(1, 10))
    norms = [op for op in ops if op.name in ("attn_norm", "ffn_norm", "final_norm")]
    reads = sum(moved(op).read_bytes * op.count for op in norms)
    assert reads == 4096 * BF16 * (1 + 2 * 63 + 2)


def test_quantised_execution_leaves_head_attention_and_stream_in_16_bit() -> None:
    ops = ops_by_name(LLAMA, decode(1, 10, dtype="fp8", kv_dtype=DType.FP8))
    assert gemm(ops["qkv"]).precision == PRECISIONS["fp8"]
    assert gemm(ops["lm_head"]).precision == PRECISIONS["bf16"]
    assert attention(ops["attention"]).dtype is DType.BF16
    assert attention(ops["attention"]).kv_dtype is DType.FP8
    assert moved(ops["attn_norm"]).read_bytes == 2 * 4096 * BF16
    assert moved(ops["kv_write"]).write_bytes == 2 * 1024 * 1  # an fp8 cache
    assert moved(ops["kv_write"]).read_bytes == 2 * 1024 * BF16


def test_fp32_values_are_four_bytes() -> None:
    ops = ops_by_name(LLAMA, decode(1, 10, dtype="fp32"))
    assert moved(ops["activation"]).read_bytes == 2 * 14336 * 4

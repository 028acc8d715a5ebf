"""Published mixtures of experts, derived by hand: parameters, FLOPs, and bytes that a step must read."""

from __future__ import annotations

import numpy as np
import pytest

from infersim.cost.kernels import kernel_kind
from infersim.domain.arrays import as_array
from infersim.domain.dtypes import PRECISIONS
from infersim.domain.ops import Op, Part
from infersim.domain.shapes import Attention, Experts, Gemm, Phase
from infersim.workload.counts import active_parameters, parameters, weight_bytes
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.ops.model import model_ops
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution, Scenario

BATCH, CONTEXT = 16, 2048


def ops_of(name: str, phase: Phase, batch: int, context: int, dtype: str = "bf16") -> list[Op]:
    execution = Execution(precision=PRECISIONS[dtype])
    return list(
        model_ops(load_model(name), Scenario(phase=phase, batch=batch, context=context, execution=execution))
    )


def flop(ops: list[Op]) -> float:
    multiplying = (op for op in ops if isinstance(op.shape, Gemm | Attention | Experts))
    return sum(float(as_array(kernel_kind(op.shape).flop(op.shape) * op.count)) for op in multiplying)


def weights_read(ops: list[Op]) -> float:
    """Bytes of weights, those of experts that are hit once; rows of tokens left out."""
    total = 0.0
    for op in ops:
        shape = op.shape
        if isinstance(shape, Gemm):
            total += float(as_array(op.count * shape.n * shape.k)) * shape.precision.weight_bytes
        elif isinstance(shape, Experts):
            rows = 2 * shape.tokens * shape.hidden * shape.precision.output_bytes
            total += float(as_array(op.count)) * float(kernel_kind(shape).operand_bytes(shape) - rows)
    return total


def hit(experts: int, top_k: int, tokens: int) -> float:
    """Expected experts that some token chooses, where each draws evenly."""
    return experts * (1 - (1 - top_k / experts) ** tokens)


def hit_by_popularity(experts: int, top_k: int, tokens: int, exponent: float) -> float:
    """As `hit`, where the share of the expert of rank r falls as r to a power."""
    shares = np.arange(1, experts + 1.0) ** -exponent
    return float((1 - (1 - top_k * shares / shares.sum()) ** tokens).sum())


# Of each layer: attention, router, one expert; then norms of the layer, and table, head and last norm.
MIXTRAL_ATTENTION = 2 * 4096 * 4096 + 2 * 4096 * 1024
MIXTRAL_EXPERT = 3 * 4096 * 14336
QWEN3_ATTENTION = 2 * 2048 * 4096 + 2 * 2048 * 512
QWEN3_EXPERT = 3 * 2048 * 768
GPT_OSS_ATTENTION = (2880 * 4096 + 4096) + 2 * (2880 * 512 + 512) + (4096 * 2880 + 2880) + 64
GPT_OSS_EXPERT = 3 * 2880 * 2880 + 2 * 2880 + 2880
DEEPSEEK_ATTENTION = 7168 * 1536 + 1536 * 128 * 192 + 7168 * 576 + 512 * 128 * (128 + 128) + 128 * 128 * 7168
DEEPSEEK_EXPERT = 3 * 7168 * 2048

PARAMETERS = {
    "mixtral-8x7b": 32 * (MIXTRAL_ATTENTION + 8 * 4096 + 8 * MIXTRAL_EXPERT + 2 * 4096)
    + 2 * 32000 * 4096
    + 4096,
    "qwen3-30b-a3b": 48 * (QWEN3_ATTENTION + 128 * 2048 + 128 * QWEN3_EXPERT + 2 * 2048 + 2 * 128)
    + 2 * 151936 * 2048
    + 2048,
    "gpt-oss-120b": 36 * (GPT_OSS_ATTENTION + 128 * 2880 + 128 + 128 * GPT_OSS_EXPERT + 2 * 2880)
    + 2 * 201088 * 2880
    + 2880,
    "deepseek-v3": 61 * (DEEPSEEK_ATTENTION + 1536 + 512 + 2 * 7168)
    + 3 * 3 * 7168 * 18432
    + 58 * (256 * 7168 + 257 * DEEPSEEK_EXPERT)
    + 2 * 129280 * 7168
    + 7168,
}
IDLE = {
    "mixtral-8x7b": 32 * 6 * MIXTRAL_EXPERT,
    "qwen3-30b-a3b": 48 * 120 * QWEN3_EXPERT,
    "gpt-oss-120b": 36 * 124 * GPT_OSS_EXPERT,
    "deepseek-v3": 58 * 248 * DEEPSEEK_EXPERT,
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters(name: str) -> None:
    assert parameters(load_model(name)) == PARAMETERS[name]
    assert active_parameters(load_model(name)) == PARAMETERS[name] - IDLE[name]


def test_totals_are_those_of_the_files() -> None:
    """Sums of the published weight files' tensors; DeepSeek's without what corrects its routers' choice."""
    assert PARAMETERS["mixtral-8x7b"] == 46_702_792_704
    assert PARAMETERS["qwen3-30b-a3b"] == 30_532_122_624
    assert PARAMETERS["gpt-oss-120b"] == 116_829_156_672
    assert PARAMETERS["deepseek-v3"] + 58 * 256 == 671_026_419_200


# Multiplications of a token with weights, and FLOPs of one (query, key) pair in all layers of a kind.
MIXTRAL_TOKEN = 32 * (MIXTRAL_ATTENTION + 8 * 4096 + 2 * MIXTRAL_EXPERT)
QWEN3_TOKEN = 48 * (QWEN3_ATTENTION + 128 * 2048 + 8 * QWEN3_EXPERT)
GPT_OSS_TOKEN = 36 * (2 * 2880 * 4096 + 2 * 2880 * 512 + 128 * 2880 + 4 * 3 * 2880 * 2880)
DEEPSEEK_TOKEN = 61 * DEEPSEEK_ATTENTION + 3 * 3 * 7168 * 18432 + 58 * (256 * 7168 + 9 * DEEPSEEK_EXPERT)
PAIRS = CONTEXT * (CONTEXT + 1) // 2
WINDOW_PAIRS = 128 * 129 // 2 + (CONTEXT - 128) * 128

PREFILL_FLOP = {
    "mixtral-8x7b": 2 * CONTEXT * MIXTRAL_TOKEN + PAIRS * 32 * 4 * 32 * 128 + 2 * 32000 * 4096,
    "qwen3-30b-a3b": 2 * CONTEXT * QWEN3_TOKEN + PAIRS * 48 * 4 * 32 * 128 + 2 * 151936 * 2048,
    "gpt-oss-120b": 2 * CONTEXT * GPT_OSS_TOKEN
    + (PAIRS + WINDOW_PAIRS) * 18 * 4 * 64 * 64
    + 2 * 201088 * 2880,
    # Expanded: K of 192 channels, V of 128.
    "deepseek-v3": 2 * CONTEXT * DEEPSEEK_TOKEN + PAIRS * 61 * 2 * 128 * (192 + 128) + 2 * 129280 * 7168,
}

# kv_b is absorbed: each head's K part of 128 x 512, then its V part of 512 x 128; a key has 576, a value 512.
DECODE_FLOP = {
    "mixtral-8x7b": 2 * MIXTRAL_TOKEN + CONTEXT * 32 * 4 * 32 * 128 + 2 * 32000 * 4096,
    "qwen3-30b-a3b": 2 * QWEN3_TOKEN + CONTEXT * 48 * 4 * 32 * 128 + 2 * 151936 * 2048,
    "gpt-oss-120b": 2 * GPT_OSS_TOKEN + (CONTEXT + 128) * 18 * 4 * 64 * 64 + 2 * 201088 * 2880,
    "deepseek-v3": 2 * DEEPSEEK_TOKEN + CONTEXT * 61 * 2 * 128 * (576 + 512) + 2 * 129280 * 7168,
}


@pytest.mark.parametrize("name", PREFILL_FLOP)
def test_prefill(name: str) -> None:
    assert flop(ops_of(name, Phase.PREFILL, 1, CONTEXT)) == pytest.approx(PREFILL_FLOP[name], rel=1e-5)


@pytest.mark.parametrize("name", DECODE_FLOP)
def test_decode(name: str) -> None:
    found = flop(ops_of(name, Phase.DECODE, BATCH, CONTEXT))
    assert found == pytest.approx(BATCH * DECODE_FLOP[name], rel=1e-5)


# 16 bit but for gpt-oss, whose experts take 4 bit and an 8-bit scale for each 32 values.
MXFP4 = 0.5 + 1 / 32
DECODE_BYTES = {
    "mixtral-8x7b": 2 * 32 * (MIXTRAL_ATTENTION + 8 * 4096 + hit(8, 2, BATCH) * MIXTRAL_EXPERT)
    + 2 * 32000 * 4096,
    "qwen3-30b-a3b": 2 * 48 * (QWEN3_ATTENTION + 128 * 2048 + hit(128, 8, BATCH) * QWEN3_EXPERT)
    + 2 * 151936 * 2048,
    "gpt-oss-120b": 36
    * (
        2 * (2 * 2880 * 4096 + 2 * 2880 * 512 + 128 * 2880)
        + hit_by_popularity(128, 4, BATCH, 1.0) * MXFP4 * 3 * 2880 * 2880
    )
    + 2 * 201088 * 2880,
    "deepseek-v3": 2 * 61 * DEEPSEEK_ATTENTION
    + 2 * 3 * 3 * 7168 * 18432
    + 2 * 58 * (256 * 7168 + (1 + hit(256, 8, BATCH)) * DEEPSEEK_EXPERT)
    + 2 * 129280 * 7168,
}
CACHE_OF_A_TOKEN = {
    "mixtral-8x7b": 32 * 2 * 8 * 128 * 2,
    "qwen3-30b-a3b": 48 * 2 * 4 * 128 * 2,
    "deepseek-v3": 61 * 576 * 2,
}


@pytest.mark.parametrize("name", DECODE_BYTES)
def test_a_step_reads_the_experts_that_are_hit(name: str) -> None:
    read = weights_read(ops_of(name, Phase.DECODE, BATCH, CONTEXT))
    assert read == pytest.approx(DECODE_BYTES[name], rel=1e-3)


def test_many_tokens_read_all_experts_and_one_reads_its_own() -> None:
    model, execution = load_model("mixtral-8x7b"), Execution()
    table, norms = 2 * 32000 * 4096, 2 * (65 * 4096)
    prefill, one = (weights_read(ops_of("mixtral-8x7b", phase, 1, 512)) for phase in Phase)
    assert prefill == pytest.approx(weight_bytes(model, execution) - table - norms, rel=1e-6)
    assert one == pytest.approx(prefill - 2 * 32 * 6 * MIXTRAL_EXPERT, rel=1e-6)


@pytest.mark.parametrize("name", CACHE_OF_A_TOKEN)
def test_cache(name: str) -> None:
    scenario = Scenario(phase=Phase.DECODE, batch=BATCH, context=CONTEXT)
    cached = kv_cache_bytes(load_model(name), scenario)
    assert float(np.asarray(cached)) == BATCH * CONTEXT * CACHE_OF_A_TOKEN[name]


def test_windows_of_gpt_oss_keep_128_tokens_in_every_other_layer() -> None:
    scenario = Scenario(phase=Phase.DECODE, batch=1, context=CONTEXT)
    a_token = 2 * 8 * 64 * 2
    cached = float(np.asarray(kv_cache_bytes(load_model("gpt-oss-120b"), scenario)))
    assert cached == 18 * (CONTEXT + 128) * a_token


def test_weights_of_gpt_oss_are_those_of_its_files() -> None:
    """60.8 GiB, as its card says: 4 bit and an 8-bit scale for each 32 in experts, 16 bit around them."""
    stored = weight_bytes(load_model("gpt-oss-120b"), Execution())
    experts = 36 * 128 * 3 * 2880 * 2880
    assert stored == pytest.approx(2 * (PARAMETERS["gpt-oss-120b"] - experts) + MXFP4 * experts)
    assert stored / 2**30 == pytest.approx(60.8, abs=0.1)


def test_the_time_of_a_model_s_own_router_is_no_extra_work() -> None:
    ops = ops_of("deepseek-v3", Phase.DECODE, BATCH, CONTEXT)
    assert not [op.name for op in ops if op.part is Part.EXTRA]
    assert {op.part for op in ops if op.name in ("router", "experts", "shared_down")} == {Part.FFN}

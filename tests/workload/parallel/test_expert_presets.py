"""Published mixtures of experts on eight GPUs, by hand: parameters, FLOPs, cache and what is exchanged."""

from __future__ import annotations

import pytest

from infersim.cost.kernels import kernel_kind
from infersim.domain.arrays import as_array
from infersim.domain.shapes import Attention, Collective, Experts, Gemm, Phase
from infersim.workload.counts import parameters
from infersim.workload.memory import kv_cache_bytes
from infersim.workload.parallel.shares import gpu_share
from infersim.workload.presets import load_model
from infersim.workload.scenario import Scenario
from tests.workload.parallel.examples import exchanged, on, ops_on

GPUS = 8
BATCH, CONTEXT = 16, 2048

# Of one GPU: heads of q, k, v and o; whole routers and norms; an eighth of each expert and of the vocabulary.
PARAMETERS = {
    "mixtral-8x7b": 32 * ((2 * 512 + 2 * 128) * 4096 + 8 * 4096 + 8 * 3 * 4096 * 1792 + 2 * 4096)
    + 2 * 4000 * 4096
    + 4096,
    # Four KV heads: each stands on two GPUs.
    "qwen3-30b-a3b": 48 * ((2 * 512 + 2 * 128) * 2048 + 128 * 2048 + 128 * 3 * 2048 * 96 + 2 * 2048 + 2 * 128)
    + 2 * 18992 * 2048
    + 2048,
    # 360 channels of an expert are rounded up to 384; biases of results stand on each GPU.
    "gpt-oss-120b": 36
    * (
        (2880 * 512 + 512)
        + 2 * (2880 * 64 + 64)
        + (512 * 2880 + 2880)
        + 8
        + (128 * 2880 + 128)
        + 128 * (3 * 2880 * 384 + 2 * 384 + 2880)
        + 2 * 2880
    )
    + 2 * 25136 * 2880
    + 2880,
    # Matrices to latent vectors are whole; 16 heads of q_b, kv_b and o.
    "deepseek-v3": 61
    * (
        (7168 * 1536 + 1536 * 16 * 192 + 7168 * 576 + 512 * 16 * 256 + 16 * 128 * 7168)
        + (1536 + 512 + 2 * 7168)
    )
    + 3 * 3 * 7168 * 2304
    + 58 * (256 * 7168 + 257 * 3 * 7168 * 256)
    + 2 * 16160 * 7168
    + 7168,
}

HIDDEN_LAYERS_VOCABULARY = {
    "mixtral-8x7b": (4096, 32, 32000),
    "qwen3-30b-a3b": (2048, 48, 151936),
    "gpt-oss-120b": (2880, 36, 201088),
    "deepseek-v3": (7168, 61, 129280),
}

CACHE_OF_A_TOKEN = {
    "mixtral-8x7b": 32 * 2 * 128 * 2,
    "qwen3-30b-a3b": 48 * 2 * 128 * 2,
    "deepseek-v3": 61 * 576 * 2,
}

# Multiplications of a token that each GPU does whole, or that copies of KV heads add to an even part.
MORE_OF_A_TOKEN = {
    "mixtral-8x7b": 7 * 32 * 8 * 4096,
    "qwen3-30b-a3b": 7 * 48 * 128 * 2048 + 48 * 2 * 4 * 128 * 2048,
    "gpt-oss-120b": 7 * 36 * 128 * 2880 + 36 * 4 * 3 * 2880 * (8 * 384 - 2880),
    "deepseek-v3": 7 * (61 * 7168 * (1536 + 576) + 58 * 256 * 7168),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_of_one_of_eight(name: str) -> None:
    assert parameters(gpu_share(load_model(name), on(GPUS))) == PARAMETERS[name]


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("name", HIDDEN_LAYERS_VOCABULARY)
def test_what_eight_exchange(name: str, phase: Phase) -> None:
    hidden, layers, vocabulary = HIDDEN_LAYERS_VOCABULARY[name]
    tokens = BATCH * (CONTEXT if phase is Phase.PREFILL else 1)
    ops = ops_on(load_model(name), GPUS, phase, BATCH, CONTEXT)
    assert set(exchanged(ops)) == {
        "embedding_all_reduce",
        "attn_all_reduce",
        "ffn_all_reduce",
        "logits_all_gather",
    }
    # Layers of several kinds have ops of their own, of equal names.
    total = sum(
        float(as_array(op.shape.message_bytes)) * float(as_array(op.count))
        for op in ops
        if isinstance(op.shape, Collective)
    )
    assert total == (2 * layers + 1) * tokens * hidden * 2 + BATCH * vocabulary * 2


@pytest.mark.parametrize("name", CACHE_OF_A_TOKEN)
def test_cache_of_one_of_eight(name: str) -> None:
    scenario = Scenario(phase=Phase.DECODE, batch=BATCH, context=CONTEXT, execution=on(GPUS))
    cache = kv_cache_bytes(gpu_share(load_model(name), on(GPUS)), scenario)
    assert float(cache) == BATCH * CONTEXT * CACHE_OF_A_TOKEN[name]


@pytest.mark.parametrize("name", MORE_OF_A_TOKEN)
def test_flops_of_eight_are_those_of_the_whole_and_of_what_each_does(name: str) -> None:
    def flop(gpus: int) -> float:
        ops = ops_on(load_model(name), gpus, Phase.PREFILL, 1, CONTEXT)
        return sum(
            float(as_array(kernel_kind(op.shape).flop(op.shape) * op.count))
            for op in ops
            if isinstance(op.shape, Gemm | Attention | Experts)
        )

    assert GPUS * flop(GPUS) == pytest.approx(flop(1) + 2 * CONTEXT * MORE_OF_A_TOKEN[name], rel=1e-7)

"""Memory of an engine by hand, and freed weights that become KV blocks."""

from __future__ import annotations

from math import ceil, floor
from typing import Any

import pytest

import infersim as sim
from infersim.domain.errors import InfersimError
from infersim.simulation.speedups.columns import GIB
from tests.simulation.serving.examples import answer, dense

# By hand, in bytes. Each layer of a Llama holds q, o (h x h), k, v (h x 1024), gate, up, down (h x f) and two
# norms (h); the model an embedding and, unless tied, an LM head (v x h), and a last norm. 16 bit: two bytes.
#   llama-3.1-8b:  h 4096, f 14336, v 128256, 32 layers, head apart
#   llama-3.2-1b:  h 2048, f 8192, v 128256, 16 layers, tied, k and v 512 wide
#   qwen3-14b:     h 5120, f 17408, v 151936, 40 layers, head apart, norms of 128 for q and k
LLAMA_8B = 32 * (2 * 4096**2 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096) + 2 * 128256 * 4096 + 4096
LLAMA_1B = 16 * (2 * 2048**2 + 2 * 2048 * 512 + 3 * 2048 * 8192 + 2 * 2048) + 128256 * 2048 + 2048
QWEN_14B = (
    40 * (2 * 5120**2 + 2 * 5120 * 1024 + 3 * 5120 * 17408 + 2 * 5120 + 2 * 128) + 2 * 151936 * 5120 + 5120
)


def _activations(tokens: int, hidden: int, width: int) -> int:
    """Stream and normed input beside gate, up and their product."""
    return tokens * 2 * (2 * hidden + 3 * width)


@pytest.mark.parametrize(
    (
        "model",
        "gpu",
        "engine",
        "weights",
        "cache_share",
        "of",
        "activations",
        "reserve_gib",
        "token",
        "block",
    ),
    [
        # K and V of 8 heads of 128 in 32 layers: 2 x 1024 x 2 bytes x 32.
        (
            *("llama-3.1-8b", "h100-sxm", "vllm", LLAMA_8B, 0.9, "total"),
            *(_activations(8192, 4096, 14336), 1.0, 2 * 1024 * 2 * 32, 16),
        ),
        # Activations lie in the share that SGLang leaves.
        ("llama-3.2-1b", "l4", "sglang", LLAMA_1B, 0.8, "total", 0, 1.15, 2 * 512 * 2 * 16, 1),
        # TensorRT-LLM takes a share of what is free.
        (
            *("qwen3-14b", "a100-sxm-80gb", "tensorrt-llm", QWEN_14B, 0.8, "free"),
            *(_activations(8192, 5120, 17408), 1.0, 2 * 1024 * 2 * 40, 32),
        ),
    ],
)
def test_the_largest_concurrency_is_the_formula_by_hand(
    model: str,
    gpu: str,
    engine: str,
    weights: int,
    cache_share: float,
    of: str,
    activations: int,
    reserve_gib: float,
    token: int,
    block: int,
) -> None:
    total = sim.load_profile(gpu).memory.total_bytes
    beside = 2 * weights + activations + reserve_gib * GIB
    cache = cache_share * total - beside if of == "total" else cache_share * (total - beside)
    blocks = floor(cache / (token * block))
    of_request = ceil((1000 + 200) / block)
    row = sim.serve(model, gpu, prompt=1000, output=200, engine=engine, concurrency="max").iloc[0]
    assert row["kv_blocks"] == blocks
    assert row["max_concurrency"] == row["concurrency"] == min(blocks // of_request, 2048)
    assert row["cache_gib"] == pytest.approx(cache / GIB)


@pytest.mark.parametrize("family", ["static-m", "static-nk", "static-k-2:4"])
def test_weights_that_pruning_frees_become_kv_blocks(family: str) -> None:
    plan = sim.prune("llama-3.2-1b", family, 0.5)
    before, after = answer().memory, answer(plan).memory
    freed = before.weights_bytes - after.weights_bytes + before.activations_bytes - after.activations_bytes
    assert freed > 0
    assert after.cache_bytes - before.cache_bytes == pytest.approx(freed)
    block = float(after.cache_of(after.block_tokens))
    assert after.blocks == floor(after.cache_bytes / block)


def test_what_does_not_fit_says_how_much_is_missing_and_what_would_do() -> None:
    with pytest.raises(InfersimError, match=r"GiB are missing.*--dtype fp8, --gpus 2 or a GPU such as"):
        sim.serve("llama-3.1-70b", "h100-sxm", prompt=1000, output=200)
    pruned = sim.prune("llama-3.1-70b", "static-m", 0.7)
    frame = sim.serve([sim.load_model("llama-3.1-70b"), pruned], "h100-sxm", prompt=1000, output=200)
    assert frame["fits_memory"].tolist() == [False, True]
    assert frame["tpot_ms"].isna().tolist() == [True, False]
    needed = dense("llama-3.1-70b")
    missing = answer(needed).memory.missing_bytes(1200) / GIB
    assert f"{missing:.1f} GiB are missing" in frame["notes"].iloc[0]


def test_a_cache_in_eight_bit_holds_twice_the_tokens() -> None:
    wide, narrow = answer().memory, answer(kv_dtype="fp8").memory
    assert narrow.blocks // 2 == wide.blocks


@pytest.mark.parametrize(
    ("engine", "gpu", "asked", "cache"),
    [
        ("vllm", "b200-sxm", {}, "fp8"),
        ("vllm", "b200-sxm", {"kv_dtype": "bf16"}, "bf16"),
        ("vllm", "h100-sxm", {}, "bf16"),
        ("tensorrt-llm", "h100-sxm", {}, "fp8"),
        ("sglang", "b200-sxm", {}, "bf16"),
    ],
)
def test_where_weights_are_fp8_an_engine_has_its_own_cache_on_a_gpu(
    engine: str, gpu: str, asked: dict[str, Any], cache: str
) -> None:
    frame = sim.serve("llama-3.1-8b", gpu, prompt=64, output=8, dtype="fp8", engine=engine, **asked)
    assert frame["kv_dtype"].iloc[0] == cache


def test_a_smaller_gpu_reads_and_runs_less_at_once() -> None:
    """vLLM on 24 GB: 256 sequences at most, and the activations of 2,048 tokens."""
    found = answer(gpu="l4", prompt=16, output=16, concurrency=1000)
    assert found.steady.running[0, 0] == found.most[0] == 256
    assert found.memory.activations_bytes == _activations(2048, 2048, 8192)
    assert answer(prompt=16, output=16, concurrency=1000).steady.running[0, 0] == 1000

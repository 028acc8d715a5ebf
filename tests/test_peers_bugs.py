"""Bugs that other latency models have shipped, each as a test of infersim."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.domain.dtypes import DType
from infersim.domain.errors import UnknownNameError
from infersim.domain.shapes import Phase
from infersim.profile_files.profiles import list_profiles
from infersim.simulation.timing.timeline import Timeline, timeline
from infersim.workload.scenario import Scenario
from tests.toy_models import transformer_from_sizes

LINEARS = 32 * (4096 * 6144 + 4096 * 4096 + 3 * 4096 * 14336)
"""Block weights of Llama-3.1-8B: q, k, v stacked (32 + 2 x 8 heads of 128), o, gate and up, down."""

LM_HEAD = 128256 * 4096
CACHE_BYTES = 32 * 2 * 8 * 128 * 2
"""K and V of a token: 32 layers, 8 KV heads of 128, 2 bytes each."""


def decode(gpu: str, model: str = "llama-3.1-8b", context: int = 1024) -> Timeline:
    scenario = Scenario(phase=Phase.DECODE, batch=1, context=context)
    return timeline(sim.load_model(model), sim.load_profile(gpu), scenario)


@pytest.mark.parametrize(
    ("gpu", "bandwidth_gb_s", "floor_ms"), [("a100-sxm-80gb", 2039, 7.43), ("h100-sxm", 3350, 4.52)]
)
def test_gigabytes_are_not_taken_for_gibibytes(gpu: str, bandwidth_gb_s: float, floor_ms: float) -> None:
    """7.4 % of free bandwidth put two peers below what the memory can deliver."""
    physical_ms = (2 * (LINEARS + LM_HEAD) + 1024 * CACHE_BYTES) / (bandwidth_gb_s * 1e9) * 1e3
    assert physical_ms == pytest.approx(floor_ms, abs=0.005)
    found = decode(gpu)
    l2_ms = found.profile.chip.l2_bytes / (bandwidth_gb_s * 1e9) * 1e3
    embedding_and_new_cache_ms = (4096 * 2 + CACHE_BYTES) / (bandwidth_gb_s * 1e9) * 1e3
    assert found.floor_s * 1e3 == pytest.approx(physical_ms + embedding_and_new_cache_ms - l2_ms, rel=1e-9)
    assert found.latency_s * 1e3 > physical_ms


@pytest.mark.parametrize("gpu", ["a100-sxm-80gb", "h100-sxm"])
def test_decode_reads_every_weight_and_the_lm_head(gpu: str) -> None:
    """A peer's decode projections had no term for reading weights, and no LM head at all."""
    found = decode(gpu)
    parts, bandwidth = found.part_s(), found.profile.memory.bandwidth_bytes_per_s
    assert parts["lm_head"] >= 2 * LM_HEAD / bandwidth
    assert parts["qkvo"] + parts["ffn"] >= 2 * LINEARS / bandwidth
    assert found.costs.model_bytes.sum() >= 2 * (LINEARS + LM_HEAD) + 1024 * CACHE_BYTES


def test_values_are_not_taken_for_bytes() -> None:
    """A peer's 16-bit roofline counted elements; its decode was twice as fast as memory allows."""

    def moved_bytes(dtype: str) -> float:
        frame = sim.predict("llama-3.1-8b", "h100-sxm", phase="decode", context=1, dtype=dtype)
        return float(frame["floor_ms"].iloc[0]) / 1e3 * 3.35e12

    assert moved_bytes("bf16") > 1.99 * (LINEARS + LM_HEAD)
    # FP8 halves the block linears and leaves the LM head in 16 bit.
    assert moved_bytes("bf16") - moved_bytes("fp8") == pytest.approx(LINEARS, rel=1e-6)


def test_heads_that_share_keys_and_values_read_them_once() -> None:
    """A peer read the KV cache once for every query head."""

    def cache_s(kv_heads: int) -> float:
        model = transformer_from_sizes(
            hidden=4096, layers=32, num_heads=32, num_kv_heads=kv_heads, width=14336, vocab=32000
        )
        scenario = Scenario(phase=Phase.DECODE, batch=8, context=32768)
        return float(timeline(model, sim.load_profile("h100-sxm"), scenario).part_s()["attention"])

    assert cache_s(32) / cache_s(8) == pytest.approx(4, rel=0.1)
    assert cache_s(8) >= 8 * 32768 * CACHE_BYTES / 3.35e12


@pytest.mark.parametrize("gpu", list_profiles())
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_batch_one_works_on_every_gpu(gpu: str, phase: str) -> None:
    """A peer crashed at batch 1 on a GPU that was missing from a table."""
    dtype = "bf16" if DType.BF16 in sim.load_profile(gpu).matrix else "fp16"
    frame = sim.predict("llama-3.2-1b", gpu, phase=phase, batch=1, context=1, dtype=dtype)
    assert (frame["latency_ms"] > 0).all()


def test_an_unknown_gpu_is_an_error_that_names_the_known_ones() -> None:
    """A peer silently fell back to constants of its own."""
    with pytest.raises(UnknownNameError) as caught:
        sim.predict("llama-3.1-8b", "h900-sxm", context=128)
    assert "h100-sxm" in str(caught.value)
    assert all(name in str(caught.value) for name in list_profiles())

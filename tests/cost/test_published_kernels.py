"""Kernels that others tried, and facts about boards: the right value, and inside the interval."""

from __future__ import annotations

import pytest

import infersim as sim


def test_a_cold_matrix_is_read_whole_whatever_l2_holds() -> None:
    """One token times 4096 x 4096 on an A100, whose L2 of 40 MB could hold the matrix of 34 MB."""
    cold = sim.gemm_latency("a100-sxm-80gb", 1, 4096, 4096)
    assert cold.floor_s == pytest.approx(2 * 4096 * 4096 / 2039e9)
    assert 1.1 < cold.latency_s / cold.floor_s < 2.0
    # one matrix again and again stays in L2, and what L2 keeps is no floor's
    hot = sim.gemm_latency("a100-sxm-80gb", 1, 4096, 4096, weight_copies=1)
    assert hot.floor_s < cold.floor_s / 100


@pytest.mark.parametrize(
    ("gpu", "tflop_per_s"),
    [
        ("l4", 57.0),  # public runs at 8192 tokens and widths: half of the datasheet's 121
        ("a100-sxm-80gb", 271.0),
        ("h100-sxm", 794.0),
        ("b200-sxm", 1745.0),
    ],
)
def test_a_board_at_its_best_is_at_its_power_limit(gpu: str, tflop_per_s: float) -> None:
    """The best dense bf16 rates of public runs are what the power limit leaves of the datasheet's."""
    latency = sim.gemm_latency(gpu, 8192, 8192, 8192)
    flop = 2 * 8192.0**3
    assert flop / latency.upper_s / 1e12 < tflop_per_s
    limit = sim.load_profile(gpu).chip.tdp_w
    assert limit is not None
    # joules of a FLOP at that rate: the limit over the rate, less what launches and tails leave idle
    assert latency.watts == pytest.approx(limit, rel=0.1)

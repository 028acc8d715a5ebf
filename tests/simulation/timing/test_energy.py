"""Energy of whole steps, derived by hand for Llama-3.1-8B in bf16."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from infersim.cost.energy import PowerLaw, power_law
from infersim.domain.profile import Calibration
from infersim.domain.shapes import Phase
from infersim.profile_files.profiles import load_profile
from infersim.simulation.speedups.prediction import predict
from infersim.simulation.timing.timeline import Timeline, timeline
from infersim.workload.presets import load_model
from infersim.workload.scenario import Execution, Scenario

LAYERS, HIDDEN, WIDTH, HEADS, KV_HEADS, HEAD_DIM, VOCAB = 32, 4096, 14336, 32, 8, 128, 128256
TOKENS = 2048

QKV, OUT, GATE_UP, DOWN = (6144 * HIDDEN, HIDDEN * HIDDEN, 2 * WIDTH * HIDDEN, HIDDEN * WIDTH)
BLOCK_WEIGHTS = LAYERS * (QKV + OUT + GATE_UP + DOWN)  # 6.98e9
HEAD_WEIGHTS = VOCAB * HIDDEN  # 0.525e9

FREE = PowerLaw(
    idle_w=250.0,
    busy_w=0.0,
    joule_per_flop=0.5e-12,
    flop_per_s=load_profile("b200-sxm").bound_flop_per_s("bf16"),  # type: ignore[arg-type]
    joule_per_byte=40e-12,
    limit_w=1e9,
    log_half_width=0.1,
    calibration=Calibration.FITTED,
)
"""No limit and no busy SMs: what remains adds up on paper."""


def step(phase: Phase, execution: Execution | None = None) -> Timeline:
    scenario = Scenario(phase=phase, batch=1, context=TOKENS, execution=execution or Execution())
    return timeline(load_model("llama-3.1-8b"), load_profile("b200-sxm"), scenario)


def test_a_decode_step_by_hand() -> None:
    """15.0 GB of weights and 0.27 GB of KV cache, 2 FLOPs a weight and 4 a cached value of each head."""
    flop = 2 * (BLOCK_WEIGHTS + HEAD_WEIGHTS) + LAYERS * 4 * HEADS * HEAD_DIM * TOKENS
    moved = 2 * (BLOCK_WEIGHTS + HEAD_WEIGHTS) + LAYERS * 2 * TOKENS * KV_HEADS * HEAD_DIM * 2
    assert flop == pytest.approx(16.1e9, rel=0.01)
    assert moved == pytest.approx(15.28e9, rel=0.01)
    found = step(Phase.DECODE)
    joules = found.op_energy_j(FREE).sum()
    # 8 mJ for FLOPs, 611 mJ for bytes; activations, a few KB each, are 0.1 % of the bytes
    idle = 250.0 * float(found.latency_s)
    assert joules - idle == pytest.approx(0.5e-12 * flop + 40e-12 * moved, rel=3e-3)


def test_a_prefill_by_hand() -> None:
    """FLOPs of all tokens through the blocks and of one through the head; activations go out and in."""
    pairs = TOKENS * (TOKENS + 1) / 2
    flop = 2 * TOKENS * BLOCK_WEIGHTS + 2 * HEAD_WEIGHTS + LAYERS * 4 * HEADS * HEAD_DIM * pairs
    values_of_gemms = (HIDDEN + 6144) + 2 * HIDDEN + (HIDDEN + 2 * WIDTH) + (WIDTH + HIDDEN)
    # two norms (residual and x in and out), rotary and KV write (q, k, v), SwiGLU
    values_of_others = 2 * 4 * 2 * HIDDEN / 2 + 2 * 5120 + 2 * 2048 + 3 * WIDTH
    values_of_attention = 2 * HIDDEN + 2 * KV_HEADS * HEAD_DIM
    activations = 2 * TOKENS * LAYERS * (values_of_gemms + values_of_others + values_of_attention)
    moved = 2 * (BLOCK_WEIGHTS + HEAD_WEIGHTS) + activations
    found = step(Phase.PREFILL)
    joules = found.op_energy_j(FREE).sum() - 250.0 * float(found.latency_s)
    # 14.6 J for FLOPs, 1.5 J for bytes
    assert joules == pytest.approx(0.5e-12 * flop + 40e-12 * moved, rel=5e-3)


@pytest.mark.parametrize("phase", list(Phase))
def test_a_step_on_its_own_board_lies_between_idling_and_the_limit(phase: Phase) -> None:
    found = step(phase)
    energy = found.energy_j()
    law = power_law(load_profile("b200-sxm"))
    assert energy is not None
    assert law is not None
    watts = energy.joules / found.latency_s
    assert law.idle_w < watts <= law.limit_w
    free = replace(law, busy_w=0.0, limit_w=1e9)
    assert energy.joules <= found.op_energy_j(replace(law, limit_w=1e9)).sum()
    if phase is Phase.DECODE:
        assert energy.joules > found.op_energy_j(free).sum() * 0.95
    assert energy.lower_j < energy.joules < energy.upper_j <= law.limit_w * found.upper_s * (1 + 1e-9)


def test_a_host_that_is_late_costs_idle_power() -> None:
    graph, eager = step(Phase.DECODE), step(Phase.DECODE, Execution(cuda_graph=False))
    one, other = graph.energy_j(), eager.energy_j()
    assert one is not None
    assert other is not None
    waited_s = eager.latency_s - graph.latency_s
    assert waited_s > 1e-3
    assert other.joules - one.joules == pytest.approx(one.law.idle_w * waited_s, rel=1e-6)


def test_columns_are_joules_of_the_board_by_token_and_by_request() -> None:
    frame = predict("llama-3.1-8b", "b200-sxm", phase="both", batch=4, context=512)
    joules = frame["watts"] * frame["latency_ms"] / 1e3
    tokens = np.array([4 * 512, 4])
    np.testing.assert_allclose(frame["energy_j_per_token"] * tokens, joules)
    np.testing.assert_allclose(frame["energy_j_per_request"] * 4, joules)
    assert (frame["energy_lower_j_per_token"] < frame["energy_j_per_token"]).all()
    assert (frame["energy_j_per_token"] < frame["energy_upper_j_per_token"]).all()


def test_a_request_adds_its_prefill_and_its_steps() -> None:
    request = predict("llama-3.1-8b", "h100-sxm", request="classification")
    (row,) = request.to_dict("records")
    prefill = predict("llama-3.1-8b", "h100-sxm", phase="prefill", context=1024).iloc[0]
    assert row["energy_j_per_request"] > 0
    assert row["energy_calibration"] == prefill["energy_calibration"] == "transferred"


def test_a_board_without_a_known_limit_has_no_joules_but_a_row() -> None:
    gpu = load_profile("h100-sxm")
    unknown = replace(gpu, chip=replace(gpu.chip, tdp_w=None))
    row = predict("llama-3.1-8b", unknown, phase="decode", context=512).iloc[0]
    assert np.isnan(row["energy_j_per_token"])
    assert row["energy_calibration"] == "none"

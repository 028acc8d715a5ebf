"""Requests one by one: the closed form agrees, rates, percentiles, requests that are put off."""

from __future__ import annotations

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError
from infersim.simulation.serving.simulating import simulated
from tests.simulation.serving.examples import GPU, MODEL, answer, changed


@pytest.mark.parametrize(
    ("engine", "gpu", "prompt", "output", "concurrency"),
    [
        ("vllm", GPU, 512, 64, 16),
        ("tensorrt-llm", GPU, 2048, 32, 4),
        ("sglang", "l4", 3000, 40, 150),
        ("sglang", GPU, 4096, 64, 8),
    ],
)
def test_the_closed_form_agrees(engine: str, gpu: str, prompt: int, output: int, concurrency: int) -> None:
    options = {"prompt": prompt, "output": output, "concurrency": concurrency, "engine": engine}
    formula = sim.serve(MODEL, gpu, **options).iloc[0]  # type: ignore[arg-type]
    counted = sim.simulate_serving(MODEL, gpu, **options).iloc[0]  # type: ignore[arg-type]
    for name in ("tokens_per_s", "tpot_ms"):
        assert counted[name] == pytest.approx(formula[name], rel=0.05)


def test_few_requests_meet_an_idle_engine_and_many_queue() -> None:
    rare, often = (
        sim.simulate_serving(MODEL, GPU, prompt=256, output=32, rate=rate, requests=300).iloc[0]
        for rate in (1.0, 150.0)
    )
    alone = sim.serve(MODEL, GPU, prompt=256, output=32, concurrency=1).iloc[0]
    assert rare["ttft_p50_ms"] == pytest.approx(alone["ttft_ms"], rel=0.02)
    assert rare["tpot_p50_ms"] == pytest.approx(alone["tpot_ms"], rel=0.02)
    assert often["ttft_p50_ms"] < often["ttft_p90_ms"] <= often["ttft_p99_ms"]
    assert often["running"] > rare["running"]
    assert often["tpot_ms"] > rare["tpot_ms"]


def test_a_rate_that_is_too_high_is_refused_with_the_highest() -> None:
    with pytest.raises(InfersimError, match=r"rate = 1e\+06.*expected less than"):
        sim.simulate_serving(MODEL, GPU, prompt=256, output=32, rate=1e6)


def test_running_requests_are_put_off_where_the_cache_fills_up() -> None:
    # A cache of some 40 requests at their ends, and twice as many at their beginnings.
    tight = changed(memory={"share": 0.07, "reserve_gib": 0.0}, scheduler={"batched_tokens": 256})
    growing = answer(engine=tight, prompt=200, output=200, concurrency=120)
    ran = simulated(growing, 0, 0, rate=None, requests=360, seed=0)
    assert ran.running < 120
    assert ran.outputs.size > 100
    assert np.isfinite(ran.ttft_s).all()
    cached = ran.running * float(growing.memory.cache_of(300))
    assert cached < 1.1 * growing.memory.cache_bytes


def test_the_same_seed_serves_the_same_requests() -> None:
    one, two = (
        sim.simulate_serving(MODEL, GPU, prompt=64, output=8, rate=20.0, requests=50, seed=seed)
        for seed in (1, 1)
    )
    assert one["ttft_ms"].tolist() == two["ttft_ms"].tolist()


def test_more_clients_than_can_be_simulated_are_refused() -> None:
    with pytest.raises(sim.InfersimError, match=r"concurrency = 1000000; expected at most"):
        sim.simulate_serving(MODEL, GPU, prompt=64, output=8, concurrency=1_000_000, requests=10)

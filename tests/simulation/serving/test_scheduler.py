"""Requests one by one: the closed form agrees, rates, percentiles, requests that are put off."""

from __future__ import annotations

import numpy as np
import pytest

import infersim as sim
from infersim.domain.errors import InfersimError
from infersim.simulation.serving.scheduler import beginnings
from infersim.simulation.serving.simulating import _in_any_order, simulated
from tests.simulation.serving.examples import GPU, MODEL, answer, changed, dense


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


@pytest.mark.parametrize("concurrency", [4, 48])
def test_first_tokens_agree_where_requests_are_unlike_and_prompts_short(
    tmp_path: object, concurrency: int
) -> None:
    chance = np.random.default_rng(5)
    trace = tmp_path / "trace.csv"  # type: ignore[operator]
    prompts, outputs = chance.integers(16, 2000, 150), chance.integers(2, 120, 150)
    rows = "".join(f"{read},{written}\n" for read, written in zip(prompts, outputs, strict=True))
    trace.write_text("prompt,output\n" + rows, encoding="utf-8")
    for lengths in ({"trace": trace}, {"prompt": 1, "output": 60}):
        options = {**lengths, "concurrency": concurrency}
        formula = sim.serve(MODEL, "l4", **options).iloc[0]
        counted = sim.simulate_serving(MODEL, "l4", **options).iloc[0]
        for name, off in (("tokens_per_s", 0.05), ("tpot_ms", 0.05), ("ttft_ms", 0.15)):
            assert counted[name] == pytest.approx(formula[name], rel=off), (lengths, name)


@pytest.mark.parametrize("together", [1.0, 1.4, 2.5, 7.0])
def test_clients_begin_in_groups_of_that_size_on_average(together: float) -> None:
    begins = beginnings(200, together)
    sizes = [begins.count(first) for first in begins]
    assert np.mean(sizes) == pytest.approx(together, rel=0.03)
    assert begins == sorted(begins)
    assert beginnings(3, 3.0) == beginnings(3, 2.9) == [0, 0, 0]


def test_every_request_of_a_trace_comes_before_any_comes_again() -> None:
    places = _in_any_order(np.random.default_rng(0), 7, 17)
    assert sorted(places[:7]) == sorted(places[7:14]) == list(range(7))
    assert len(set(places[14:])) == 3


def test_windows_let_in_as_many_requests_as_the_closed_form_says() -> None:
    """Half of the layers keep 128 tokens of 8,200: counted by tokens, half as many requests would run."""
    tight = changed("tensorrt-llm", memory={"share": 0.02})
    windowed = answer(dense("gpt-oss-20b"), engine=tight, prompt=8100, output=100, concurrency=30)
    ran = simulated(windowed, 0, 0, rate=None, requests=90, seed=0)
    held = float(windowed.steady.running[0, 0])
    assert held < 30
    assert ran.running == pytest.approx(held, abs=1.0)


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

"""What pruning buys under load: three speedups, their causes, and targets."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError
from tests.simulation.serving.examples import GPU, MODEL

OPTIONS = {"prompt": 512, "output": 64, "concurrency": 16}


def test_speedups_are_products_of_faster_steps_and_a_larger_batch() -> None:
    plans = [sim.prune(MODEL, family, 0.5) for family in ("static-m", "static-nk")]
    frame = sim.compare_served(MODEL, plans, GPU, tpot_target_ms=8.0, **OPTIONS)  # type: ignore[arg-type]
    assert frame["plan"].tolist() == ["dense", "static-m 50 %", "static-nk 50 %"]
    for name in ("most", "target"):
        product = frame[f"{name}_faster"] * frame[f"{name}_batch"]
        assert frame[f"{name}_speedup"].to_numpy() == pytest.approx(product.to_numpy())
        rates = frame[f"{name}_tokens_per_s"]
        assert frame[f"{name}_speedup"].to_numpy() == pytest.approx((rates / rates.iloc[0]).to_numpy())
    dense = frame.iloc[0]
    assert dense[["speedup", "most_speedup", "target_speedup", "step_speedup"]].tolist() == [1, 1, 1, 1]
    assert (frame["speedup"].iloc[1:] > 1).all()
    assert (frame["memory_freed_gib"].iloc[1:] > 0).all()
    served = sim.serve(MODEL, GPU, **OPTIONS).iloc[0]  # type: ignore[arg-type]
    assert dense["tokens_per_s"] == pytest.approx(served["tokens_per_s"])


def test_the_target_is_kept_at_its_concurrency_and_not_at_the_next() -> None:
    plan = sim.prune(MODEL, "static-m", 0.5)
    frame = sim.compare_served(MODEL, plan, GPU, tpot_target_ms=6.0, **OPTIONS)  # type: ignore[arg-type]
    kept = int(frame["target_concurrency"].iloc[0])
    rows = sim.serve(MODEL, GPU, prompt=512, output=64, concurrency=[kept, kept + 1])
    assert rows["tpot_ms"].iloc[0] <= 6.0 < rows["tpot_ms"].iloc[1]


def test_where_memory_binds_a_plan_gains_by_its_batch() -> None:
    plan = sim.prune("llama-3.1-8b", "static-m", 0.5)
    row = sim.compare_served("llama-3.1-8b", plan, "l4", prompt=2000, output=500, concurrency=32).iloc[1]
    assert row["most_batch"] > 1.1
    assert row["most_speedup"] > row["step_speedup"]


def test_targets_that_nothing_reaches_name_the_best() -> None:
    plan = sim.prune(MODEL, "static-m", 0.5)
    with pytest.raises(
        InvalidValueError, match=r"tpot target = 0.1; expected at least .* ms, the best that is reached"
    ):
        sim.compare_served(MODEL, plan, GPU, tpot_target_ms=0.1, **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match=r"ttft target = 0.1; expected at least"):
        sim.compare_served(MODEL, plan, GPU, ttft_target_ms=0.1, **OPTIONS)  # type: ignore[arg-type]
    with pytest.raises(InvalidValueError, match="one number of requests"):
        sim.compare_served(MODEL, plan, GPU, prompt=8, output=8, concurrency=[1, 2])

"""Sweeps of services: the rows of `serve`, cut into chunks and summed up like all others."""

from __future__ import annotations

from pathlib import Path

import pytest

import infersim as sim
from infersim.domain.errors import FileContentError
from infersim.simulation.sweeping.resolved import resolve_sweep
from infersim.simulation.sweeping.result import sweep_summary

PLAN = {
    "model": "llama-3.2-1b",
    "gpu": ["h100-sxm", "l4"],
    "family": ["static-m", "static-nk"],
    "sparsity": 0.5,
    "serve": {"prompt": [128, 512], "output": [16, 64], "concurrency": [1, 8, 64]},
}


@pytest.mark.slow
def test_rows_are_those_of_serve_beside_the_dense_model(tmp_path: Path) -> None:
    result = sim.sweep(PLAN, tmp_path / "served.parquet", chunk_rows=40)
    frame = result.frame()
    assert len(frame) == resolve_sweep(PLAN).rows == 2 * 2 * 2 * 2 * 3
    plan = sim.prune("llama-3.2-1b", "static-m", 0.5)
    mine = frame[(frame["plan"] == plan.title) & (frame["gpu"] == "l4")]
    served = [
        sim.serve(model, "l4", prompt=[128, 512], output=[16, 64], concurrency=[1, 8, 64])
        for model in (plan, plan.base)
    ]
    assert mine["tpot_ms"].to_numpy() == pytest.approx(served[0]["tpot_ms"].to_numpy())
    speedup = served[0]["tokens_per_s"] / served[1]["tokens_per_s"]
    assert mine["predicted"].to_numpy() == pytest.approx(speedup.to_numpy())


def test_a_sweep_of_services_is_summed_up_by_case() -> None:
    result = sim.sweep(PLAN)
    means = sweep_summary(result)
    assert len(means) == 4
    assert (means["scenarios"] == 12).all()
    assert (means["predicted"] > 1).all()
    assert "static-m is the fastest" in str(sim.summary(result))


def test_services_stand_in_a_plan_of_their_own() -> None:
    with pytest.raises(FileContentError, match=r"context = \[512\]; expected no such key beside serve"):
        sim.sweep({**PLAN, "context": 512})
    with pytest.raises(FileContentError, match=r"serve\[0\] = 'vlm'; expected a known engine: vllm"):
        sim.sweep({**PLAN, "serve": {"prompt": 8, "output": 8, "concurrency": 1, "engine": "vlm"}})
    with pytest.raises(FileContentError, match=r"serve\[0\].output"):
        sim.sweep({**PLAN, "serve": {"prompt": 8, "concurrency": 1}})

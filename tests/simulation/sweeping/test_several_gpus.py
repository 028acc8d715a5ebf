"""Sweeps over numbers of GPUs: rows of each, and what cannot be shared or linked left out with its reason."""

from __future__ import annotations

import infersim as sim

PLAN = {
    "model": "llama-3.1-8b",
    "gpu": ["h100-sxm", "jetson-orin-agx"],
    "gpus": [1, 2],
    "family": "static-nk",
    "sparsity": [0.125, 0.5],
    "phase": "decode",
    "context": 1024,
}


def test_each_number_has_its_rows_and_the_rest_its_reasons() -> None:
    found = sim.sweep(PLAN)
    frame = found.frame()
    counted = frame.groupby(["gpu", "gpus", "plan"], observed=True).size()
    assert set(counted.index) == {
        ("h100-sxm", 1, "static-nk 12.5 %"),
        ("h100-sxm", 1, "static-nk 50 %"),
        ("h100-sxm", 2, "static-nk 50 %"),
        ("jetson-orin-agx", 1, "static-nk 12.5 %"),
        ("jetson-orin-agx", 1, "static-nk 50 %"),
    }
    told = {each.what: (each.reason, each.scenarios) for each in found.left_out}
    assert told["static-nk 12.5 % on 2 GPUs"][0].startswith("7 KV heads and 2 GPUs")
    assert "jetson-orin-agx" in told["2 x jetson-orin-agx"][0]
    assert sum(scenarios for _, scenarios in told.values()) + len(frame) == 8
    assert set(sim.summary(found).verdict.sentences)


def test_services_are_swept_over_gpus() -> None:
    serve = {"prompt": 256, "output": 32, "concurrency": 4}
    plan = {name: value for name, value in PLAN.items() if name not in ("context", "phase")}
    frame = sim.sweep(plan | {"gpu": "h100-sxm", "sparsity": 0.5, "serve": serve}).frame()
    assert frame["gpus"].tolist() == [1, 2]
    assert frame["tpot_ms"].is_monotonic_decreasing

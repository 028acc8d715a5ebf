"""Services of models that several GPUs share: memory turned into batch, rates, price and energy."""

from __future__ import annotations

import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError

MODEL, GPU = "llama-3.1-70b", "h100-sxm"


def test_memory_of_more_gpus_becomes_batch_and_all_are_paid() -> None:
    two, eight = (
        sim.serve(
            MODEL, GPU, prompt=1000, output=200, concurrency=8, gpus=gpus, price_per_hour=2.0, dtype="fp8"
        ).iloc[0]
        for gpus in (2, 8)
    )
    assert (two["gpus"], eight["gpus"]) == (2, 8)
    # Each GPU has a quarter of the weights that it had, and a KV head instead of four.
    assert eight["weights_gib"] == pytest.approx(two["weights_gib"] / 4, rel=0.01)
    assert two["max_concurrency"] < 400
    assert eight["max_concurrency"] == 1024  # as many as the engine runs
    assert eight["tpot_ms"] < two["tpot_ms"]
    assert eight["tokens_per_s_per_gpu"] == pytest.approx(eight["tokens_per_s"] / 8)
    paid = {row["gpus"]: 2.0 * row["gpus"] / 3600 / row["tokens_per_s"] * 1e6 for row in (two, eight)}
    for row in (two, eight):
        assert row["price_per_million"] == pytest.approx(paid[row["gpus"]])
    assert eight["energy_j_per_token"] > two["energy_j_per_token"]


def test_plans_on_several_gpus_free_memory_on_each() -> None:
    frame = sim.compare_served(
        MODEL, [sim.prune(MODEL, "static-m", 0.5)], GPU, prompt=500, output=100, concurrency=16, gpus=4
    )
    plan = frame.iloc[1]
    assert plan["memory_freed_gib"] == pytest.approx(80 / 2 * 0.00398 * 100, rel=0.05)
    assert 1.5 < plan["speedup"] < 2.0


def test_services_are_simulated_on_several_gpus() -> None:
    closed = sim.serve(MODEL, GPU, prompt=64, output=16, concurrency=4, gpus=8).iloc[0]
    counted = sim.simulate_serving(MODEL, GPU, prompt=64, output=16, concurrency=4, gpus=8).iloc[0]
    assert counted["gpus"] == 8
    assert counted["tokens_per_s_per_gpu"] == pytest.approx(counted["tokens_per_s"] / 8)
    assert counted["tpot_ms"] == pytest.approx(closed["tpot_ms"], rel=0.15)


def test_an_engine_exchanges_as_its_file_says() -> None:
    own, library = (
        sim.serve(MODEL, GPU, prompt=64, output=64, concurrency=1, gpus=8, engine=engine).iloc[0]
        for engine in ("vllm", "transformers")
    )
    assert own["step_ms"] - own["host_ms"] < library["step_ms"] - library["host_ms"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpus": 3}, r"gpus = 3; expected 1, 2, 4, 8"),
        ({"gpus": 16}, r"gpus = 16; expected at most 8, the GPUs of a node of h100-sxm"),
        ({"gpus": 0}, r"gpus = 0; expected an integer from 1"),
        ({"gpus": 2, "expert_parallel": True}, r"expert_parallel = True; expected false"),
        ({"gpus": 2, "engine": "pruninginfersim"}, r"gpus = 2; expected 1: PruningInferSim"),
    ],
)
def test_what_no_node_serves_is_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        sim.serve(MODEL, GPU, prompt=8, output=8, **options)  # type: ignore[arg-type]

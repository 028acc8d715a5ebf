"""Models that several GPUs share: the chain's last factor, energy and memory, and what cannot be shared."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import infersim as sim
from infersim.domain.errors import InvalidValueError
from infersim.simulation.speedups.chain import FACTORS
from infersim.simulation.speedups.scenarios import Scenarios
from infersim.simulation.speedups.sharing import shared_plans, why_not_linked
from infersim.workload.scenario import Execution

MODEL, GPU = "llama-3.1-70b", "h100-sxm"
COUNTS = (1, 2, 4, 8)


@pytest.fixture(scope="module")
def compared() -> pd.DataFrame:
    model = sim.load_model(MODEL)
    plans = [
        sim.prune(model, family, 0.5)
        for family in ("static-m", "static-nk", "static-k-lowrank", "static-k-2:4", "static-nk-cross")
    ]
    return sim.compare(model, plans, GPU, phase="both", batch=[1, 32], context=2048, gpus=list(COUNTS))


def test_factors_multiply_to_the_prediction_on_any_number_of_gpus(compared: pd.DataFrame) -> None:
    factors = [f"loss_{name}" for name in FACTORS if name != "unexplained"]
    product = compared["flops"] * compared[factors].prod(axis=1)
    np.testing.assert_allclose(product, compared["predicted"], rtol=1e-12)
    assert factors[-1] == "loss_communication"


def test_one_gpu_exchanges_nothing(compared: pd.DataFrame) -> None:
    alone = compared[compared["gpus"] == 1]
    assert (alone["loss_communication"] == 1.0).all()
    assert (alone["ms_communication"] == 0.0).all()
    assert (compared.loc[compared["gpus"] > 1, "ms_communication"] > 0).all()


def test_what_flops_promise_does_not_depend_on_the_number_of_gpus(compared: pd.DataFrame) -> None:
    for name in ("flops", "flops_removed"):
        of_plan = compared.groupby(["plan", "phase", "batch"])[name]
        np.testing.assert_allclose(of_plan.max(), of_plan.min(), rtol=1e-9)


def test_plans_that_leave_communication_gain_less_on_more_gpus(compared: pd.DataFrame) -> None:
    for _, rows in compared[compared["family"] == "static-nk"].groupby(["phase", "batch"]):
        assert (np.diff(rows.sort_values("gpus")["predicted"]) < 0).all()
    # Removed layers take their exchanges with them.
    layers = compared[compared["family"] == "static-m"]
    np.testing.assert_allclose(layers["predicted"], 2.0, rtol=0.03)


def test_parts_add_up_and_no_prediction_beats_its_floor(compared: pd.DataFrame) -> None:
    parts = compared[[name for name in compared if str(name).startswith("ms_")]]
    np.testing.assert_allclose(parts.sum(axis=1), compared["latency_ms"])
    assert (compared["floor_ms"] <= compared["lower_ms"]).all()


def test_all_boards_are_paid_and_each_has_its_part_of_the_memory() -> None:
    frame = sim.predict(MODEL, GPU, phase="decode", batch=8, context=4096, gpus=[1, 8])
    alone, shared = (row for _, row in frame.iterrows())
    assert alone["fits_memory"] < shared["fits_memory"]
    assert alone["memory_gib"] / 8 < shared["memory_gib"] < alone["memory_gib"] / 7
    assert alone["latency_ms"] / 8 < shared["latency_ms"] < alone["latency_ms"] / 3
    assert alone["watts"] < shared["watts"] <= 8 * 700
    joules = shared["watts"] * shared["latency_ms"] / 1e3
    assert joules == pytest.approx(shared["energy_j_per_request"] * 8)


def test_an_option_of_one_gpu_changes_nothing() -> None:
    asked = {"phase": "both", "batch": [1, 8], "context": 1024}
    one = sim.predict("llama-3.2-1b", "l4", **asked, gpus=1)  # type: ignore[arg-type]
    pd.testing.assert_frame_equal(one, sim.predict("llama-3.2-1b", "l4", **asked))  # type: ignore[arg-type]


def test_requests_are_shared_too() -> None:
    frame = sim.predict("llama-3.1-8b", GPU, request="generation", batch=4, gpus=[1, 4])
    assert frame["gpus"].tolist() == [1, 4]
    assert frame["latency_ms"].is_monotonic_decreasing
    assert frame["ms_communication"].iloc[1] > 0


def test_more_gpus_than_a_node_has_are_refused() -> None:
    with pytest.raises(InvalidValueError, match=r"gpus = 16; expected at most 8, the GPUs of a node of h100"):
        sim.predict(MODEL, GPU, context=512, gpus=16)
    profile = sim.load_profile(GPU)
    assert "at most 8" in why_not_linked(profile, [Execution(gpus=16)])
    assert why_not_linked(profile, [Execution(gpus=8), Execution()]) == ""


def test_gpus_that_do_not_divide_a_model_are_refused_with_those_that_do() -> None:
    with pytest.raises(InvalidValueError, match=r"gpus = 3; expected 1, 2, 4, 8, .* 64 query heads"):
        sim.predict(MODEL, GPU, context=512, gpus=3)
    with pytest.raises(InvalidValueError, match="has no experts"):
        sim.predict(MODEL, GPU, context=512, gpus=8, expert_parallel=True)
    with pytest.raises(InvalidValueError, match=r"gpus = 0; expected an integer from 1"):
        sim.predict(MODEL, GPU, context=512, gpus=[2, 0])


def test_plans_that_do_not_divide_are_told_apart() -> None:
    model = sim.load_model(MODEL)
    plans = [sim.prune(model, "static-nk", sparsity) for sparsity in (0.125, 0.5)]
    sharing = shared_plans(plans, Scenarios.of(context=512, gpus=[1, 8]).executions())
    assert sharing.plans == (plans[1],)
    (reason,) = sharing.left_out
    assert reason == "static-nk 12.5 %: 7 KV heads and 8 GPUs: neither is a multiple of the other"


def test_advice_looks_for_what_gpus_can_share() -> None:
    needed = {
        gpus: sim.sparsity_for(
            MODEL, GPU, 1.2, chosen="static-nk", phase="decode", context=2048, gpus=gpus
        ).iloc[0]
        for gpus in (1, 8)
    }
    # On eight GPUs 8 KV heads can only become 4, 2 or 1, and a speedup takes more.
    assert needed[1]["sparsity"] < needed[8]["sparsity"]
    assert needed[8]["gpus"] == 8
    assert (sim.free_widths(MODEL, GPU, 0.3, phase="decode", context=2048, gpus=8)["asked"] % 8 == 0).all()


@pytest.mark.slow
def test_a_frontier_leaves_out_what_gpus_cannot_share() -> None:
    found = sim.frontier("llama-3.1-8b", GPU, phase="decode", context=2048, gpus=8)
    alone = sim.frontier("llama-3.1-8b", GPU, phase="decode", context=2048)
    assert set(found.points["gpus"]) == {8}
    lost = set(alone.points["plan"]) - set(found.points["plan"])
    assert lost
    assert all(any(reason.startswith(f"{plan}: ") for reason in found.left_out) for plan in lost)

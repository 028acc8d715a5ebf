"""`compare`: the frame that tables, figures and verdicts are made of."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from infersim.domain.errors import InvalidValueError
from infersim.pruning.composition import prune
from infersim.pruning.families.registry import suitable_families
from infersim.pruning.plan import Plan
from infersim.simulation.measured.table import MeasuredSpeedup, MeasuredTable, Scope, Timed, Unit
from infersim.simulation.speedups.chain import FACTORS
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.prediction import predict
from infersim.workload.presets import load_model

LLAMA = "llama-3.1-8b"
ADDED = [
    "family",
    "sparsity",
    "sparsity_realised",
    "params_removed",
    "flops_removed",
    "bytes_removed",
    "flops",
    "bound",
    "ceiling",
    "predicted",
    "predicted_lower",
    "predicted_upper",
    "measured",
    "attainment",
    "static_m_equivalent",
]


def plan(family: str = "static-nk", sparsity: float = 0.5) -> Plan:
    return prune(load_model(LLAMA), family, sparsity)


def measurement(**changes: Any) -> MeasuredSpeedup:
    values: dict[str, Any] = {
        "id": "own",
        "source": "own.csv",
        "locator": "line 2",
        "gpu": "h100-sxm",
        "model": LLAMA,
        "family": "static-m",
        "sparsity": 0.5,
        "phase": Timed.DECODE,
        "batch": 1,
        "context": 1024,
        "measured_speedup": 1.7,
    }
    return MeasuredSpeedup(**(values | changes))


def static_m_row(measured: MeasuredTable | Path | None) -> pd.Series:
    frame = compare(
        LLAMA, plan("static-m"), "h100-sxm", phase="decode", batch=1, context=1024, measured=measured
    )
    return frame.iloc[0]


def test_every_family_in_both_phases_multiplies_out() -> None:
    plans = [plan(family.name) for family in suitable_families(load_model(LLAMA))]
    frame = compare(
        LLAMA, plans, ["rtx-pro-6000", "a100-sxm-80gb"], phase="both", batch=[1, 16], context=[512, 32768]
    )
    assert len(frame) == len(plans) * 2 * 2 * 4
    product = frame["flops"].copy()
    for name in FACTORS[:-1]:
        product *= frame[f"loss_{name}"]
    np.testing.assert_allclose(product, frame["predicted"], rtol=1e-9)
    np.testing.assert_allclose(frame["predicted"], frame["dense_ms"] / frame["latency_ms"], rtol=1e-9)
    np.testing.assert_allclose(frame["attainment"], frame["predicted"] / frame["bound"], rtol=1e-12)
    assert (frame["ceiling"] >= frame["predicted"]).all()
    assert set(ADDED) <= set(frame.columns)
    assert not frame.duplicated(["gpu", "phase", "family", "batch", "context"]).any()


def test_latencies_are_those_of_predict() -> None:
    compared = compare(LLAMA, plan(), "l40s", phase="both", batch=[1, 8], context=2048)
    pruned = predict(plan(), "l40s", phase="both", batch=[1, 8], context=2048)
    dense = predict(LLAMA, "l40s", phase="both", batch=[1, 8], context=2048)
    for name in ("latency_ms", "lower_ms", "upper_ms", "floor_ms", "ms_ffn", "memory_gib"):
        np.testing.assert_allclose(compared[name], pruned[name], rtol=1e-6)
    np.testing.assert_allclose(compared["dense_ms"], dense["latency_ms"], rtol=1e-6)


def test_a_sweep_of_scenarios_is_each_scenario_alone() -> None:
    together = compare(LLAMA, plan("dynamic-m"), "a10", phase="both", batch=[1, 8], context=[256, 4096])
    alone = pd.concat(
        compare(LLAMA, plan("dynamic-m"), "a10", phase=phase, batch=batch, context=context)
        for phase in ("prefill", "decode")
        for batch in (1, 8)
        for context in (256, 4096)
    ).reset_index(drop=True)
    numbers = together.select_dtypes("number").columns
    np.testing.assert_allclose(together[numbers], alone[numbers], rtol=1e-5)


def test_what_a_plan_removes_by_hand() -> None:
    # Half of the layers: half of the linears and of the attention; embedding and LM head stay.
    row = compare(LLAMA, plan("static-m"), "h100-sxm", phase="decode", batch=1, context=1024).iloc[0]
    linears, table = 32 * (4096 * 6144 + 4096 * 4096 + 3 * 4096 * 14336), 128256 * 4096
    norms = 4096 * 65
    assert row["params_removed"] == pytest.approx((linears + 64 * 4096) / 2 / (linears + 2 * table + norms))
    attention = 32 * 4 * 32 * 128 * 1024
    flop = 2 * (linears + table) + attention
    assert row["flops_removed"] == pytest.approx((2 * linears + attention) / 2 / flop)
    cache = 32 * 2 * 1024 * 1024 * 2
    moved = 2 * (linears + table) + cache + 2 * 4096 + 32 * 2 * 1024 * 2  # embedding row, new K and V
    assert row["bytes_removed"] == pytest.approx((2 * linears + cache + 32 * 2 * 1024 * 2) / 2 / moved)
    assert row["static_m_equivalent"] == pytest.approx(0.5)


def test_a_measured_point_ends_the_chain_and_decides_attainment() -> None:
    row = static_m_row(MeasuredTable.of([measurement()]))
    assert row["measured"] == 1.7
    assert row["measured_scope"] == "point"
    assert row["measured_source"] == "own.csv, line 2"
    assert row["attainment"] == pytest.approx(1.7 / row["bound"])
    assert row["predicted"] * row["loss_unexplained"] == pytest.approx(1.7, rel=1e-9)


@pytest.mark.parametrize("scope", [Scope.HOST_BOUND, Scope.MEAN])
def test_other_measurements_are_shown_and_not_set_against_the_prediction(scope: Scope) -> None:
    changes: dict[str, Any] = {"scope": scope}
    if scope is Scope.MEAN:
        changes |= {"batch": None, "context": None}
    row = static_m_row(MeasuredTable.of([measurement(**changes)]))
    assert row["measured"] == 1.7
    assert row["measured_scope"] == scope
    assert row["attainment"] == pytest.approx(row["predicted"] / row["bound"])
    assert np.isnan(row["loss_unexplained"])


@pytest.mark.parametrize("other", [{"gpu": "h200-sxm"}, {"batch": 2}, {"sparsity": 0.25}, {"dtype": "fp8"}])
def test_a_measurement_of_something_else_is_not_shown(other: dict[str, Any]) -> None:
    row = static_m_row(MeasuredTable.of([measurement(**other)]))
    assert np.isnan(row["measured"])
    assert row["measured_source"] == ""


def test_the_ceiling_starts_from_the_longer_dense_latency() -> None:
    alone = static_m_row(None)
    for milliseconds in (1000.0, 0.001):
        timed = measurement(unit=Unit.MILLISECONDS, dense=milliseconds, pruned=milliseconds / 1.7)
        row = static_m_row(MeasuredTable.of([timed]))
        longest = max(milliseconds, alone["dense_ms"])
        assert row["ceiling"] == pytest.approx(longest / row["floor_ms"])


def test_measurements_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text(
        "gpu,model,family,sparsity,phase,batch,context,measured_speedup\n"
        f"h100-sxm,{LLAMA},static-m,0.5,decode,1,1024,1.6\n",
        encoding="utf-8",
    )
    assert static_m_row(file)["measured"] == 1.6


def test_published_means_stand_beside_predictions_without_being_asked_for() -> None:
    frame = compare(
        LLAMA, plan("static-nk"), "rtx-pro-6000", phase="prefill", context=32768, execution="separate"
    )
    assert frame["measured"].tolist() == [1.77]
    assert frame["measured_scope"].tolist() == ["mean"]


def test_a_request_is_compared_as_a_whole() -> None:
    frame = compare(LLAMA, plan(), "h100-sxm", request="generation", batch=[1, 8])
    assert frame["phase"].tolist() == ["request", "request"]
    dense = predict(LLAMA, "h100-sxm", request="generation", batch=[1, 8])
    np.testing.assert_allclose(frame["dense_ms"], dense["latency_ms"], rtol=1e-6)
    product = frame["flops"].copy()
    for name in FACTORS[:-1]:
        product *= frame[f"loss_{name}"]
    np.testing.assert_allclose(product, dense["latency_ms"] / frame["latency_ms"], rtol=1e-6)


def test_memory_of_dense_and_plan_are_told_apart() -> None:
    row = compare(LLAMA, plan("static-m"), "rtx-5080", phase="decode", context=128).iloc[0]
    assert not row["dense_fits_memory"]
    assert row["fits_memory"]


def test_a_composed_plan_has_no_single_sparsity() -> None:
    composed = prune(plan("static-m", 0.25), "static-nk", 0.25)
    row = compare(LLAMA, composed, "h100-sxm", phase="decode", context=128).iloc[0]
    assert row["family"] == "static-m + static-nk"
    assert row["plan"] == composed.title
    assert row["targets"] == "attention ffn qkvo"
    assert np.isnan(row["sparsity"])
    assert 0.4 < row["sparsity_realised"] < 0.5


def test_plans_of_another_model_are_refused() -> None:
    with pytest.raises(InvalidValueError, match="plans made of qwen3-8b"):
        compare("qwen3-8b", plan(), "h100-sxm", context=128)


def test_no_plan_is_told() -> None:
    with pytest.raises(InvalidValueError, match="at least one plan"):
        compare(LLAMA, [], "h100-sxm", context=128)

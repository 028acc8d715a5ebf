"""What figures are drawn from: ops that add up to the comparison, curves through the plans asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from infersim.pruning.composition import prune
from infersim.pruning.families.registry import suitable_families
from infersim.report.core.scenarios import MAX_SHOWN, shown_scenarios
from infersim.report.speedups.gathering import (
    SPARSITIES,
    ComparisonReport,
    curve_name,
    curve_plans,
    gather_comparison,
)
from infersim.report.speedups.prediction_page import gather_prediction
from infersim.simulation.speedups.columns import with_joined_notes
from infersim.simulation.speedups.comparison import compare
from infersim.simulation.speedups.prediction import predict
from infersim.workload.presets import load_model
from tests.report.handmade import comparison

KEYS = ["phase", "batch", "context", "plan"]


def test_ops_sum_to_the_latency_of_their_plan(report: ComparisonReport) -> None:
    totals = report.ops.groupby(KEYS)["latency_ms"].sum()
    expected = report.comparison.set_index(KEYS)["latency_ms"]
    pd.testing.assert_series_equal(totals.loc[expected.index], expected, check_names=False, rtol=1e-6)
    dense = totals.xs("dense", level="plan")
    expected = report.comparison.set_index(KEYS[:3])["dense_ms"].groupby(KEYS[:3]).first()
    pd.testing.assert_series_equal(dense, expected, check_names=False, rtol=1e-6)


def test_the_whole_latency_stands_beside_every_op_with_its_interval(report: ComparisonReport) -> None:
    first = report.ops.drop_duplicates(KEYS).set_index(KEYS)
    expected = report.comparison.set_index(KEYS)
    for name, column in (
        ("total_ms", "latency_ms"),
        ("total_lower_ms", "lower_ms"),
        ("total_upper_ms", "upper_ms"),
    ):
        np.testing.assert_allclose(first.loc[expected.index, name], expected[column], rtol=1e-6)


def test_dimensions_are_those_of_gemms_by_hand(report: ComparisonReport) -> None:
    ops = report.ops[(report.ops["phase"] == "prefill") & (report.ops["plan"] == "dense")].set_index("op")
    dimensions = ops[["m", "n", "k"]].T.to_dict("list")
    assert dimensions["qkv"] == [4096, 6144, 4096]
    assert dimensions["lm_head"] == [1, 128256, 4096]
    assert np.isnan(dimensions["attention"]).all()


def test_ops_of_a_request_say_their_phase() -> None:
    report = gather_comparison(
        "llama-3.2-1b", prune(load_model("llama-3.2-1b"), "static-m", 0.5), "l4", request="generation"
    )
    dense = report.ops[report.ops["plan"] == "dense"].set_index("op")
    assert dense.loc["prefill.qkv", "count"] == 16
    assert dense.loc["decode.qkv", "count"] == 16 * 255
    assert dense["latency_ms"].sum() == pytest.approx(report.comparison["dense_ms"].iloc[0], rel=1e-6)
    assert "256 tokens generated" in report.setting


def test_blocks_that_differ_are_added_up_under_one_name() -> None:
    model = load_model("llama-3.2-1b")
    plan = prune(model, "static-m", 0.25, target="attention")
    assert len(set(plan.transformer.blocks)) == 2
    ops = gather_comparison(model, plan, "l4", phase="decode", context=512).ops
    assert not ops.duplicated(["plan", "op"]).any()
    ffn = ops[ops["op"] == "down"].set_index("plan")["count"]
    attention = ops[ops["op"] == "o"].set_index("plan")["count"]
    assert ffn[plan.title] == 16
    assert attention[plan.title] == 12


def test_a_plan_named_twice_counts_once() -> None:
    model = load_model("llama-3.2-1b")
    plan = prune(model, "static-m", 0.5)
    report = gather_comparison(model, [plan, plan], "l4", phase="decode", context=512)
    assert len(report.comparison) == 1
    shares = report.ops.groupby("plan")["share"].sum()
    assert shares.to_dict() == pytest.approx({"dense": 1.0, plan.title: 1.0})


def test_curves_pass_through_the_plans_asked_for(report: ComparisonReport) -> None:
    keys = ["phase", "plan"]
    curves = report.curves.set_index(keys)["predicted"]
    asked = report.comparison.set_index(keys)["predicted"]
    np.testing.assert_allclose(curves.loc[asked.index], asked, rtol=1e-6)


def test_curves_have_the_grid_of_every_family_that_can_have_it() -> None:
    model = load_model("llama-3.2-1b")
    plans = [prune(model, family.name, 0.5) for family in suitable_families(model)]
    names = pd.Series([curve_name(plan) for plan in curve_plans(plans).values()]).value_counts()
    assert names["static-k-2:4"] == 1
    assert set(names.drop("static-k-2:4")) == {len(SPARSITIES)}


def test_options_are_kept_along_a_curve() -> None:
    model = load_model("llama-3.2-1b")
    found = curve_plans([prune(model, "static-nk", 0.5, target="ffn")])
    assert {curve_name(plan) for plan in found.values()} == {"static-nk (target=ffn)"}
    assert len(found) == len(SPARSITIES)


def test_composed_plans_stand_alone() -> None:
    model = load_model("llama-3.2-1b")
    composed = prune(prune(model, "static-m", 0.25), "static-nk", 0.25)
    assert list(curve_plans([composed])) == [composed.title]


def test_of_many_scenarios_some_are_drawn_evenly() -> None:
    frame = comparison(*({"batch": batch} for batch in range(1, 101)))
    shown = shown_scenarios(frame)
    assert len(shown) == MAX_SHOWN
    assert shown["batch"].iloc[[0, -1]].tolist() == [1, 100]
    assert shown["batch"].diff().dropna().isin([4, 5]).all()


def test_a_large_question_is_answered_whole_and_drawn_in_part() -> None:
    model = load_model("llama-3.2-1b")
    plan = prune(model, "static-nk", 0.5)
    batches = list(range(1, 41))
    report = gather_comparison(
        model, plan, ["l4", "t4"], phase="decode", batch=batches, context=512, dtype="fp16"
    )
    assert len(report.comparison) == 80
    assert len(report.scenarios) == MAX_SHOWN
    keys = ["gpu", "batch"]
    assert len(report.ops[keys].drop_duplicates()) == MAX_SHOWN
    assert len(report.curves[keys].drop_duplicates()) == MAX_SHOWN


def test_the_comparison_is_that_of_compare(report: ComparisonReport) -> None:
    model = load_model("llama-3.2-1b")
    plan = prune(model, "static-nk", 0.5)
    question: dict[str, Any] = {
        "phase": "both",
        "batch": [1, 8],
        "context": 512,
        "dtype": "fp8",
        "kv_dtype": "fp8",
    }
    gathered = gather_comparison(model, plan, "l4", **question, execution="separate", cuda_graph=False)
    alone = compare(model, plan, "l4", **question, execution="separate", cuda_graph=False)
    pd.testing.assert_frame_equal(with_joined_notes(gathered.comparison), alone)
    assert gathered.setting == "fp8, KV cache fp8, execution separate, CUDA graph off"
    assert report.setting == "bf16, execution fused, CUDA graph on"


def test_a_prediction_is_that_of_predict_with_its_ops() -> None:
    plan = prune(load_model("llama-3.2-1b"), "static-nk", 0.5)
    report = gather_prediction(plan, "l4", phase="both", batch=[1, 8], context=512)
    pd.testing.assert_frame_equal(
        with_joined_notes(report.prediction), predict(plan, "l4", phase="both", batch=[1, 8], context=512)
    )
    totals = report.ops[report.ops["plan"] == plan.title].groupby(["phase", "batch"])["latency_ms"].sum()
    expected = report.prediction.set_index(["phase", "batch"])["latency_ms"]
    np.testing.assert_allclose(totals.loc[expected.index], expected, rtol=1e-6)

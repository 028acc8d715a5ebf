"""What stands above each figure: the finding, from rows made by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from infersim.report.figures.plan_speedups import plan_speedups
from infersim.report.findings import (
    curves_finding,
    errors_finding,
    frontier_finding,
    limits_finding,
    loss_finding,
    losses_finding,
    plans_finding,
    promise_finding,
    residuals_finding,
    time_finding,
)
from tests.report.handmade import comparison, factors

SLOW = {"family": "dynamic-m", **factors(1.0), "flops": 0.8}


def test_the_fastest_plan_that_fits_is_named_and_those_that_do_not_pay_are_counted() -> None:
    frame = comparison({}, SLOW, {"flops": 4.0, "fits_memory": False})
    said = plans_finding(frame)
    assert said.startswith("static-nk 50 % is the fastest: predicted 1.52x (1.47–1.57)")
    assert said.endswith("; 1 of 3 plans does not surely pay.")
    assert plans_finding(comparison({})).startswith("static-nk 50 % pays: predicted 1.52x")


def test_where_nothing_pays_or_fits_that_is_said() -> None:
    assert plans_finding(comparison(SLOW, SLOW)).startswith("No plan surely gains; the best, dynamic-m 50 %")
    assert plans_finding(comparison({"fits_memory": False})) == "No plan fits into memory."


def test_the_curve_that_leads_at_the_most_sparsities_comes_first() -> None:
    rows = [
        {"sparsity": sparsity, "flops": flops, "family": family}
        for sparsity, flops, family in (
            (0.25, 1.3, "a"),
            (0.25, 1.2, "b"),
            (0.5, 2.0, "a"),
            (0.5, 1.9, "b"),
            (0.75, 3.0, "a"),
            (0.75, 3.5, "b"),
        )
    ]
    frame = comparison(*rows)
    frame = frame.assign(curve=frame["family"])
    assert curves_finding(frame) == "Of 3 sparsities, a leads at 2 and b at 1."
    assert curves_finding(frame[frame["curve"] == "a"]) == "A leads at every sparsity."
    assert promise_finding(frame[frame["curve"] == "a"]) == "At 50 %: promised 2.00x, predicted 1.52x"


def test_losses_are_counted_by_plan() -> None:
    launch = {**factors(1.0, launch=0.5)}
    frame = comparison(launch, launch, {**factors(1.0, extra_work=0.5)})
    assert (
        losses_finding(frame)
        == "The largest loss is most often launch (2 of 3 plans) and extra work (1 of 3 plans)."
    )
    assert loss_finding(frame.iloc[0]) == "Most of the loss is launch"
    none = comparison(factors(1.0), factors(1.0))
    assert losses_finding(none).startswith("Next to nothing is lost")


def test_time_and_limits_are_those_of_the_first_plan() -> None:
    ops = pd.DataFrame(
        {
            "plan": ["dense", "dense", "pruned"],
            "part": ["ffn", "qkvo", "qkvo"],
            "limiter": ["compute", "memory bandwidth", "launch"],
            "latency_ms": [6.0, 2.0, 1.0],
            "total_ms": [8.0, 8.0, 1.0],
        }
    )
    assert time_finding(ops) == "FFN takes 75 % of the dense model's time."
    assert limits_finding(ops) == "Compute limits 75 % of the dense model's time."
    alone = ops[ops["plan"] == "pruned"]
    assert time_finding(alone) == "QKVO takes 100 % of the time."
    assert limits_finding(alone) == "Launch limits 100 % of the time."


def test_errors_and_residuals() -> None:
    errors = pd.Series({"mape": 0.0512, "coverage": 0.81, "rows": 1234})
    assert errors_finding(errors) == "Mean error 5.1 %; 81 % of 1,234 rows lie in their 80 % interval."
    points = pd.DataFrame({"m": [1, 1, 64], "predicted_us": [2.0, 2.2, 9.0], "latency_us": [2.0, 2.0, 10.0]})
    assert residuals_finding(points, "m") == "The median stays between 0.90 and 1.05"


def test_a_frontier_is_told_by_its_ends() -> None:
    points = pd.DataFrame(
        {
            "plan": ["b", "a", "c"],
            "standing": ["frontier", "frontier", "dominated"],
            "quality_loss_percent": [20.0, 2.0, 30.0],
            "predicted": [2.0, 1.1, 1.5],
        }
    )
    assert (
        frontier_finding(points) == "The frontier leads from a (1.10x, 2.00 % lost) to b (2.00x, 20.0 % lost)"
    )
    assert frontier_finding(points[1:]) == "The frontier is a (1.10x, 2.00 % lost)"
    assert frontier_finding(points[2:]) == "No point is faster than dense"


def test_the_figure_of_plans_stands_in_order_with_intervals_and_the_line_at_one() -> None:
    frame = comparison(SLOW, {}, {"measured": 1.3, "measured_scope": "mean", "family": "static-m"})
    figure = plan_speedups(frame)
    traces = {trace.name: trace for trace in figure.data}
    predicted = traces["predicted, 80 % interval"]
    assert list(predicted.x) == sorted(predicted.x, reverse=True)
    assert list(predicted.error_x.array) == pytest.approx([0.05] * 3)
    assert all(f"<b>{x:.2f}x</b>" in label for x, label in zip(predicted.x, predicted.y, strict=True))
    assert list(traces["measured (mean or other)"].x) == [1.3]
    low, high = figure.layout.xaxis.range
    assert low < 0.75
    assert high > 2.0
    assert figure.layout.shapes[0].x0 == 1

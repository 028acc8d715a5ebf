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
from tests.report.handmade import check_order, check_says, comparison, factors

SLOW = {"family": "dynamic-m", **factors(1.0), "flops": 0.8}


def test_the_fastest_plan_that_fits_is_named_and_those_that_do_not_pay_are_counted() -> None:
    frame = comparison({}, SLOW, {"flops": 4.0, "fits_memory": False})
    check_order(plans_finding(frame), "static-nk 50 %", "fastest", "1.52x", "1.47–1.57", "1 of 3")
    alone = plans_finding(comparison({}))
    check_says(alone, "static-nk 50 %", "1.52x")
    assert "fastest" not in alone


def test_where_nothing_pays_or_fits_that_is_said() -> None:
    slow = plans_finding(comparison(SLOW, SLOW))
    check_says(slow, "dynamic-m 50 %", "0.80x")
    assert "fastest" not in slow
    too_large = plans_finding(comparison({"fits_memory": False}))
    check_says(too_large, "memory")
    assert "static-nk" not in too_large


def test_the_finding_that_names_the_leading_curve_reads_like_this() -> None:
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
    everywhere = curves_finding(frame[frame["curve"] == "a"])
    check_says(everywhere, "a", "every sparsity")
    check_says(promise_finding(frame[frame["curve"] == "a"]), "50 %", "promised 2.00x", "predicted 1.52x")


def test_losses_are_counted_by_plan() -> None:
    launch = {**factors(1.0, launch=0.5)}
    frame = comparison(launch, launch, {**factors(1.0, extra_work=0.5)})
    check_order(losses_finding(frame), "launch", "2 of 3", "extra work", "1 of 3")
    check_says(loss_finding(frame.iloc[0]), "most", "launch")
    none = comparison(factors(1.0), factors(1.0))
    for nothing in (losses_finding(none), loss_finding(none.iloc[0])):
        check_says(nothing, "lost")
        assert "launch" not in nothing


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
    check_says(time_finding(ops), "FFN", "75 %", "dense")
    check_says(limits_finding(ops), "compute", "75 %", "dense")
    alone = ops[ops["plan"] == "pruned"]
    for finding, largest in ((time_finding(alone), "QKVO"), (limits_finding(alone), "launch")):
        check_says(finding, largest, "100 %")
        assert "dense" not in finding


def test_errors_and_residuals() -> None:
    errors = pd.Series({"mape": 0.0512, "coverage": 0.81, "rows": 1234})
    check_says(errors_finding(errors), "mean error 5.1 %", "81 %", "1,234 rows", "80 % interval")
    points = pd.DataFrame({"m": [1, 1, 64], "predicted_us": [2.0, 2.2, 9.0], "latency_us": [2.0, 2.0, 10.0]})
    check_order(residuals_finding(points, "m"), "median", "0.90", "1.05")


def test_a_frontier_is_told_by_its_ends() -> None:
    points = pd.DataFrame(
        {
            "plan": ["b", "a", "c"],
            "standing": ["frontier", "frontier", "dominated"],
            "quality_loss_percent": [20.0, 2.0, 30.0],
            "predicted": [2.0, 1.1, 1.5],
        }
    )
    check_order(frontier_finding(points), "a (1.10x, 2.00 %", "b (2.00x, 20.0 %")
    one = frontier_finding(points[1:])
    check_says(one, "a (1.10x, 2.00 %")
    assert "b (" not in one
    none = frontier_finding(points[2:])
    check_says(none, "dense")
    assert "c (" not in none
    assert "1.50x" not in none


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

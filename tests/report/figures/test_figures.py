"""Figures from small frames: what is drawn, from which numbers, with which units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from infersim.profile_files.profiles import load_profile
from infersim.report.figures.loss_waterfall import loss_waterfall, waterfall_steps
from infersim.report.figures.palette import SERIES
from infersim.report.figures.roofline import roofline
from infersim.report.figures.speedup_curves import family_curves, highest, speedup_curve
from infersim.report.figures.style import plain
from infersim.report.figures.time_by_op import time_by_op
from infersim.report.speedups.gathering import ComparisonReport
from tests.report.handmade import comparison, factors


def titles(figure: go.Figure) -> tuple[str, str]:
    return figure.layout.xaxis.title.text, figure.layout.yaxis.title.text


def named(figure: go.Figure, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.legendgroup == name]


def curve(*changes: dict[str, Any]) -> pd.DataFrame:
    rows = [{"sparsity": sparsity, "flops": 1 / (1 - sparsity)} for sparsity in (0.75, 0.25, 0.5)]
    changed = [row | change for row, change in zip(rows, changes, strict=False)] + rows[len(changes) :]
    return comparison(*changed).assign(curve="static-nk")


def test_a_curve_shows_what_is_promised_possible_and_predicted_by_sparsity() -> None:
    figure = speedup_curve(curve(), top=4.0)
    assert titles(figure) == ("sparsity (%)", "speedup (x)")
    for name, values in (
        ("flops", [4 / 3, 2, 4]),
        ("bound", [3.2 / 3, 1.6, 3.2]),
        ("predicted", [3.04 / 3, 1.52, 3.04]),
    ):
        (trace,) = named(figure, name)
        assert list(trace.x) == [25, 50, 75]
        np.testing.assert_allclose(trace.y, values)
    assert figure.layout.yaxis.range[1] > 4
    assert figure.layout.shapes[0].y0 == 1


def test_the_interval_is_a_band_around_the_prediction() -> None:
    low, high = named(speedup_curve(curve(), top=4.0), "80 % interval")
    assert high.fill == "tonexty"
    np.testing.assert_allclose(np.subtract(high.y, low.y), 0.1)


def test_a_single_sparsity_has_an_error_bar() -> None:
    (interval,) = named(speedup_curve(curve()[:1], top=4.0), "80 % interval")
    assert list(interval.error_y.array) == pytest.approx([0.05])
    assert list(interval.error_y.arrayminus) == pytest.approx([0.05])


def test_points_and_means_are_drawn_apart() -> None:
    rows = curve({"measured": 2.9, "measured_scope": "point"}, {"measured": 1.2, "measured_scope": "mean"})
    figure = speedup_curve(rows, top=4.0)
    (point,) = named(figure, "measured")
    (mean,) = named(figure, "measured (mean or other)")
    assert (list(point.x), list(point.y), point.marker.symbol) == ([75], [2.9], "diamond")
    assert (list(mean.x), list(mean.y), mean.marker.symbol) == ([25], [1.2], "diamond-open")


def test_all_families_have_a_line_of_their_own() -> None:
    frame = pd.concat([curve().assign(curve=f"family {index}") for index in range(len(SERIES))])
    figure = family_curves(frame)
    assert titles(figure) == ("sparsity (%)", "predicted speedup over dense (x)")
    looks = {(trace.line.color, trace.marker.symbol) for trace in figure.data}
    assert len(figure.data) == len(looks) == len(SERIES)


def test_panels_share_the_axis_of_the_highest_number() -> None:
    frame = pd.concat([curve(), curve({"measured": 9.0, "measured_scope": "mean"})])
    assert highest(frame) == 9.0


def test_a_curve_alone_ends_at_its_own_highest_number() -> None:
    assert speedup_curve(curve()) == speedup_curve(curve(), top=4.0)


def test_the_waterfall_goes_from_flops_over_bound_to_predicted() -> None:
    row = comparison(factors(0.9, memory_floor=1.25)).iloc[0]
    steps = waterfall_steps(row)
    assert [step.label for step in steps] == [
        "flops",
        "unpruned work",
        "memory floor",
        "bound",
        "extra work",
        "kernel efficiency",
        "launch",
        "predicted",
    ]
    ends = [2, 1.8, 2.25, 2.25, 2.025, 1.8225, 1.64025, 1.64025]
    assert [step.end for step in steps] == pytest.approx(ends)
    assert [step.start for step in steps] == pytest.approx([0, 2, 1.8, 0, 2.25, 2.025, 1.8225, 0])
    assert [step.kind for step in steps] == ["speedup", "loss", "gain", "speedup", *["loss"] * 3, "speedup"]
    assert steps[2].text == "×1.250"


def test_the_waterfall_ends_at_what_was_measured() -> None:
    measured = {"measured": 1.444, "measured_scope": "point", "loss_unexplained": 0.95}
    steps = waterfall_steps(comparison(measured).iloc[0])
    assert [(step.label, step.end) for step in steps[-2:]] == [
        ("unexplained", pytest.approx(1.444)),
        ("measured", 1.444),
    ]


def test_a_mean_is_no_end_of_a_waterfall() -> None:
    steps = waterfall_steps(comparison({"measured": 1.4, "measured_scope": "mean"}).iloc[0])
    assert steps[-1].label == "predicted"


def test_without_flops_the_waterfall_begins_at_the_bound() -> None:
    undefined = {"flops": np.nan, "loss_unpruned_work": np.nan, "bound": 1.6, "predicted": 1.52}
    steps = waterfall_steps(comparison(undefined).iloc[0])
    assert steps[0].label == "bound"
    assert steps[-1].end == pytest.approx(1.52)


def test_every_bar_of_the_waterfall_has_its_number_beside_it() -> None:
    figure = loss_waterfall(comparison({}).iloc[0])
    assert figure.layout.xaxis.title.text == "speedup over dense (x)"
    (numbers,) = [trace for trace in figure.data if trace.type == "scatter" and trace.mode == "text"]
    assert list(numbers.text) == ["2.00x", "×0.800", "×1.000", "1.60x", "×1.000", "×0.950", "×1.000", "1.52x"]
    (interval,) = named(figure, "80 % interval")
    assert list(interval.error_x.array) == pytest.approx([0.05])
    assert max(numbers.x) == figure.layout.xaxis.range[1] > 2.0


@pytest.fixture
def decode(report: ComparisonReport) -> pd.DataFrame:
    return report.ops[report.ops["phase"] == "decode"]


def test_bars_of_ops_and_launches_add_up_to_each_plan(decode: pd.DataFrame) -> None:
    figure = time_by_op(decode)
    assert figure.layout.xaxis.title.text == "predicted time (ms)"
    assert figure.layout.barmode == "stack"
    lengths: dict[str, float] = {}
    for trace in figure.data:
        if trace.type == "bar":
            for label, value in zip(trace.y, trace.x, strict=True):
                lengths[label] = lengths.get(label, 0.0) + value
    totals = decode.drop_duplicates("plan")
    labels = list(figure.layout.yaxis.categoryarray)
    names = [" ".join(label.split("<br>")[:-1]).replace("\u00a0", " ") for label in labels]
    assert names == totals["plan"].tolist()
    assert [lengths[label] for label in labels] == pytest.approx(totals["total_ms"].tolist(), rel=1e-6)


def test_a_part_is_named_once_and_has_one_colour(decode: pd.DataFrame) -> None:
    bars = [trace for trace in time_by_op(decode).data if trace.type == "bar"]
    shown = [trace.name for trace in bars if trace.showlegend]
    assert sorted(shown) == sorted({trace.name for trace in bars})
    assert len({(trace.name, trace.marker.color) for trace in bars}) == len(shown)


def test_the_interval_of_the_whole_is_drawn_over_the_bars(decode: pd.DataFrame) -> None:
    (interval,) = named(time_by_op(decode), "80 % interval")
    totals = decode.drop_duplicates("plan")
    np.testing.assert_allclose(np.add(interval.x, interval.error_x.array), totals["total_upper_ms"])
    np.testing.assert_allclose(np.subtract(interval.x, interval.error_x.arrayminus), totals["total_lower_ms"])


def test_ops_lie_at_their_intensity_and_pace(decode: pd.DataFrame) -> None:
    figure = roofline(decode, load_profile("rtx-pro-6000"), ["dense"])
    assert titles(figure) == ("intensity (FLOP per byte)", "predicted TFLOP/s")
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    (dense,) = named(figure, "dense")
    ops = decode[(decode["plan"] == "dense") & (decode["flop"] > 0)].set_index("op")
    drawn = {entry[0]: (x, y) for entry, x, y in zip(dense.customdata, dense.x, dense.y, strict=True)}
    assert set(drawn) == set(ops.index)
    down = ops.loc["down"]
    assert drawn["down"][0] == pytest.approx(down["flop"] / down["kernel_bytes"])
    assert drawn["down"][1] == pytest.approx(down["flop"] / (down["latency_ms"] / 1e3) / 1e12)


def test_roofs_are_bandwidth_and_the_peak_at_the_highest_clock(decode: pd.DataFrame) -> None:
    profile = load_profile("rtx-pro-6000")
    roofs = named(roofline(decode, profile, ["dense"]), "roofs")
    peaks = {profile.bound_flop_per_s(dtype) for dtype in profile.matrix}
    assert [roof.y[-1] * 1e12 for roof in roofs] == pytest.approx(sorted(peaks))
    for roof in roofs:
        assert roof.y[0] * 1e12 == pytest.approx(roof.x[0] * profile.memory.bandwidth_bytes_per_s)
        assert roof.y[1] == pytest.approx(roof.y[-1])
    labels = [roof.text[-1] for roof in roofs]
    assert any(label.startswith("bf16, fp16 ") for label in labels)


def test_no_op_stands_above_the_roof_of_its_peak(report: ComparisonReport) -> None:
    profile = load_profile("rtx-pro-6000")
    for _, ops in report.ops.groupby("phase"):
        (dense,) = named(roofline(ops, profile, ["dense"]), "dense")
        assert max(dense.y) * 1e12 <= max(profile.bound_flop_per_s(dtype) for dtype in profile.matrix)


def test_other_plans_wait_in_the_legend(decode: pd.DataFrame) -> None:
    figure = roofline(decode, load_profile("rtx-pro-6000"), ["dense", "static-nk 50 %"])
    visible = {
        trace.legendgroup: trace.visible for trace in figure.data if trace.legendgroup in set(decode["plan"])
    }
    assert visible.pop("dense") is True
    assert visible.pop("static-nk 50 %") is True
    assert set(visible.values()) == {"legendonly"}


def test_the_dense_model_alone_is_seen_unless_plans_are_asked_for(decode: pd.DataFrame) -> None:
    figure = roofline(decode, load_profile("rtx-pro-6000"))
    plans = [trace for trace in figure.data if trace.legendgroup != "roofs"]
    assert [trace.legendgroup for trace in plans if trace.visible is True] == ["dense"]


def test_names_are_no_markup_to_plotly(decode: pd.DataFrame) -> None:
    evil = "<a href='x'>plan</a>"
    assert plain(evil) == "&lt;a href='x'&gt;plan&lt;/a&gt;"
    ops = decode.assign(plan=decode["plan"].replace("static-nk 50 %", evil))
    rows = curve({"measured": 1.0, "measured_scope": "point", "measured_source": evil}).assign(curve=evil)
    drawn = [
        time_by_op(ops),
        roofline(ops, load_profile("rtx-pro-6000"), [evil]),
        family_curves(rows),
        speedup_curve(rows, top=4.0),
    ]
    for figure in drawn:
        for trace in figure.data:
            trace.legendgroup = None  # the page escapes it itself
        assert "<a" not in figure.to_json().replace("\\u003c", "<")

"""Tables: which numbers stand where, and that every number of the frame is kept for machines."""

from __future__ import annotations

import pandas as pd
import pytest

from infersim.report.core.table import Column, Table
from infersim.report.speedups.gathering import ComparisonReport
from infersim.report.speedups.tables import (
    compare_table,
    loss_table,
    ops_table,
    parts_table,
    prediction_table,
)
from infersim.simulation.speedups.chain import FACTORS
from tests.report.handmade import comparison, factors, prediction


def headings(table: Table) -> list[str]:
    return [column.heading.replace("-\n", "").replace("\n", " ") for column in table.columns]


def test_the_comparison_says_what_is_promised_possible_predicted_and_measured() -> None:
    table = compare_table(comparison({}))
    where = "llama-3.1-8b on h100-sxm: prefill, batch 1, context 4096"
    assert table.title == f"Speedups of {where} (dense: 100 ms)"
    assert dict(zip(headings(table), table.rows()[0], strict=True)) == {
        "plan": "static-nk 50 %",
        "flops": "2.00x",
        "bound": "1.60x",
        "ceiling": "2.50x",
        "predicted (80 %)": "1.52x (1.47–1.57)",
        "attainment": "95 %",
        "static-m equivalent": "38 %",
        "ms": "65.0",
    }
    assert table.caption.startswith("All fit into memory.")


def test_measured_points_have_an_attainment_and_other_measurements_a_mark() -> None:
    frame = comparison(
        {"measured": 1.44, "measured_scope": "point"},
        {"measured": 1.4, "measured_scope": "mean", "family": "static-m"},
        {"measured": 1.3, "measured_scope": "host_bound", "family": "dynamic-m"},
    )
    table = compare_table(frame)
    place = headings(table).index("measured")
    assert [row[place : place + 2] for row in table.rows()] == [
        ("1.44x", "90 %"),
        ("1.40x mean", "–"),
        ("1.30x host-bound", "–"),
    ]


def test_what_does_not_fit_is_marked() -> None:
    frame = comparison(
        {},
        {"fits_memory": False, "dense_fits_memory": False, "family": "a"},
        {"dense_fits_memory": False, "family": "b"},
        {"fits_memory": False, "family": "c"},
    )
    assert [row[-1] for row in compare_table(frame).rows()] == ["yes", "no", "plan only", "dense only"]


def test_the_sparsity_realised_is_shown_where_it_is_not_the_one_asked_for() -> None:
    table = compare_table(comparison({}, {"sparsity_realised": 0.438, "family": "static-m"}))
    assert [row[1] for row in table.rows()] == ["50 %", "43.8 %"]
    assert "realised" not in headings(compare_table(comparison({"sparsity_realised": 0.498})))


def test_plans_of_several_scenarios_stand_in_sections() -> None:
    changes = [
        {"phase": phase, "family": family}
        for phase in ("prefill", "decode")
        for family in ("static-m", "static-nk")
    ]
    sections = list(compare_table(comparison(*changes)).sections())
    assert [(section.label, len(section.rows)) for section in sections] == [
        ("prefill (dense: 100 ms)", 2),
        ("decode (dense: 100 ms)", 2),
    ]


def test_one_plan_in_several_scenarios_stands_in_rows() -> None:
    table = compare_table(comparison({"batch": 1}, {"batch": 8}))
    assert [row[:2] for row in table.rows()] == [("1", "static-nk 50 %"), ("8", "static-nk 50 %")]
    assert [section.label for section in table.sections()] == [""]


def test_losses_stand_in_the_order_of_the_chain_and_gains_are_marked() -> None:
    table = loss_table(comparison(factors(0.9, memory_floor=1.25)))
    assert headings(table) == [
        "plan",
        "flops",
        "unpruned work",
        "memory floor",
        "extra work",
        "kernel efficiency",
        "launch",
        "predicted",
    ]
    assert table.rows()[0][1:] == ("2.00x", "0.900", "↑1.250", "0.900", "0.900", "0.900", "1.64x")


def test_the_chain_goes_on_to_what_was_measured() -> None:
    table = loss_table(comparison({"measured": 1.444, "measured_scope": "point", "loss_unexplained": 0.95}))
    assert headings(table)[-2:] == ["unexplained", "measured"]
    assert table.rows()[0][-2:] == ("0.950", "1.44x")


def test_the_printed_factors_are_those_that_multiply_to_the_prediction(report: ComparisonReport) -> None:
    frame = loss_table(report.comparison).frame
    product = frame["flops"] * frame[[f"loss_{name}" for name in FACTORS[:-1]]].prod(axis=1)
    pd.testing.assert_series_equal(product, frame["predicted"], check_names=False, rtol=1e-9)


def test_a_prediction_has_its_interval_floor_rate_and_memory() -> None:
    table = prediction_table(prediction({}, {"batch": 8, "fits_memory": False}))
    assert table.title == "Latency of llama-3.1-8b on h100-sxm: prefill, context 4096"
    assert headings(table) == ["batch", "ms (80 %)", "floor ms", "tokens/s", "J/token", "GiB", "fits"]
    assert table.rows()[1] == ("8", "20.0 (18.0–22.0)", "10.0", "204,800", "0.500", "16.0", "no")


def test_parts_leave_out_what_takes_no_time() -> None:
    table = parts_table(prediction({}))
    assert headings(table) == ["QKVO", "FFN", "attention", "LM head", "elementwise", "launch", "all"]
    assert table.rows()[0] == ("4.00", "10.0", "3.00", "1.00", "1.50", "0.500", "20.0")


def test_ops_have_count_shape_work_limiter_time_and_share(report: ComparisonReport) -> None:
    decode = report.ops[(report.ops["phase"] == "decode") & (report.ops["plan"] == "dense")]
    table = ops_table(decode)
    rows = {row[0]: row for row in table.rows()}
    # 32 layers: 2 x 1 x 6144 x 4096 FLOPs each; the weights, one row in, one row out, in 2 bytes.
    assert rows["qkv"][1:6] == ("32", "1 x 6144 x 4096", "1.61 G", "1.61 GB", "memory bandwidth")
    assert rows["attention"][2] == "–"
    assert decode["share"].sum() == pytest.approx(1)


def test_a_table_keeps_the_whole_frame() -> None:
    frame = comparison({})
    for table in (compare_table(frame), loss_table(frame)):
        assert table.frame is frame


def test_columns_write_cells_from_several_keys() -> None:
    both = Column(heading="both", keys=("a", "b"), text=lambda a, b: f"{a}-{b}")
    table = Table(title="", frame=pd.DataFrame({"a": [1, 2], "b": [3, 4]}), columns=(both,))
    assert table.rows() == [("1-3",), ("2-4",)]

"""The reproduction in words, tables and figures: the paper's numbers as it prints them, ours beside them."""

from __future__ import annotations

import math
from functools import cache

import pandas as pd
import pytest

from infersim.report.figures.reproduction import component_bars, mean_speedup_points
from infersim.report.page import render_page
from infersim.report.reproduction import (
    claims_table,
    components_table,
    mean_speedups_table,
    reproduction_verdict,
)
from infersim.report.reproduction_page import reproduction_page
from infersim.simulation.reproduction import Reproduction
from tests.report.handmade import check_order

PHASES = ["prefill", "decode", "prefill+decode"]


@cache
def example() -> Reproduction:
    """Invented numbers that are easy to follow."""
    components = pd.DataFrame(
        {
            "phase": ["prefill", "prefill", "prefill"],
            "component": ["ffn", "lm_head", "total"],
            "predicted_ms": [90.0, 10.0, 100.0],
            "lower_ms": [math.nan, math.nan, 80.0],
            "upper_ms": [math.nan, math.nan, 130.0],
            "predicted_share": [0.9, 0.1, 1.0],
            "paper_ms": [100.0, 14.97, 125.0],
            "paper_share": [0.8, 0.12, 1.0],
            "paper_upper_limit": [False, True, False],
            "difference": [-0.1, math.nan, -0.2],
        }
    )
    speedups = pd.DataFrame(
        {
            "family": ["static-m", "static-nk", "static-m"],
            "sparsity": [0.25, 0.5, 0.125],
            "phase": PHASES,
            "scenarios": [10, 11, 21],
            "flops": [1.33, 2.0, 1.14],
            "bound": [1.3, 1.9, 1.1],
            "bound_min": [1.2, 1.8, 1.0],
            "bound_max": [1.4, 2.0, 1.2],
            "predicted": [1.25, 1.5, 1.1],
            "predicted_min": [1.2, 1.0, 1.05],
            "predicted_max": [1.3, 1.9, 1.15],
            "predicted_short": [1.26, 1.4, 1.11],
            "paper": [1.25, 1.8, 1.1],
            "difference": [0.0, -1 / 6, -0.0001],
            "off": [0.0, -0.3, 0.0],
            "reason": ["", "kernels are slow", ""],
        }
    )
    claims = pd.DataFrame(
        {
            "quantity": ["static_m_equivalent", "gemm_and_lm_head_share"],
            "phase": ["prefill", "decode"],
            "family": ["static-nk", None],
            "sparsity": [0.5, math.nan],
            "predicted": [0.44, 0.91],
            "predicted_min": [0.4, math.nan],
            "predicted_max": [0.48, math.nan],
            "paper": [0.45, 0.9],
            "note": ["", "roughly"],
        }
    )
    return Reproduction(calibration="none", components=components, speedups=speedups, claims=claims)


def plain(text: str) -> str:
    """Without what keeps numbers and signs on one line."""
    return text.replace("\u00a0", " ")


def test_the_verdict_on_a_reproduction_reads_like_this() -> None:
    verdict = reproduction_verdict(example())
    first = plain(verdict.sentences[0])
    assert first == (
        "The paper's 3 mean speedups are predicted within 0.10 on average, half of them within 0.00; "
        "farthest off is static-nk 50 % in decode, 1.50x where the paper has 1.80x."
    )
    check_order(verdict.sentences[1], "100 (80.0–130) ms", "measured 125 ms", "-20 %")


def test_the_papers_numbers_are_written_as_it_prints_them() -> None:
    rows = [[plain(cell) for cell in row] for row in components_table(example()).rows()]
    assert rows[0] == ["FFN", "90.0", "90 %", "100", "80 %", "-10 %"]
    assert rows[1] == ["LM head", "10.0", "10 %", "< 14.97", "12 %", "–"]
    assert rows[2] == ["total", "100 (80.0–130)", "100 %", "125", "100 %", "-20 %"]


def test_means_stand_under_their_phase_with_the_spread() -> None:
    table = mean_speedups_table(example())
    assert list(table.labels) == PHASES
    rows = [[plain(cell) for cell in row] for row in table.rows()]
    assert rows[1] == [
        "static-nk 50 %",
        "11",
        "2.00x",
        "1.90x (1.80–2.00)",
        "1.50x (1.00–1.90)",
        "1.40x",
        "1.80x",
        "-17 %",
    ]
    assert rows[2][-1] == "+0 %"  # no minus before a nought
    check_order(table.caption, "0.1", "static-nk 50 %", "decode", "kernels are slow")
    assert "static-m" not in table.caption


def test_claims_of_no_family_are_about_the_dense_model() -> None:
    rows = [[plain(cell) for cell in row] for row in claims_table(example()).rows()]
    assert rows[0] == ["static-nk 50 %", "prefill", "44 % (40 %–48 %)", "45 %", ""]
    assert rows[1] == ["dense", "decode", "91 %", "90 %", "roughly"]


def test_bars_and_points_are_the_numbers_of_the_tables() -> None:
    components = example().components
    bars = component_bars(components[components["component"] != "total"])
    assert {trace.name: list(trace.x) for trace in bars.data} == {
        "predicted": [90.0, 10.0],
        "paper": [100.0, 14.97],
    }
    points = mean_speedup_points(example().speedups.iloc[[1]])
    assert {trace.name: list(trace.x) for trace in points.data} == {
        "bound": [1.9],
        "predicted": [1.5],
        "paper": [1.8],
    }
    spread = points.data[1].error_x
    assert [spread.array[0], spread.arrayminus[0]] == pytest.approx([0.4, 0.5])


def test_the_page_draws_both_phases_and_tabulates_all() -> None:
    page = reproduction_page(example())
    drawn = [panel.title for chart in page.views[0].charts for panel in chart.panels]
    assert drawn == ["prefill", "prefill"]  # the example's Figure 2 has one phase
    html = render_page(page)
    assert "Beyond FLOPs, reproduced" in html
    assert "12.5&nbsp;%" in html.replace("\u00a0", "&nbsp;")

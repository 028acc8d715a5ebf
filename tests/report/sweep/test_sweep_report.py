"""A sweep in words, tables and figures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import infersim as sim
from infersim.report.figures.batch_context_map import batch_context_map
from infersim.report.figures.sweep_curves import sweep_curve
from infersim.report.html.page import render_page
from infersim.report.sweep.page import sweep_page
from infersim.report.sweep.tables import OWN, families_table, fastest_table, left_out_table
from infersim.report.sweep.verdict import sweep_verdict
from infersim.simulation.sweeping.result import SWEEP_CASE, SweepResult, sweep_summary
from tests.report.handmade import check_order, check_says

PLAN: dict[str, object] = {
    "model": ["llama-3.2-1b", "llama-3.1-8b"],
    "gpu": "l4",
    "family": ["static-nk", "static-k-2:4", "dynamic-m"],
    "sparsity": [0.25, 0.5],
    "batch": [1, 64],
    "context": [512, 131072],
    "request": "classification",
}


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> SweepResult:
    """Two phases and a request of two models, of which the larger does not fit in all scenarios."""
    return sim.sweep(PLAN, tmp_path_factory.mktemp("sweep") / "table.parquet", chunk_rows=8)


@pytest.fixture(scope="module")
def summary(swept: SweepResult) -> pd.DataFrame:
    return sweep_summary(swept)


def test_the_summary_is_the_tables_means(swept: SweepResult, summary: pd.DataFrame) -> None:
    frame = swept.frame()
    fits = frame["fits_memory"] & frame["dense_fits_memory"]
    frame["log"] = np.log(frame["predicted"].where(fits))
    means = np.exp(frame.groupby([*SWEEP_CASE, "plan"], sort=False, observed=True)["log"].mean())
    assert len(summary) == len(means) == 2 * 3 * 5
    np.testing.assert_allclose(summary["predicted"], means)
    assert summary["scenarios"].sum() == len(frame)
    assert summary["fitting"].sum() == fits.sum() < len(frame)


def test_the_summary_does_not_depend_on_how_the_table_is_cut(summary: pd.DataFrame) -> None:
    whole = sweep_summary(sim.sweep(PLAN))
    pd.testing.assert_frame_equal(whole, summary)


def test_the_verdict_on_a_sweep_reads_like_this(summary: pd.DataFrame) -> None:
    means = summary.loc[summary["plan"] == "static-nk 50 %", "predicted"]
    assert sweep_verdict(summary).sentences[-1] == (
        f"At 50 % static-nk is the fastest in 6 of 6 cases ({means.min():.2f}x to {means.max():.2f}x "
        "on average)."
    )


def test_the_notes_count_scenarios_and_cases(summary: pd.DataFrame) -> None:
    counted, too_large, *_, quality = sweep_verdict(summary).notes
    check_order(counted, "100 scenarios", "6 cases", "model x phase")
    check_says(too_large, str(100 - summary["fitting"].sum()), "memory")
    check_says(quality, "quality")


def test_a_case_in_which_nothing_fits_is_told(summary: pd.DataFrame) -> None:
    nothing = summary.assign(
        predicted=summary["predicted"].where(summary["model"] == "llama-3.2-1b"),
        fastest=summary["fastest"] & (summary["model"] == "llama-3.2-1b"),
    )
    led, too_large = sweep_verdict(nothing).sentences[-1].split(" and ")
    check_says(led, "static-nk", "3 of 6")
    check_says(too_large, "3", "memory")
    table = fastest_table(nothing)
    assert table.rows()[-1][-1] == "–"
    none = summary.assign(predicted=np.nan, fastest=False)
    check_order(sweep_verdict(none).sentences[-1], "50 %", "memory")
    assert "static-nk" not in str(sweep_verdict(none).sentences)


def test_the_public_summary_says_the_same(swept: SweepResult, summary: pd.DataFrame) -> None:
    said = sim.summary(swept)
    assert said.verdict == sweep_verdict(summary)
    assert [table.title for table in said.tables] == [
        families_table(summary).title,
        fastest_table(summary).title,
    ]


@pytest.mark.slow
def test_panels_say_what_they_show(swept: SweepResult, summary: pd.DataFrame) -> None:
    view = sweep_page(swept, summary).views[0]
    families, curves, maps = view.charts
    check_says(families.finding, "static-nk", "every sparsity")
    row = summary[(summary["plan"] == "static-nk 50 %")].iloc[0]
    low, high = f"{row['low']:.2f}", f"{row['high']:.2f}"
    check_order(curves.panels[0].finding, "50 %", f"{row['predicted']:.2f}x", f"{low}–{high}")
    check_order(maps.panels[0].finding, f"{low}x", f"{high}x", "batch")


def test_the_tables_have_a_column_for_each_sparsity(summary: pd.DataFrame) -> None:
    fastest, families = fastest_table(summary), families_table(summary)
    assert [column.heading for column in fastest.columns] == ["", "25 %", "50 %"]
    assert len(fastest.rows()) == 6
    assert {section.label for section in fastest.sections()} == {"llama-3.2-1b", "llama-3.1-8b"}
    assert [row[0] for row in families.rows()] == ["static-nk", "static-k-2:4", "dynamic-m"]
    assert families.rows()[1][1] == ""  # 2:4 at 25 %
    check_says(fastest_table(summary, 1).caption, "5")


@pytest.mark.slow
def test_plans_from_files_have_a_column_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[remove]\nlayers = [3]\n", encoding="utf-8")
    result = sim.sweep({**PLAN, "plan": str(tmp_path / "mine.toml"), "request": "classification"})
    summary = sweep_summary(result)
    assert fastest_table(summary).columns[1].heading == OWN
    check_order(sweep_verdict(summary).sentences[-1], "files", "mine", "fastest", "6 of 6")
    assert "mine" in render_page(sweep_page(result, summary))


def test_what_was_left_out_is_a_table(swept: SweepResult) -> None:
    assert left_out_table(swept.left_out).rows() == [
        ("static-k-2:4 at 0.25", "20", "its sparsity is 0.5"),
    ]


@pytest.mark.slow
def test_the_title_names_few_and_counts_many(swept: SweepResult, summary: pd.DataFrame) -> None:
    check_order(sweep_page(swept, summary).title, "llama-3.2-1b", "llama-3.1-8b", "l4")
    many = pd.concat([summary.assign(gpu=f"gpu-{number}") for number in range(5)])
    check_says(sweep_page(swept, many).title, "5 GPUs")


def test_a_map_leaves_blank_what_does_not_fit_and_shares_its_colours() -> None:
    rows = pd.DataFrame(
        {
            "batch": [1, 1, 8, 8],
            "context": [512, 4096, 512, 4096],
            "predicted": [2.0, 0.5, 1.0, 4.0],
            "fits_memory": [True, True, True, False],
            "dense_fits_memory": True,
        }
    )
    figure = batch_context_map(rows, reach=4.0)
    (trace,) = figure.data
    assert list(trace.x) == ["512", "4k", "512"]
    assert list(trace.base) == pytest.approx([0.02, 0.02, 1.02])
    assert list(figure.layout.yaxis.ticktext) == ["1", "8"]
    faster, slower, as_fast = trace.marker.color
    assert as_fast == "#F2F2F2"
    assert faster[5:] > faster[1:3]  # more blue than red
    assert slower[5:] < slower[1:3]
    assert list(trace.text) == ["2.00", "0.50", "1.00"]


def test_a_curve_is_the_mean_inside_the_range(summary: pd.DataFrame) -> None:
    rows = summary[(summary["pruning"] == "dynamic-m") & (summary["phase"] == "decode")].head(2)
    low, high, bound, mean = sweep_curve(rows, 2.0).data
    assert list(mean.x) == [25.0, 50.0]
    assert all(a <= b <= c for a, b, c in zip(low.y, mean.y, high.y, strict=True))
    assert bound.name == "bound, mean"

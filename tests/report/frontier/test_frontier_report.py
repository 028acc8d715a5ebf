"""The frontier's words, tables, figure and page."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from infersim.pruning.composition import prune
from infersim.report.advice.tables import break_even_table, needed_sparsity, target_table, widths_table
from infersim.report.advice.verdict import advice_verdict
from infersim.report.figures.frontier import BETWEEN, LEADS, MEASURED, frontier_figure
from infersim.report.frontier.labels import gain, group_label, percent
from infersim.report.frontier.page import frontier_page
from infersim.report.frontier.tables import (
    claims_table,
    frontier_table,
    frontier_tables,
    judged,
    points_table,
)
from infersim.report.frontier.verdict import frontier_verdict
from infersim.report.html.page import render_page
from infersim.simulation.advice.break_even import break_even
from infersim.simulation.advice.target import sparsity_for
from infersim.simulation.advice.width import free_widths
from infersim.simulation.frontier.search import Frontier, frontier
from infersim.simulation.paper.frontier_claims import agreement
from infersim.simulation.speedups.resolving import as_transformer
from tests.report.example_pages import QUALITY
from tests.report.handmade import check_order, check_says


@pytest.fixture(scope="module")
def quality(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("quality") / "mine.csv"
    path.write_text(QUALITY)
    return path


@pytest.fixture(scope="module")
def found(quality: Path) -> Frontier:
    return frontier("llama-3.2-1b", "a100-sxm-80gb", request=["classification", "reasoning"], quality=quality)


@pytest.fixture(scope="module")
def prefill(quality: Path) -> Frontier:
    return frontier("llama-3.2-1b", "a100-sxm-80gb", phase="prefill", context=2048, quality=quality)


def test_the_verdict_says_who_leads_and_the_choice_within_a_loss_first(prefill: Frontier) -> None:
    sentences = frontier_verdict(prefill, 5.0).sentences
    check_order(
        sentences[0],
        "5 %",
        "no recovery, zero-shot",
        "static-m 12.5 % (<b>one</b>)",
        "static-m at 19 %",
    )
    check_says(sentences[1], "5 %", "lora", "zero-shot")
    assert "static-m" not in sentences[1]
    check_order(" ".join(sentences[2:]), "no recovery, zero-shot", "static-m", "2 %")
    check_says(" ".join(frontier_verdict(prefill).notes), "1", "sparse attention")


def test_two_workloads_are_told_apart_by_what_they_wait_for(found: Frontier) -> None:
    text = str(frontier_verdict(found))
    (compared,) = [line for line in text.splitlines() if "memory-bound" in line]
    check_order(compared, "reasoning, batch 1", "100 %", "decode", "memory-bound", "bytes")
    check_says(compared, "classification, batch 1")


def test_one_workload_needs_no_comparison(prefill: Frontier) -> None:
    assert "memory-bound" not in str(frontier_verdict(prefill))


def test_tables_hold_what_leads_and_the_page_all_points(prefill: Frontier) -> None:
    assert len(frontier_tables(prefill)) == 2
    shown = frontier_table(prefill.points)
    assert "three" not in [row[1] for row in shown.rows()]
    check_says(shown.caption, "1 dominated point")
    everything = points_table(prefill.points)
    assert sorted(row[1] for row in everything.rows()) == sorted(prefill.points["method"])
    assert "no recovery, zero-shot" in everything.labels


def test_the_figure_draws_steps_lines_between_and_intervals(prefill: Frontier) -> None:
    points = prefill.points
    figure = frontier_figure(points[(points["regime"] == "none") & (points["axis"] == "zero-shot")])
    by_group = {trace.legendgroup: trace for trace in figure.data}
    assert by_group[LEADS].line.shape == "hv"
    assert by_group[LEADS].x[0] == 0
    assert by_group[LEADS].y[0] == 1
    assert by_group[BETWEEN].line.dash == "dot"
    assert list(by_group[BETWEEN].x) == [2, 20]
    assert list(by_group[MEASURED].y) == [1.1]
    width = by_group["static-nk"]
    assert list(width.x) == [12]  # the last trace of the family: the dominated point
    assert width.marker.symbol.endswith("-open")
    expected = points.loc[
        points["method"] == "two", ["predicted", "predicted_upper", "predicted_lower"]
    ].iloc[0]
    (stated,) = [trace for trace in figure.data if trace.legendgroup == "static-nk" and trace.showlegend]
    np.testing.assert_allclose(stated.error_y.array, [expected["predicted_upper"] - expected["predicted"]])
    np.testing.assert_allclose(
        stated.error_y.arrayminus, [expected["predicted"] - expected["predicted_lower"]]
    )
    assert figure.layout.xaxis.title.text == "quality lost (%)"
    assert "<b>one" not in str(by_group[MEASURED].customdata)


def test_lines_between_points_stand_once_in_the_legend(quality: Path) -> None:
    rows = quality.read_text() + "static-nk,0.5,30,none,zero-shot,two,,,\n"
    more = quality.with_name("more.csv")
    more.write_text(rows)
    found = frontier("llama-3.2-1b", "a100-sxm-80gb", context=2048, quality=more).points
    figure = frontier_figure(found[(found["regime"] == "none") & (found["axis"] == "zero-shot")])
    lines = [trace for trace in figure.data if trace.legendgroup == BETWEEN]
    assert [trace.showlegend for trace in lines] == [True, False]


def test_far_points_do_not_crush_the_frontier(tmp_path: Path) -> None:
    path = tmp_path / "far.csv"
    path.write_text(QUALITY + "static-m,0.5,4000,none,zero-shot,far,,,\n")
    points = frontier("llama-3.2-1b", "l4", phase="prefill", context=512, quality=path).points
    figure = frontier_figure(points[(points["regime"] == "none") & (points["axis"] == "zero-shot")])
    assert figure.layout.xaxis.range[1] < 60


@pytest.mark.parametrize(
    ("arguments", "facts"),
    [
        ((1.0, "a", 1.0, 0.0, "a", True), ("agrees",)),
        ((0.3, "a", 0.3, 0.7, "a", True), ("agrees", "70 %", "open")),
        ((0.6, "a", 0.6, 0.0, "a", True), ("partly", "60 %")),
        ((0.4, "b", 0.6, 0.0, "a", True), ("40 %", "b", "60 %")),
        ((0.0, "b", 0.8, 0.2, "a", True), ("no", "b", "80 %", "20 %", "open")),
        ((0.0, "b", 1.0, 0.0, "a", False), ("no", "b", "100 %", "a")),
        ((0.0, "", 0.0, 1.0, "a", True), ("open",)),
        ((0.0, "", 0.0, 1.0, "a", False), ("no", "a")),
    ],
)
def test_agreement_in_words(
    arguments: tuple[float, str, float, float, str, bool], facts: tuple[str, ...]
) -> None:
    words = judged(*arguments)
    check_order(words, *facts)
    assert ("agrees" in words) == ("agrees" in facts)
    assert ("open" in words) == ("open" in facts)


@pytest.mark.slow
def test_the_papers_claim_stands_beside_its_own_gpu_alone() -> None:
    where = {"phase": "prefill", "context": 4096, "source": "arXiv:2606.09080"}
    paper = frontier("llama-3.1-8b", "rtx-pro-6000", **where)  # type: ignore[arg-type]
    (table,) = [table for table in frontier_tables(paper) if "claim" in table.title]
    cells = {(row[0], row[2]): row[3:] for row in table.rows()}
    assert cells["0–4 %", "measured"] == ("agrees; 71 % open", "agrees; 71 % open")
    assert cells["17–26 %", "measured"] == ("partly: 97 %", "agrees")
    assert cells["5–16 %", "measured"][0] == "4 %, static-m leads 59 %"
    assert claims_table(agreement(paper.points)).rows() == table.rows()
    elsewhere = frontier("llama-3.1-8b", "a100-sxm-80gb", **where)  # type: ignore[arg-type]
    assert not [table for table in frontier_tables(elsewhere) if "claim" in table.title]


def test_numbers_in_words() -> None:
    assert [percent(value) for value in (2.85, 0.0, -0.04, math.nan)] == ["2.9 %", "0 %", "0 %", "–"]
    assert [gain(value) for value in (4.99, math.nan)] == ["5.0 %", "–"]
    assert group_label("none", "zero-shot") == "no recovery, zero-shot"


@pytest.mark.slow
def test_the_page_has_a_figure_for_each_frontier_of_each_workload(found: Frontier) -> None:
    page = frontier_page(found, 5.0)
    assert [view.label for view in page.views] == ["classification", "reasoning"]
    for view in page.views:
        assert {chart.name: len(chart.panels) for chart in view.charts} == {
            "weights": 2,
            "sparse-attention": 1,
        }
    html = render_page(page)
    assert "<b>one</b>" not in html
    assert "memory-bound" in html


def test_advice_reads_like_this_and_stands_in_tables() -> None:
    model = as_transformer("llama-3.2-1b")
    needed = sparsity_for(
        model, "a100-sxm-80gb", 3.0, chosen=["static-m", "kv-pruning"], phase="prefill", context=2048
    )
    rows = {row[0]: row for row in target_table(needed).rows()}
    assert rows["static-m"][1].endswith(" %")
    assert "ceiling" in rows["kv-pruning"][1] or "at most" in rows["kv-pruning"][1]
    pays = break_even(model, [prune(model, "kv-pruning", 0.5)], "a100-sxm-80gb", batch=1, context=2048)
    assert break_even_table(pays).rows()[0][1:3] == ("never", "never")
    widths = free_widths(model, "a100-sxm-80gb", 0.37, phase="prefill", context=2048)
    assert {row[0] for row in widths_table(widths).rows()} == {"FFN width", "hidden size"}
    needs, beyond, never, always, ffn, hidden, note = str(advice_verdict(needed, pays, widths)).splitlines()
    assert needs == f"3.00x in prefill takes static-m at {rows['static-m'][1]}."
    check_says(beyond, "kv-pruning", f"{needed['ceiling'].iloc[-1]:.2f}x")
    check_says(never, "never", "prefill", "kv-pruning 50 %")
    check_says(always, "decode")
    asked, nearest = (widths[key].tolist() for key in ("asked", "nearest"))
    for sentence, name, *sizes in zip(
        (ffn, hidden), ("FFN width", "hidden size"), nearest, asked, strict=True
    ):
        check_order(sentence, name, *map(str, sizes))
    check_says(note, "quality")


def test_why_a_target_is_out_of_reach() -> None:
    check_says(needed_sparsity(math.nan, "ceiling", 1.2, 1.31), "ceiling 1.31x")
    beyond = needed_sparsity(math.nan, "prediction", 1.2, 2.0)
    check_says(beyond, "1.20x")
    assert "2.00x" not in beyond
    assert needed_sparsity(0.4373, "", 4.0, 8.0) == "43.7 %"


def test_one_plan_is_said_whole_where_it_pays() -> None:
    frame = pd.DataFrame(
        {
            "model": "llama-3.1-8b",
            "gpu": "rtx-4090",
            "gpus": 1,
            "phase": ["prefill", "decode"],
            "batch": 1,
            "context": 1024,
            "plan": "static-k-2:4 50 %",
            "batches": ["always", "from 64"],
            "contexts": ["always", "never"],
            "calibration": "fitted",
        }
    )
    assert advice_verdict(None, frame, None).short == (
        "In prefill static-k-2:4 50 % pays everywhere.",
        "In decode static-k-2:4 50 % pays at batches: from 64; at contexts: never.",
    )

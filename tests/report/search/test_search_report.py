"""The search's words, figures and page."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import pandas as pd
import pytest

import infersim as sim
from infersim.report.html.page import render_page
from infersim.report.search.page import layer_bars, search_page, trade_off
from infersim.report.search.verdict import search_verdict, table_verdict
from infersim.simulation.search.searching import SearchResult
from tests.report.handmade import check_order, check_says
from tests.simulation.search.toys import DECODE, TEXTS, gpu, toy


@cache
def found() -> SearchResult:
    return sim.search(toy(4), gpu(), "depth", choices=TEXTS, target_speedup=1.5, points=4, **DECODE)


def test_the_verdict_says_speed_and_loss_then_layers_then_uniform_plans() -> None:
    verdict = search_verdict(found())
    row: Any = found().answer.iloc[0]
    check_order(verdict.sentences[0], f"{row['predicted']:.2f}x", "loses", "meets the speedup of 1.50x")
    assert "of 4 layers" in verdict.sentences[1]
    assert any("uniform plan" in sentence for sentence in verdict.sentences[2:])
    check_says(" ".join(verdict.notes), "not measured")


def test_targets_that_the_dense_model_meets_are_told_as_such() -> None:
    both: dict[str, Any] = {"target_speedup": 0.5, "target_memory_gib": 50.0}
    verdict = search_verdict(sim.search(toy(4), gpu(), "depth", choices=TEXTS, points=0, **both, **DECODE))
    (said,) = verdict.sentences
    check_order(
        said, "Nothing has to go", "dense model meets the speedup of 0.50x", "memory of at most 50.0 GiB"
    )


def test_a_plan_that_does_not_fit_is_told() -> None:
    small = replace(gpu(), memory=replace(gpu().memory, capacity_bytes=1e7, reported_bytes=None))
    result = sim.search(toy(4), small, "depth", choices=TEXTS, target_speedup=1.5, points=0, **DECODE)
    check_says(" ".join(search_verdict(result).notes), "does not fit")


def test_bars_are_layers_and_end_where_their_times_do() -> None:
    figure = layer_bars(found().layers)
    dense, attention, ffn = figure.data
    assert [trace.name for trace in figure.data] == ["dense", "attention", "FFN"]
    assert len(dense.x) == 4
    assert sum(dense.x) == pytest.approx(100)
    assert list(ffn.base) == pytest.approx(list(attention.x))
    assert all(
        kept >= base + width - 1e-9 for kept, base, width in zip(dense.x, ffn.base, ffn.x, strict=True)
    )


def test_the_trade_off_marks_the_answer_and_uniform_plans_by_family() -> None:
    figure = trade_off(found().curve, found().uniform)
    names = [trace.name for trace in figure.data]
    assert names[:2] == ["layer by layer", "the plan"]
    assert set(names[2:]) == set(found().uniform["family"])
    answer = figure.data[1]
    assert float(answer.y[0]) == pytest.approx(float(found().answer["predicted"].iloc[0]))
    assert len(trade_off(found().curve).data) == 2


def test_texts_of_frames_are_no_markup() -> None:
    layers = found().layers.assign(ffn="<b>wide</b>")
    shown = [row for trace in layer_bars(layers).data[1:] for row in trace.customdata]
    assert not any("<b>" in text for row in shown for text in row)


def test_the_page_has_both_figures_and_all_tables() -> None:
    html = render_page(search_page(found()))
    check_order(
        html, "What became of each layer", "Speed gained over importance lost", "Beside uniform plans"
    )


def test_a_table_says_what_there_is_to_choose() -> None:
    frame: pd.DataFrame = sim.latency_table(toy(2), gpu(), choices=TEXTS, **DECODE)
    sentences = table_verdict(frame).sentences
    check_says(" ".join(sentences), "choices of 2 layers", "in sublayers that have choices")

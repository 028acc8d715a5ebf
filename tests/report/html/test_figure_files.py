"""Figures as files: named after what they show, or refused with what is missing."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from infersim.domain.errors import InfersimError, InvalidValueError
from infersim.report.html.figure_files import figure_names, standalone, write_figures
from infersim.report.html.page import Page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import ComparisonReport
from infersim.report.speedups.prediction_page import gather_prediction, predict_page


@pytest.fixture(scope="module")
def small() -> Page:
    return predict_page(gather_prediction("llama-3.2-1b", "l4", context=512))


@pytest.mark.slow
def test_names_say_scenario_chart_and_panel(report: ComparisonReport, small: Page) -> None:
    names = [name for name, _, _ in figure_names(compare_page(report))]
    assert "decode_waterfall_static-nk-50" in names
    assert "prefill_plans" in names
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[\w.-]+", name) for name in names)
    assert [name for name, _, _ in figure_names(small)] == ["time", "roofline"]


@pytest.mark.slow
def test_away_from_the_page_a_figure_has_its_title_and_a_legend_of_what_is_visible(
    report: ComparisonReport,
) -> None:
    found = {name: (figure, title) for name, figure, title in figure_names(compare_page(report))}
    figure, title = found["decode_roofline"]
    alone = standalone(figure, title)
    assert alone.layout.title.text.startswith("Roofline of")
    assert alone.layout.showlegend
    assert {trace.visible for trace in alone.data} <= {None, True}
    assert len(alone.data) < len(figure.data)
    assert figure.layout.title.text is None  # the page's own is left as it was


def test_without_kaleido_the_extra_is_named(
    small: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kaleido", None)
    with pytest.raises(InfersimError, match=r"pip install 'infersim\[png\]'"):
        write_figures(tmp_path / "figures", small)
    assert list(tmp_path.iterdir()) == []


def test_without_a_browser_it_is_said_how_to_name_one(
    small: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("kaleido")
    monkeypatch.setenv("BROWSER_PATH", str(tmp_path / "none"))
    with pytest.raises(InfersimError, match=r"Chrom.*BROWSER_PATH"):
        write_figures(tmp_path, small)


def test_a_file_in_the_way_is_told(small: Page, tmp_path: Path) -> None:
    pytest.importorskip("kaleido")
    file = tmp_path / "figures"
    file.write_text("mine")
    with pytest.raises(InvalidValueError, match=f"{file.name}.*a folder"):
        write_figures(file, small)
    assert file.read_text() == "mine"

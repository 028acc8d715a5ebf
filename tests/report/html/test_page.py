"""The page as a file: words first, all data inside, what users name escaped, written whole or not at all."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from plotly.offline import get_plotlyjs

from infersim.domain.errors import InvalidValueError
from infersim.files.writing import replacing, write_whole
from infersim.report.core.table import Table, number_column
from infersim.report.html.elements import FOLDED_ROWS, MAX_ROWS, Islands, csv_link, table_html
from infersim.report.html.legend import legend_entries, legend_html
from infersim.report.html.page import render_page, write_page
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import ComparisonReport
from infersim.report.speedups.prediction_page import gather_prediction, predict_page
from infersim.report.speedups.verdict import compare_verdict
from tests.report.handmade import comparison, island

EVIL = "</script><img src=x onerror=alert(1)>\"'&"


def without_islands(page: str) -> str:
    """The page without what it holds packed."""
    return re.sub(r'(<script type="text/plain" id="\w+">)[^<]*', r"\1", page)


def data_of(link: str, islands: dict[str, str]) -> pd.DataFrame:
    """What a link to data leads to."""
    key = re.search(r'data-csv="([^"]+)"', link)
    assert key
    return pd.read_csv(io.StringIO(islands[key[1]]))


def data_in(page: str) -> dict[str, str]:
    """The CSV that the page holds."""
    found: dict[str, str] = json.loads(island(page, "data"))
    return found


def test_words_come_before_figures_and_figures_before_tables(page: str, report: ComparisonReport) -> None:
    verdict = compare_verdict(report.comparison)
    first = verdict.sentences[0].split(" is ")[0].replace(" %", "&nbsp;%")
    places = [
        page.index(mark) for mark in (first, "data-figure=", "<h2>Tables</h2>", "<h2>How to read this</h2>")
    ]
    assert places == sorted(places)
    words = page.replace("<strong>", "").replace("</strong>", "")
    for sentence in (*verdict.sentences, *verdict.notes):
        assert sentence.replace(" %", "&nbsp;%").replace("<", "&lt;").replace("'", "&#x27;") in words


def test_every_kind_of_figure_is_there_for_every_scenario(page: str) -> None:
    figures = re.findall(r'data-figure="(\d)-(\w+)-\d+"', page)
    kinds = {"plans", "families", "curves", "waterfall", "time", "roofline"}
    assert {scenario for scenario, _ in figures} == {"0", "1"}
    assert {kind for _, kind in figures} == kinds
    assert len([kind for _, kind in figures if kind == "waterfall"]) == 2 * 5


def test_nothing_is_fetched(page: str) -> None:
    own = without_islands(page)
    assert not re.findall(r'<[^>]*(?:src|href)="(?!data:|#)', own)
    assert "http" not in own
    assert "@import" not in own
    assert len(own) < 1e6


def test_a_page_carries_the_plotly_js_of_the_package_that_made_its_figures(page: str) -> None:
    carried = island(page, "plotly")
    assert carried.splitlines()[:6] == get_plotlyjs().splitlines()[:6]
    assert len(carried) == pytest.approx(len(get_plotlyjs()), rel=0.001)
    assert len(page.encode()) < 0.6 * len(get_plotlyjs())


def test_figures_are_json_by_the_names_of_their_places(page: str) -> None:
    figures = json.loads(island(page, "figures"))
    assert set(figures) == set(re.findall(r'data-figure="([^"]+)"', page))


def test_every_figure_has_a_link_to_its_data(page: str, report: ComparisonReport) -> None:
    links = re.findall(r"<figure>\s*<header>.*?(<a .*?</a>)", page, re.DOTALL)
    assert len(links) == page.count("data-figure=") > 20
    islands = data_in(page)
    time = next(link for link in links if 'download="1-time-0.csv"' in link)
    expected = report.ops[report.ops["phase"] == "decode"]
    assert data_of(time, islands)["kernel_ms"].sum() == pytest.approx(expected["kernel_ms"].sum())


def test_csv_is_exact() -> None:
    frame = pd.DataFrame({"a": [1 / 3, 1e-12], "b": ["x,y", 'quo"te\n']})
    islands = Islands()
    link = csv_link(frame, "name", islands)
    pd.testing.assert_frame_equal(data_of(link, json.loads(islands.data_json())), frame)


def test_equal_data_are_held_once() -> None:
    frame = pd.DataFrame({"a": [1]})
    islands = Islands()
    assert islands.add_data(frame) == islands.add_data(frame.copy()) != islands.add_data(frame + 1)
    assert len(json.loads(islands.data_json())) == 2


@pytest.mark.slow
def test_what_users_name_is_text(report: ComparisonReport, page: str) -> None:
    def renamed(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.replace({"static-nk 50 %": EVIL, "static-nk": EVIL, "own.csv, line 2": EVIL}).assign(
            model=EVIL
        )

    evil = replace(
        report,
        comparison=renamed(report.comparison).assign(notes=EVIL),
        scenarios=renamed(report.scenarios),
        ops=renamed(report.ops),
        curves=renamed(report.curves),
        left_out=(EVIL,),
        setting=EVIL,
    )
    rendered = render_page(compare_page(evil))
    assert "<img" not in without_islands(rendered)
    assert rendered.count("alert(1)") > 20
    assert rendered.count("</script") == page.count("</script")


def test_plans_left_out_are_told(page: str) -> None:
    assert "Left out: &lt;none&gt; &amp; more" in page


def test_one_scenario_needs_no_choice() -> None:
    page = render_page(predict_page(gather_prediction("llama-3.2-1b", "l4", context=512)))
    assert 'id="view"' not in page
    assert "llama-3.2-1b" in page


@pytest.mark.slow
def test_scenarios_left_undrawn_are_told(report: ComparisonReport) -> None:
    part = replace(report, scenarios=report.scenarios[:1])
    assert "1 of 2 scenarios" in render_page(compare_page(part))


def test_long_tables_are_folded_and_longer_ones_cut() -> None:
    islands = Islands()

    def shown(rows: int) -> str:
        column = number_column("n", "n", "{:g}".format)
        return table_html(
            Table(title="t", frame=pd.DataFrame({"n": range(rows)}), columns=(column,)), "t", islands
        )

    assert "<details open>" in shown(FOLDED_ROWS)
    assert "<details>" in shown(FOLDED_ROWS + 1)
    cut = shown(MAX_ROWS + 7)
    assert cut.count('<th scope="row"') == MAX_ROWS
    assert "7 more rows" in cut
    assert len(data_of(cut, json.loads(islands.data_json()))) == MAX_ROWS + 7


def test_sections_are_rows_of_their_own() -> None:
    from infersim.report.speedups.tables import compare_table

    frame = comparison({"phase": "decode"}, {"phase": "decode", "family": "a"}, {}, {"family": "a"})
    html = table_html(compare_table(frame), "t", Islands())
    assert re.findall(r'<tr class="section"><th[^>]*>(\w+) \(dense: 100 ms\)<', html) == ["decode", "prefill"]


@pytest.mark.slow
def test_a_legend_names_each_group_once_with_what_it_draws(report: ComparisonReport) -> None:
    (chart,) = [chart for chart in compare_page(report).views[1].charts if chart.name == "curves"]
    entries = legend_entries([panel.figure for panel in chart.panels])
    groups = ["flops", "bound", "80 % interval", "predicted", "measured"]
    assert sorted(entry.group for entry in entries) == sorted(groups)
    swatches = {entry.group: entry.swatch for entry in entries}
    assert 'stroke-dasharray="2 3"' in swatches["flops"]
    assert swatches["80 % interval"].startswith("<rect")
    assert legend_html(entries).count("<button") == len(groups)


@pytest.mark.slow
def test_waiting_plans_are_not_pressed(report: ComparisonReport) -> None:
    (chart,) = [chart for chart in compare_page(report).views[0].charts if chart.name == "roofline"]
    shown = {entry.group: entry.shown for entry in legend_entries([chart.panels[0].figure])}
    assert shown["dense"]
    assert not shown["static-m 50 %"]


@pytest.mark.slow
def test_a_page_is_written_as_rendered(report: ComparisonReport, page: str, tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old", encoding="utf-8")
    write_page(file, compare_page(report))
    assert file.read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.write_text("old", encoding="utf-8")

    def failing() -> None:
        with replacing(file) as begun:
            begun.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        failing()
    assert file.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


@pytest.mark.parametrize(
    ("path", "expected"),
    [("missing/report.html", "a folder that exists"), (".", "a file that can be written")],
)
def test_a_path_that_cannot_be_written_is_told(path: str, expected: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError, match=expected):
        write_whole(tmp_path / path, "page")

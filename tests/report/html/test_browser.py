"""Every kind of page in a real browser: figures drawn, nothing in the console, readable on desk and phone."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from infersim.report.html.page import Page, render_page
from infersim.report.html.plotly_js import TRACES
from infersim.report.speedups.comparison_page import compare_page
from infersim.report.speedups.gathering import ComparisonReport
from infersim.simulation.speedups.columns import with_joined_notes
from tests.report.browser import Look, Seen, see
from tests.report.example_pages import PAGES, frontiers

pytestmark = pytest.mark.browser

DESK, PHONE = 1280, 400

KINDS = (*PAGES, "compare", "frontier")

SHEET_PX = 703
"""The width between the margins of A4."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A page, and what became of it on a desk (light, printed) and on a phone (dark, switched)."""

    page: Page
    desk: Seen
    phone: Seen

    def figures(self) -> Iterator[dict[str, Any]]:
        """All figures of all scenarios on both."""
        for view in (*self.desk.views, *self.phone.views):
            yield from view["figures"]


@pytest.fixture(scope="module")
def opened(report: ComparisonReport, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Opened]:
    """All kinds of pages, in one start of the browser."""
    folder = tmp_path_factory.mktemp("browser")
    pages = {name: make() for name, make in PAGES.items()}
    pages |= {"compare": compare_page(report), "frontier": frontiers(folder)}
    looks = []
    for name, page in pages.items():
        html = render_page(page)
        looks.append(Look(name=f"{name}-desk", html=html, width=DESK, download=True, print=True))
        looks.append(Look(name=f"{name}-phone", html=html, width=PHONE, dark=True, switch=True))
    seen = see(looks, folder)
    return {
        name: Opened(page=page, desk=seen[f"{name}-desk"], phone=seen[f"{name}-phone"])
        for name, page in pages.items()
    }


@pytest.fixture(params=KINDS)
def one(opened: dict[str, Opened], request: pytest.FixtureRequest) -> Opened:
    return opened[str(request.param)]


def test_the_console_stays_empty(one: Opened) -> None:
    assert one.desk.errors == one.phone.errors == []


def test_every_figure_of_every_scenario_is_drawn_when_it_is_scrolled_to(one: Opened) -> None:
    for seen in (one.desk, one.phone):
        assert [view["label"] for view in seen.views if view["label"]] == (
            [view.label for view in one.page.views] if len(one.page.views) > 1 else []
        )
        for view, page_view in zip(seen.views, one.page.views, strict=True):
            assert len(view["figures"]) == sum(len(chart.panels) for chart in page_view.charts)
    for figure in one.figures():
        assert figure["traces"] == figure["expected"] > 0, figure


def test_the_kinds_of_traces_that_a_page_starts_are_those_of_its_figures(opened: dict[str, Opened]) -> None:
    pages = [one.page for one in opened.values()]
    panels = [
        panel for page in pages for view in page.views for chart in view.charts for panel in chart.panels
    ]
    assert {trace.type for panel in panels for trace in panel.figure.data} == TRACES


def test_it_fits_the_screen(one: Opened) -> None:
    for seen in (one.desk, one.phone):
        for view in seen.views:
            assert view["overflow"] <= 0
            assert view["cut"] == []
    for figure in one.figures():
        assert 0.9 * figure["room"] <= figure["width"] <= figure["room"] + 1, figure


def test_texts_of_figures_stay_inside_and_apart(one: Opened) -> None:
    assert [figure for figure in one.figures() if figure["crowded"]] == []


def test_colours_are_those_of_the_screen_and_follow_it(one: Opened) -> None:
    seen = [(view, False) for view in (*one.desk.views, one.phone.switched)]
    seen += [(view, True) for view in one.phone.views]
    for view, dark in seen:
        assert (_lightness(view["paper"]) < 64) == dark
        assert (_lightness(view["ink"]) > 192) == dark
        for figure in view["figures"]:
            assert figure["tickColour"] == view["ink"], figure


def test_axes_say_their_units_and_figures_what_they_show(one: Opened) -> None:
    for figure in one.figures():
        assert figure["titles"]
        assert all("(" in title or "TFLOP/s" in title for title in figure["titles"]), figure
        assert len(figure["alternative"].split(". ")) >= 3, figure


def test_headings_leave_no_level_out_and_focus_is_seen(one: Opened) -> None:
    levels = one.desk.headings
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    assert one.desk.outline == "solid"


def test_links_lead_to_the_frames_that_were_drawn_and_tabulated(one: Opened) -> None:
    linked = one.desk.linked
    for index, view in enumerate(one.page.views):
        for chart in view.charts:
            for place, panel in enumerate(chart.panels):
                _assert_same(linked[f"{index}-{chart.name}-{place}.csv"], panel.data)
    for table in one.page.tables:
        expected = with_joined_notes(table.frame).to_csv(index=False, lineterminator="\n")
        assert expected in linked.values()
    name, content = one.desk.downloaded
    assert content == linked[name]


def test_paper_holds_every_figure_of_the_scenario_uncut(one: Opened) -> None:
    shown = one.desk.views[-1]["figures"]
    assert one.desk.pdf.startswith(b"%PDF")
    assert len(one.desk.printed) == len(shown)
    assert all(0 < width < SHEET_PX for width in one.desk.printed)


def test_the_page_answers_before_it_has_drawn_everything(opened: dict[str, Opened]) -> None:
    compare = opened["compare"].desk
    first = compare.views[0]["figures"]
    # A page that opens with a table may have drawn none by then.
    assert 0 < compare.undrawn <= len(first)


def _assert_same(text: str, frame: pd.DataFrame) -> None:
    """The CSV holds the frame, to the last digit."""
    head, *rows = csv.reader(io.StringIO(text))
    frame = with_joined_notes(frame)
    assert head == list(frame.columns)
    assert len(rows) == len(frame)
    for name, cells in zip(head, zip(*rows, strict=True), strict=True):
        for cell, value in zip(cells, frame[name], strict=True):
            if isinstance(value, float):
                assert math.isnan(value) if cell == "" else float(cell) == value
            else:
                assert cell == str(value)


def _lightness(colour: str) -> float:
    """Mean of red, green and blue, 0 to 255, of a computed `rgb(...)`."""
    channels = [float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(channels) / len(channels)


def test_a_browser_that_cannot_unpack_shows_the_words_and_says_why_it_draws_nothing(
    page: str, tmp_path: Path
) -> None:
    old = page.replace("<head>", "<head><script>delete window.DecompressionStream</script>")
    damaged = re.sub(r'(id="plotly">.{1000}).{7}', r"\1", page, flags=re.DOTALL)
    looks = [
        Look(name=name, html=html, width=DESK, words_only=True)
        for name, html in (("able", page), ("old", old), ("damaged", damaged))
    ]
    seen = see(looks, tmp_path)
    assert "need JavaScript and a browser" not in seen["able"].words
    for name in ("old", "damaged"):
        words = seen[name].words
        assert "need JavaScript and a browser that can unpack them" in words
        assert "How far to trust it".lower() in words.lower()
        assert "CSV" not in words.partition("How far to trust it")[2].replace("the CSV", "")
    assert seen["old"].errors == []
    assert seen["damaged"].errors


def test_a_page_with_faults_is_noticed(page: str, tmp_path: Path) -> None:
    faults = "<script>console.error('said'); setTimeout(() => { throw Error('thrown') });</script>"
    narrow = '<div style="width: 2000px">wide</div>'
    broken = page.replace("</body>", f"{faults}{narrow}</body>")
    seen = see([Look(name="faults", html=broken, width=PHONE)], tmp_path)["faults"]
    assert any("said" in error for error in seen.errors)
    assert any("thrown" in error for error in seen.errors)
    assert seen.views[0]["overflow"] > 1000

"""The page in a real browser: all figures drawn, nothing in the console, readable on desk and phone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.browser import Seen, see

pytestmark = pytest.mark.browser

DESK, PHONE = 1280, 390


@pytest.fixture(scope="module", params=[DESK, PHONE], ids=["desk", "phone"])
def width(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module", params=[False, True], ids=["light", "dark"])
def dark(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def seen(page: str, width: int, dark: bool, tmp_path_factory: pytest.TempPathFactory) -> Seen:
    folder: Path = tmp_path_factory.mktemp("browser")
    return see(page, folder, width=width, dark=dark)


def test_the_console_stays_empty(seen: Seen) -> None:
    assert seen.errors == ()


def test_every_figure_of_every_scenario_is_drawn(seen: Seen) -> None:
    assert [view["label"] for view in seen.views] == ["prefill", "decode"]
    for view in seen.views:
        names = {figure["name"].split("-")[1] for figure in view["figures"]}
        assert names == {"families", "curves", "waterfall", "time", "roofline"}
        for figure in view["figures"]:
            assert figure["expected"] > 0, figure
            assert figure["traces"] == figure["expected"], figure


def test_it_fits_the_screen(seen: Seen, width: int) -> None:
    for view in seen.views:
        assert view["width"] == width
        assert view["overflow"] <= 0
        for figure in view["figures"]:
            assert 0.9 * figure["room"] <= figure["width"] <= figure["room"] + 1, figure


def test_labels_stay_inside_and_apart(seen: Seen) -> None:
    crowded = {
        figure["name"]: figure["crowded"]
        for view in seen.views
        for figure in view["figures"]
        if figure["crowded"]
    }
    assert crowded == {}


def test_colours_are_those_of_the_screen(seen: Seen, dark: bool) -> None:
    for view in seen.views:
        assert (_lightness(view["paper"]) < 64) == dark
        assert (_lightness(view["ink"]) > 192) == dark
        for figure in view["figures"]:
            assert figure["tickColour"] == view["ink"], figure


def test_axes_say_their_units(seen: Seen) -> None:
    for view in seen.views:
        for figure in view["figures"]:
            assert figure["titles"]
            assert all("(" in title or "TFLOP/s" in title for title in figure["titles"]), figure


def _lightness(colour: str) -> float:
    """Mean of red, green and blue, 0 to 255, of a computed `rgb(...)`."""
    channels = [float(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    return sum(channels) / len(channels)


def test_a_page_with_faults_is_noticed(page: str, tmp_path: Path) -> None:
    faults = "<script>console.error('said'); setTimeout(() => { throw Error('thrown') });</script>"
    narrow = '<div style="width: 2000px">wide</div>'
    seen = see(page.replace("</body>", f"{faults}{narrow}</body>"), tmp_path, width=PHONE, dark=False)
    assert any("said" in error for error in seen.errors)
    assert any("thrown" in error for error in seen.errors)
    assert seen.views[0]["overflow"] > 1000

"""The page in headless Chromium: every control moved, and what it says compared with the command line."""

from __future__ import annotations

import shlex
from io import StringIO
from itertools import pairwise

import pytest

from infersim.app.choices import STOPS
from infersim.pruning.families.registry import families
from tests.app.visiting import WIDTHS, Visit, visit_page
from tests.cli.conftest import Infersim

pytest.importorskip("dash", reason="infersim[app] is not installed")

pytestmark = [pytest.mark.browser, pytest.mark.slow]

START_S, DRAG_MS = 60.0, 3000.0
"""Limits for machines that are busy: a quiet one of two cores takes less than 3 s and 150 ms."""


@pytest.fixture(scope="module")
def visit(tmp_path_factory: pytest.TempPathFactory) -> Visit:
    found = visit_page(tmp_path_factory.mktemp("visit"))
    print(f"start {found.start_s:.2f} s, a move of a slider {found.drag_ms:.0f} ms in the median")
    return found


def test_nothing_but_this_machine_is_contacted(visit: Visit) -> None:
    assert visit.hosts <= {"127.0.0.1", ""}


def test_the_console_is_silent(visit: Visit) -> None:
    assert visit.said == []


def test_every_control_changes_the_address(visit: Visit) -> None:
    from infersim.app.choices import WORDS, slider_id, switch_id

    expected = {*WORDS, *STOPS, "drop"} - {"config", "config_name"}
    for family in families():
        expected |= {switch_id(family)} | ({slider_id(family)} if family.fixed_sparsity is None else set())
    assert set(visit.moved) == expected
    addresses = [visit.before, *visit.moved.values()]
    assert all(one != next_one for one, next_one in pairwise(addresses))


def test_every_control_has_a_name(visit: Visit) -> None:
    assert visit.unnamed == []


def test_numbers_are_those_of_compare(visit: Visit, answered: Infersim) -> None:
    import pandas as pd
    from pandas.testing import assert_frame_equal

    from infersim.report.speedups.tables import compare_table

    printed = answered(*shlex.split(visit.line)[1:], "--csv").out
    saved = pd.read_csv(StringIO(visit.csv))
    assert_frame_equal(saved, pd.read_csv(StringIO(printed)), rtol=1e-9)
    strings = {name: saved[name].astype(object).fillna("") for name in ("measured_scope", "measured_source")}
    cells = [[*row] for row in compare_table(saved.assign(**strings)).rows()]
    assert [[text.replace("\xa0", " ") for text in row] for row in visit.table] == cells


def test_an_address_opened_anew_shows_the_same(visit: Visit) -> None:
    assert visit.again == visit.table
    assert visit.places[0] == visit.places[1]


def test_the_saved_page_is_that_of_the_choices(visit: Visit) -> None:
    assert "<title>qwen3-8b, pruned, on a100-sxm-80gb, h200-sxm" in visit.page


def test_a_config_can_be_dropped(visit: Visit) -> None:
    assert "wrong.json" in visit.refused
    assert "--model tiny.json " in visit.own


def test_no_width_needs_sideways_scrolling(visit: Visit) -> None:
    assert visit.overflow == dict.fromkeys(WIDTHS, 0)


def test_the_page_follows_the_theme(visit: Visit) -> None:
    light, dark = visit.looks["light"], visit.looks["dark"]
    assert {name for name in light if light[name] != dark[name]} == set(light)


def test_it_starts_and_changes_in_time(visit: Visit) -> None:
    assert visit.start_s < START_S
    assert visit.drag_ms < DRAG_MS

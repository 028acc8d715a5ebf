"""The page of published speedups shows what infersim predicts today, and the predictions keep their goals."""

from __future__ import annotations

import pandas as pd
import pytest

from _generate.published_page import computed, parts
from infersim.simulation.measured.files import load_published
from infersim.simulation.measured.table import Scope
from infersim.simulation.paper.published_check import check_published

LEAST_MATCHED = 15


@pytest.fixture(scope="module")
def check() -> pd.DataFrame:
    return check_published()


def test_the_page_is_current(check: pd.DataFrame) -> None:
    assert parts() == computed(check), "run `make readme`"


def test_every_published_row_stands_in_the_check_once(check: pd.DataFrame) -> None:
    rows = [str(row.number) for row in load_published().rows if row.scope is not Scope.MEAN]
    assert sorted(check["number"]) == sorted([*rows, "S024", "S025"])


def test_most_figures_with_known_conditions_are_predicted(check: pd.DataFrame) -> None:
    scored = check[check["scored"]]
    assert scored["predicted"].notna().all()
    assert len(scored) == 21
    assert scored["within"].sum() >= LEAST_MATCHED


def test_what_the_host_or_copies_decide_is_overpredicted(check: pd.DataFrame) -> None:
    over = check[check["scope"].isin([Scope.HOST_BOUND, Scope.OVERHEAD])]
    assert len(over) == 43
    assert (over["difference"] > 0).all()


def test_every_miss_has_a_reason(check: pd.DataFrame) -> None:
    assert "unexplained" not in computed(check)["scored"]
    assert "under-predicted" not in computed(check)["overpredicted"]


def test_2_4_gemms_of_a_graphics_card_that_nothing_is_fitted_to_are_predicted(check: pd.DataFrame) -> None:
    wanda = check[check["number"].isin(["S091", "S092", "S093"])]
    assert not wanda["scored"].any()  # how many tokens they had is not stated
    assert wanda["within"].all()
